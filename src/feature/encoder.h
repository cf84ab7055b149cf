/*
 * Encoders of the similarity features: a text becomes the mean over all tokens, special tokens
 * included, of the model's last hidden state (of T5's encoder: after its final norm). A text stands
 * alone in its sequence, within its tokenizer's template for one text; a long one is cut at its end
 * so that text and special tokens are RP_ENCODER_TOKENS, or what the model takes if that is less:
 * what truncation=True does in transformers.
 */
#ifndef RP_FEATURE_ENCODER_H
#define RP_FEATURE_ENCODER_H

#include "data/data.h"
#include "model/model.h"

#define RP_ENCODER_TOKENS 512

/* The distinct texts of a job: its queries, then every document once. */
typedef struct rp_passage {
    const char *kind, *id;    /* "query" or "document", for errors */
    const char *title, *text; /* title is "" when there is none; one space between */
} rp_passage;
typedef struct rp_passages {
    rp_passage *item; /* [n] topic t's query is item[t] */
    size_t n;
    size_t *of_pair; /* [pairs] index of the pair's document */
} rp_passages;
/* Texts and ids belong to the pairs. */
rp_status rp_passages_init(rp_passages *p, const rp_pairs *pairs, rp_error *err);
void rp_passages_release(rp_passages *p);

typedef struct rp_encoder rp_encoder;
/* The model and the tokenizer beside it; nothing is computed yet. RP_EFORMAT when the tokenizer's
 * special tokens leave no room for a text. */
rp_status rp_encoder_open(rp_encoder **encoder, const rp_model_source *source, rp_error *err);
void rp_encoder_free(rp_encoder *encoder);
const rp_model_info *rp_encoder_about(const rp_encoder *encoder);
size_t rp_encoder_tokens(const rp_encoder *encoder); /* of a text at most, special ones included */
uint64_t rp_encoder_tokenizer_checksum(const rp_encoder *encoder);

typedef struct rp_encoder_work {
    size_t memory;    /* bytes for activations */
    int threads;      /* 0: all */
    const char *what; /* for progress: "embedding texts" */
    const rp_host *host;
} rp_encoder_work;
/* out [n, D] <- the texts' embeddings; 0 for a text without any token, which only a tokenizer
 * without special tokens has. RP_EFORMAT names the text that has a token which the model does not
 * know; RP_ECOMPUTE the one whose embedding is not finite. */
rp_status rp_encoder_embed(const rp_encoder *encoder, float *out, const rp_passage *texts, size_t n,
                           const rp_encoder_work *work, rp_error *err);

#endif
