#include "feature/write.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "feature/labels.h"

#define NUMBER_CAP RP_FEATURES_NUMBER

/* The path and what it held: a model is not among the inputs, whose checksums are of bytes
 * alone. */
static void write_encoder(FILE *file, const char *option, const rp_encoder *encoder)
{
    if (!encoder) return;
    const rp_model_info *m = rp_encoder_about(encoder);
    fprintf(file, "# %s: ", option);
    for (const char *c = m->path; *c; c++) putc((unsigned char)*c < 0x20 ? ' ' : *c, file);
    fprintf(file, " %s:%016" PRIx64 " tokenizer:%016" PRIx64 " mean of all tokens, %zu at most\n",
            m->family, m->fingerprint, rp_encoder_tokenizer_checksum(encoder),
            rp_encoder_tokens(encoder));
}

static rp_status write_origin(FILE *file, const rp_features_origin *origin, rp_error *err)
{
    const rp_features_options *o = origin->o;
    const char *const inputs[] = {o->in.collection, o->in.queries, o->in.run, o->in.qrels};
    const rp_provenance p = {.host = origin->host, .inputs = inputs, .ninputs = 4};
    rp_status status = rp_provenance_write(file, &p, err);
    if (status) return status;
    fprintf(file, "# passage: title, a space, text\n");
    fprintf(file, "# analyzer: %s (mslr.*, sim.*), sklearn (paper.*)\n", o->analyzer);
    fprintf(file, "# stats: %s (mslr.*, P(t|C) of sim.kl), %s (idf of sim.*)\n", o->stats,
            o->sim_stats);
    if (origin->scanned) {
        fprintf(file, "# collection: %.0f documents, mean length %.9g\n", origin->documents,
                origin->avgdl);
    }
    fprintf(file, "# idf: %s\n# bm25: %s\n", o->idf, o->bm25);
    if (o->k1 == o->k1) fprintf(file, "# k1: %.9g\n", o->k1);
    if (o->b == o->b) fprintf(file, "# b: %.9g\n", o->b);
    write_encoder(file, "bert", origin->bert);
    write_encoder(file, "t5", origin->t5);
    fprintf(file, "# empty: %zu pairs without query terms or passage terms\n", origin->empty);
    return RP_OK;
}

static void write_meanings(FILE *file, const rp_columns *columns, bool numbered)
{
    for (size_t i = 0, n = 0; i < columns->n; i++) {
        const rp_column *c = &columns->column[i];
        if (c->hidden) continue;
        fputs("# ", file);
        if (numbered) fprintf(file, "%zu: ", ++n);
        fprintf(file, "%s %c %s\n", c->name, c->feature ? ':' : '=', c->meaning);
    }
}

/* Digits of a whole number, without leading zeros. */
static size_t put_whole(char *out, uint32_t value)
{
    char digits[12];
    size_t n = 0, len = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n) out[len++] = digits[--n];
    return len;
}

/* 1e-4 <= value < 1e8 with nine digits, as %.9g rounds it; 0 when that is too close to call. */
static size_t put_fraction(char *out, double value)
{
#if LDBL_MANT_DIG >= 64
    long double scaled = value;
    int shift = 0; /* value = scaled / 10^shift, scaled has nine digits before the point */
    for (; scaled < 1e8L; shift++) scaled *= 10;
    uint32_t digits = (uint32_t)scaled;
    long double rest = scaled - (long double)digits;
    /* 13 products err by less than 1e9 * 13 * 2^-64 */
    if (rest > .5L - 1e-8L && rest < .5L + 1e-8L) return 0;
    if (rest > .5L && ++digits == 1000000000) return 0;
    for (; shift && digits % 10 == 0; shift--) digits /= 10;
    char text[12];
    size_t n = put_whole(text, digits), whole = n > (size_t)shift ? n - (size_t)shift : 0, len = 0;
    if (!whole) out[len++] = '0';
    for (size_t i = 0; i < whole; i++) out[len++] = text[i];
    if (shift) out[len++] = '.';
    for (size_t i = n; i < (size_t)shift; i++) out[len++] = '0';
    for (size_t i = whole; i < n; i++) out[len++] = text[i];
    return len;
#else
    (void)out;
    (void)value;
    return 0;
#endif
}

