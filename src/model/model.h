/*
 * Transformer rerankers and encoders from a Hugging Face directory. A model is loaded and const; a
 * session is mutable and belongs to one caller (it uses all threads itself). Sequences are packed,
 * never padded: a sequence's numbers do not depend on its neighbours, nor on the number of threads.
 */
#ifndef RP_MODEL_MODEL_H
#define RP_MODEL_MODEL_H

#include "base/error.h"

typedef enum rp_site {
    RP_SITE_RESID_POST, /* residual stream after the block; layer 0 is the embedding output */
    RP_SITE_MLP_OUT,
    RP_SITE_MLP_ACT, /* what enters the down projection, width F */
    RP_SITE_ATTN_OUT,
    RP_SITE_RESID_MID, /* between attention and MLP */
    RP_SITES
} rp_site;
const char *rp_site_name(rp_site site);
bool rp_site_find(const char *name, rp_site *site);

typedef struct rp_model rp_model;
typedef struct rp_model_info {
    const char *family;  /* "llama" */
    const char *path;    /* directory of the checkpoint; of an adapter's base model */
    const char *adapter; /* directory of the PEFT adapter; NULL: none */
    const char *lora;    /* rank, alpha, modules of the adapter: one line for people; NULL: none */
    const char *details; /* norms, activation, positions: one line for people */
    size_t layers, width, ffn, heads, kv_heads, head_dim, vocabulary;
    size_t max_positions;     /* tokens of a sequence at most */
    const char *limit_key;    /* the key of config.json that says so */
    size_t segments;          /* token types; 0: the model does not look at them */
    bool causal;              /* a decoder; else every token sees all others */
    const char *dtype;        /* of the weights on disk: "F32", "BF16", ... */
    bool has_score;           /* a score head was found */
    const char *score_tensor; /* the name that was looked for */
    uint64_t parameters;      /* of checkpoint and adapter */
    uint64_t
        fingerprint; /* of config, tensor names, shapes, dtypes and bytes, and of the adapter */
} rp_model_info;
/* Where a model comes from: see rp_score_options. base and models may be NULL. */
typedef struct rp_model_source {
    const char *path, *base, *models;
} rp_model_source;
/* RP_EFORMAT names the config key or tensor that is missing, has another shape, or is not
 * supported. */
rp_status rp_model_open(rp_model **model, const rp_model_source *source, rp_error *err);
void rp_model_free(rp_model *model);
const rp_model_info *rp_model_about(const rp_model *model);
size_t rp_model_site_width(const rp_model *model, rp_site site);
size_t rp_model_site_first(rp_site site); /* first layer: 0 for resid_post, 1 for the others */
/* RP_EARG when the model's blocks have no such site: resid_mid of parallel blocks. */
rp_status rp_model_check_site(const rp_model *model, rp_site site, rp_error *err);
/* The error for a model without a score head, naming the tensor. */
rp_status rp_model_require_score(const rp_model *model, rp_error *err);

/* nseq packed sequences; sequence s is ids[start[s]] .. ids[start[s + 1] - 1], at least one token.
 */
typedef struct rp_batch {
    size_t nseq;
    const size_t *start;    /* [nseq + 1] */
    const int32_t *ids;     /* [start[nseq]] */
    const int32_t *segment; /* [start[nseq]] segment (token type) ids; NULL: all 0 */
} rp_batch;

/* Activations of a sequence: those of its first nhead tokens may stand apart from the others, where
 * they are shared with other sequences. */
typedef struct rp_values {
    size_t sequence, width, nhead, ntail;
    const float *head, *tail; /* [nhead, width], [ntail, width] */
} rp_values;
static inline const float *rp_values_row(const rp_values *v, size_t t)
{
    return t < v->nhead ? v->head + t * v->width : v->tail + (t - v->nhead) * v->width;
}
/* Sees activations while they exist. see() is called by worker threads, exactly once for every
 * wanted site, layer and sequence, layers in ascending order for a given sequence; values are valid
 * only during the call. */
typedef struct rp_observer {
    unsigned sites; /* bits 1u << rp_site */
    void *arg;
    void (*see)(void *arg, rp_site site, size_t layer, const rp_values *values);
} rp_observer;

typedef struct rp_session rp_session;
typedef struct rp_session_options {
    size_t memory;       /* bytes for converted weights, scratch and hidden states */
    int threads;         /* 0: all */
    const char *compute; /* the back end (rp_backend_find); NULL: "f32" */
    /* Without it what neighbouring sequences begin with is computed once; the results are the same
     * to the last bit. */
    bool no_share;
} rp_session_options;
/* The session converts weights layer by layer and keeps them if they fit. RP_EARG: a back end that
 * is unknown, or that this machine has no instructions for. */
rp_status rp_session_new(rp_session **session, const rp_model *model, const rp_session_options *o,
                         rp_error *err);
void rp_session_free(rp_session *session);
/* How many tokens of packed sequences one forward may take within the session's memory. */
size_t rp_session_tokens(const rp_session *session);
/* Runs the batch through every layer. observer may be NULL; scores [nseq] may be NULL (then the
 * score head is not needed). An id outside the vocabulary or a sequence longer than max_positions
 * is RP_EFORMAT. host progress is called between layers. */
rp_status rp_session_forward(rp_session *session, const rp_batch *batch,
                             const rp_observer *observer, float *scores, const rp_host *host,
                             rp_error *err);
/* out [nseq, D] <- the mean over all tokens of each sequence's last hidden state, after the final
 * norm where the family has one: what sentence-transformers calls mean pooling. */
rp_status rp_session_embed(rp_session *session, float *out, const rp_batch *batch,
                           const rp_host *host, rp_error *err);

#endif
