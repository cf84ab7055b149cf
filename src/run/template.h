/*
 * How a pair becomes tokens (docs/FORMATS.md, "Templates"), and which token belongs to which token
 * set. The one thing to know: only the query's and the document's own tokens are cut, never a
 * special token, and a literal word of the template belongs to the field that follows it.
 */
#ifndef RP_RUN_TEMPLATE_H
#define RP_RUN_TEMPLATE_H

#include <jansson.h>

#include "base/memory.h"
#include "data/data.h"
#include "tokenizer/tokenizer.h"

/* Token sets, as bits of rp_tokens.set. */
enum {
    RP_SET_ALL = 1,
    RP_SET_NOBOS = 2, /* all but the bos tokens, wherever they stand */
    RP_SET_QUERY = 4, /* the query with the words before it */
    RP_SET_DOCUMENT = 8,
    RP_SET_LAST = 16
};
unsigned rp_set_find(const char *name); /* 0: no such set */
const char *rp_set_name(unsigned set);

/* "auto", 32 tokens of query, 164 of passage. */
void rp_template_options_init(rp_template_options *options);

/* A pair's sequence and the scratch that encoding needs; one per thread, reused. */
typedef struct rp_tokens {
    rp_ids ids, set, segment; /* [T] ids, set bits, segment (token type) ids */
    rp_ids whole, prefix, content, role;
    rp_text text;
} rp_tokens;
void rp_tokens_release(rp_tokens *tokens);

typedef struct rp_template rp_template;
/* What "auto" stands for: RankLlama's pair for decoders, the bare pair for encoders. */
const char *rp_template_default(bool causal);
/* The tokenizer must outlive the template; "auto" was replaced. RP_EARG: unknown template or
 * placeholder, a limit of 0; RP_EFORMAT: the tokenizer lacks a special token that the template asks
 * for. */
rp_status rp_template_new(rp_template **t, const rp_template_options *options,
                          const rp_tokenizer *tokenizer, rp_error *err);
void rp_template_free(rp_template *t);
/* Replaces the contents of *tokens. Safe for many threads with a rp_tokens each. */
rp_status rp_template_encode(const rp_template *t, rp_tokens *tokens, const rp_pair *pair,
                             rp_error *err);
/* {"name", "custom" (for custom), "max_query", "max_passage"} */
json_t *rp_template_to_json(const rp_template *t);

#endif