size_t rp_features_number(char *out, double value)
{
    size_t len = 0;
    double size = fabs(value);
    if (value >= 0 && value < 1e9 && value == floor(value) && !signbit(value)) {
        return put_whole(out, (uint32_t)value);
    }
    if (size >= 1e-4 && size < 1e8) {
        if (value < 0) *out = '-';
        len = put_fraction(out + (value < 0), size);
        if (len) return len + (value < 0);
    }
    return (size_t)snprintf(out, NUMBER_CAP, "%.9g", value);
}

static rp_status put_row(rp_text *lines, const rp_columns *columns, const rp_pair *p, size_t row,
                         bool letor, rp_error *err)
{
    rp_status status =
        letor
            ? rp_text_printf(lines, err, "%d qid:%s", p->grade > 0 ? p->grade : 0, p->qid)
            : rp_text_printf(lines, err, "%s\t%s\t%d\t%.9g", p->qid, p->docid, p->grade, p->score);
    for (size_t i = 0, n = 0; i < columns->n && !status; i++) {
        char cell[2 * NUMBER_CAP] = "\t";
        size_t len = 1;
        if (columns->column[i].hidden) continue;
        if (letor) len = (size_t)snprintf(cell, NUMBER_CAP, " %zu:", ++n);
        len += rp_features_number(cell + len, columns->column[i].value[row]);
        status = rp_text_append(lines, cell, len, err);
    }
    if (status) return status;
    return letor ? rp_text_printf(lines, err, " # %s\n", p->docid)
                 : rp_text_append(lines, "\n", 1, err);
}

/* Topics are formatted in parallel and written in order. */
static rp_status write_rows(FILE *file, const rp_columns *columns, const rp_pairs *pairs,
                            const rp_features_options *o, bool letor, rp_error *err)
{
    size_t n = pairs->ntopics;
    int threads = o->threads > 0 ? o->threads : omp_get_max_threads();
    rp_text *lines = rp_alloc(n + 1, sizeof *lines);
    rp_error *errors = rp_alloc(n + 1, sizeof *errors);
    rp_status status = lines && errors ? RP_OK : rp_fail_memory(err, n * sizeof *errors);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t t = 0; t < (status ? 0 : n); t++) {
        rp_status own = RP_OK;
        for (size_t r = pairs->first[t]; r < pairs->first[t + 1] && !own; r++) {
            own = put_row(&lines[t], columns, &pairs->pair[r], r, letor, &errors[t]);
        }
    }
    for (size_t t = 0; t < n && !status; t++) {
        status = errors[t].status;
        if (status && err) *err = errors[t];
        if (!status) fwrite(lines[t].data, 1, lines[t].len, file);
    }
    for (size_t t = 0; lines && t < n; t++) rp_text_release(&lines[t]);
    free(lines);
    free(errors);
    return status;
}

static void write_header(FILE *file, const rp_columns *columns)
{
    fputs("qid\tdocid\tgrade\tscore", file);
    for (size_t i = 0; i < columns->n; i++) {
        if (!columns->column[i].hidden) fprintf(file, "\t%s", columns->column[i].name);
    }
    putc('\n', file);
}

static rp_status write_labels(const rp_columns *columns, const rp_pairs *pairs,
                              const rp_features_origin *origin, rp_error *err)
{
    rp_out out;
    rp_status status = rp_out_open(&out, origin->o->labels, err);
    if (!status) status = write_origin(out.file, origin, err);
    if (!status) {
        fprintf(out.file, "# queries: %zu\n", pairs->ntopics);
        write_meanings(out.file, columns, false);
        status = rp_labels_write(out.file, columns, pairs, err);
    }
    if (!status) status = rp_out_commit(&out, err);
    rp_out_release(&out);
    return status;
}

rp_status rp_features_write(const rp_columns *columns, const rp_pairs *pairs,
                            const rp_features_origin *origin, rp_error *err)
{
    bool letor = !strcmp(origin->o->format, "letor");
    rp_out out;
    rp_status status = rp_out_open(&out, origin->o->output, err);
    if (!status) status = write_origin(out.file, origin, err);
    if (!status) {
        write_meanings(out.file, columns, letor);
        if (!letor) write_header(out.file, columns);
        status = write_rows(out.file, columns, pairs, origin->o, letor, err);
    }
    if (!status) {
        status = rp_out_commit(&out, err);
    }
    rp_out_release(&out);
    if (!status && origin->o->labels) status = write_labels(columns, pairs, origin, err);
    return status;
}
