/* The files of the features job. */
#ifndef RP_FEATURE_WRITE_H
#define RP_FEATURE_WRITE_H

#include "feature/columns.h"
#include "feature/encoder.h"

/* How the numbers came about, for the `#` lines. */
typedef struct rp_features_origin {
    const rp_features_options *o;
    const rp_host *host;
    const rp_encoder *bert, *t5; /* NULL: not used */
    bool scanned;                /* world is the collection */
    double documents, avgdl;
    size_t empty; /* pairs without query terms or passage terms */
} rp_features_origin;

/* features.tsv or LETOR, as o->format says; then the label report when o->labels is set. */
rp_status rp_features_write(const rp_columns *columns, const rp_pairs *pairs,
                            const rp_features_origin *origin, rp_error *err);

/* out [RP_FEATURES_NUMBER] <- the bytes of %.9g without the NUL, several times faster: a table is
 * mostly numbers. Returns their number. */
#define RP_FEATURES_NUMBER 32
size_t rp_features_number(char *out, double value);

#endif
