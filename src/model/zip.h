/*
 * The directory of a zip archive whose entries are stored as they are, as torch.save writes them:
 * where in the mapped file the bytes of each entry lie. zip64 is understood, compression and
 * encryption are not.
 *
 * Our own because the libraries will not do: libzip does not tell where an entry's bytes are, and
 * the minizip of Debian 12 does not read zip64 sizes (it compares 32-bit fields with 2^64 - 1),
 * which every checkpoint beyond 4 GiB has.
 *
 * Source: PKWARE's APPNOTE.TXT, 4.3 and 4.5.3.
 */
#ifndef RP_MODEL_ZIP_H
#define RP_MODEL_ZIP_H

#include "base/io.h"

typedef struct rp_zip_entry {
    const char *name; /* [name_len], in the file */
    size_t name_len;
    bool plain;          /* neither compressed nor encrypted; only then: */
    size_t offset, size; /* of its bytes in the file; inside it */
} rp_zip_entry;

/* *entries [*n] <- the archive's, in the order of its directory; free(). `path` is for messages.
 * RP_EFORMAT: not an archive, truncated, or an entry that does not lie in the file. */
rp_status rp_zip_read(rp_zip_entry **entries, size_t *n, const rp_mapping *file, const char *path,
                      rp_error *err);

#endif
