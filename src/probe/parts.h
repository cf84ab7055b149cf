/*
 * Finished units on disk, so that a probe that was stopped goes on where it was, and so that
 * nothing of a finished unit stays in memory. A unit is one file, NUMBER.safetensors in
 * OUTPUT.parts/, with the arrays of its rp_unit_out under every protocol. The one thing to know: a
 * part counts only when its seal - the fingerprint of the job and a checksum of the arrays - and
 * every shape are what this job expects; anything else is computed again.
 */
#ifndef RP_PROBE_PARTS_H
#define RP_PROBE_PARTS_H

#include "base/safetensors.h"
#include "probe/unit.h"

typedef struct rp_parts {
    char *dir;
    bool temporary; /* the output is no file: the parts die with the job */
    uint64_t fingerprint;
    int lock; /* of the first process: nobody else may work on the folder; 0: none */
} rp_parts;

/* Makes the folder (OUTPUT.parts; for an output that is no file a temporary one). Collective: the
 * first process makes it, all learn its name. */
rp_status rp_parts_init(rp_parts *parts, const char *output, uint64_t fingerprint, rp_error *err);
/* Deletes the folder with every part in it; what else lies there stays. */
void rp_parts_remove(const rp_parts *parts);
/* Deletes the folder when it is temporary, or empty. */
void rp_parts_release(rp_parts *parts);

/* Writes the unit's part, whole or not at all. out [nplans]. */
rp_status rp_parts_write(const rp_parts *parts, size_t unit, const rp_unit_out *out, size_t nplans,
                         rp_error *err);

/* A part that was read: its arrays are the file's, mapped. */
typedef struct rp_saved {
    rp_safetensors *file;
    size_t nplans;
    rp_unit_out *out; /* [nplans] only `result` is memory */
} rp_saved;
/* RP_EIO: there is none; RP_EFORMAT: it is not this job's, or not as it was written. shape
 * [nplans]. */
rp_status rp_saved_open(rp_saved *saved, const rp_parts *parts, size_t unit,
                        const rp_unit_shape *shape, size_t nplans, rp_error *err);
/* The same of a file; the seal is not asked for when parts is NULL. */
rp_status rp_saved_read(rp_saved *saved, const char *path, const rp_parts *parts,
                        const rp_unit_shape *shape, size_t nplans, rp_error *err);
void rp_saved_release(rp_saved *saved);

#endif
