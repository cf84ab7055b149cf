#include "feature/write.h"

#include <string.h>

#include "base/io.h"
#include "feature/labels.h"

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

static void write_tsv(FILE *file, const rp_columns *columns, const rp_pairs *pairs)
{
    fputs("qid\tdocid\tgrade\tscore", file);
    for (size_t i = 0; i < columns->n; i++) {
        if (!columns->column[i].hidden) fprintf(file, "\t%s", columns->column[i].name);
    }
    putc('\n', file);
    for (size_t r = 0; r < pairs->n; r++) {
        const rp_pair *p = &pairs->pair[r];
        fprintf(file, "%s\t%s\t%d\t%.9g", p->qid, p->docid, p->grade, p->score);
        for (size_t i = 0; i < columns->n; i++) {
            const rp_column *c = &columns->column[i];
            if (!c->hidden) fprintf(file, "\t%.9g", c->value[r]);
        }
        putc('\n', file);
    }
}

static void write_letor(FILE *file, const rp_columns *columns, const rp_pairs *pairs)
{
    for (size_t r = 0; r < pairs->n; r++) {
        const rp_pair *p = &pairs->pair[r];
        fprintf(file, "%d qid:%s", p->grade > 0 ? p->grade : 0, p->qid);
        for (size_t i = 0, n = 0; i < columns->n; i++) {
            const rp_column *c = &columns->column[i];
            if (!c->hidden) fprintf(file, " %zu:%.9g", ++n, c->value[r]);
        }
        fprintf(file, " # %s\n", p->docid);
    }
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
        if (letor) {
            write_letor(out.file, columns, pairs);
        } else {
            write_tsv(out.file, columns, pairs);
        }
        status = rp_out_commit(&out, err);
    }
    rp_out_release(&out);
    if (!status && origin->o->labels) status = write_labels(columns, pairs, origin, err);
    return status;
}
