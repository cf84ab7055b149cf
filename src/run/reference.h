/*
 * Reference dumps (docs/FORMATS.md, "Reference dump"): what transformers computed inside of a model
 * for a few sequences, as tools/make_reference.py writes it. Everything that is read is checked
 * here; the values stay in the mapped file.
 */
#ifndef RP_RUN_REFERENCE_H
#define RP_RUN_REFERENCE_H

#include <jansson.h>

#include "base/safetensors.h"
#include "run/sequences.h"

typedef struct rp_reference {
    json_t *about; /* reference.json, which owns the texts below */
    rp_safetensors *file;
    const char *path;       /* of the tensors */
    const char *family;     /* "llama" */
    const char *made_by;    /* versions; NULL: not said */
    const char *template_;  /* NULL with pair */
    rp_pair *pair;          /* [sequences.n] texts; NULL: only their tokens are known */
    rp_sequences sequences; /* ids and segments (0 where there are none); set is NULL */
    bool has_segments;
    const rp_tensor *scores, *embed; /* f32 [n], [n, D]; NULL: none */
} rp_reference;

/* RP_EIO, RP_EFORMAT: names the file, the key or tensor, and what is wrong with it. */
rp_status rp_reference_open(rp_reference *r, const char *dir, rp_error *err);
void rp_reference_release(rp_reference *r);

/* Is the dump one of this model: family, layers, widths, vocabulary, positions? Every layer of a
 * site must be there or none, resid_post at least; a site that the model does not have may not. */
rp_status rp_reference_check(const rp_reference *r, const rp_model *model, rp_error *err);
/* f32 [tokens, width of the site], perhaps unaligned; NULL: not in the dump. */
const void *rp_reference_values(const rp_reference *r, rp_site site, size_t layer);

#endif
