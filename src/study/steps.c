/* The steps of a study. Each fills the options of a job, writes down all that shapes its output,
 * and leaves it to rp_course_step whether the job runs. Options stay on the stack until it
 * returned.
 */
#include <limits.h>
#include <stdlib.h>

#include "base/io.h"
#include "study/course.h"
#include "study/join.h"
#include "study/rank.h"

#define SET(to, from)                                                                              \
    do {                                                                                           \
        if (from) (to) = (from);                                                                   \
    } while (0)
#define SET_VALUE(to, from)                                                                        \
    do {                                                                                           \
        if (from) (to) = *(from);                                                                  \
    } while (0)
#define TEXT(name, value) (status = status ? status : rp_step_text(&step, name, value, err))
#define NUMBER(name, value)                                                                        \
    (status = status ? status : rp_step_number(&step, name, (double)(value), err))

static const char *joined_format(bool joined, const char *format, const char *after)
{
    return joined ? after : format;
}

/* What a job reads, as the study has it by now. */
static void fill_inputs(rp_inputs *in, const rp_course *s)
{
    const rp_study_data *d = &s->config.keys->data;
    rp_inputs_init(in);
    in->collection = d->collection;
    SET(in->collection_format, d->collection_format);
    in->queries = s->path.queries;
    SET(in->queries_format, joined_format(s->joined_queries, d->queries_format, "tsv"));
    in->run = s->path.run;
    SET(in->run_format, joined_format(s->joined_run || s->searched, d->run_format, "trec"));
    in->qrels = s->path.qrels;
    SET(in->qrels_format, joined_format(s->joined_qrels, d->qrels_format, "trec"));
    SET_VALUE(in->top, d->top);
}

static rp_status describe_inputs(rp_step *to, const rp_inputs *in, rp_error *err)
{
    rp_step step = *to;
    rp_status status = RP_OK;
    step.input[0] = in->collection;
    step.input[1] = in->queries;
    step.input[2] = in->run;
    TEXT("collection_format", in->collection_format);
    TEXT("queries_format", in->queries_format);
    TEXT("run_format", in->run_format);
    NUMBER("top", in->top);
    *to = step;
    return status;
}

/* ---- join ---- */

static rp_status run_join(rp_course *s, const void *options, rp_error *err)
{
    const rp_study_data *d = &s->config.keys->data;
    (void)options;
    rp_status status = rp_path_make_dirs(s->path.data, err);
    if (!status && s->joined_queries)
        status = rp_join_queries(s->path.queries, &d->queries, d->queries_format, &s->host, err);
    if (!status && s->joined_run) status = rp_join_runs(s->path.run, &d->run, d->run_format, err);
    if (!status && s->joined_qrels)
        status = rp_join_qrels(s->path.qrels, &d->qrels, d->qrels_format, err);
    return status;
}

rp_status rp_course_join(rp_course *s, rp_error *err)
{
    const rp_study_data *d = &s->config.keys->data;
    const struct {
        const char *name, *format, *output;
        bool joined;
        const rp_study_list *list;
    } kinds[] = {{"queries", d->queries_format, s->path.queries, s->joined_queries, &d->queries},
                 {"run", d->run_format, s->path.run, s->joined_run, &d->run},
                 {"qrels", d->qrels_format, s->path.qrels, s->joined_qrels, &d->qrels}};
    rp_step step = {.name = "join"};
    rp_status status = RP_OK;
    size_t outputs = 0;
    uint64_t files = 0;
    for (size_t i = 0; !status && i < 3; i++) {
        if (!kinds[i].joined) continue;
        TEXT(kinds[i].name, kinds[i].format);
        step.output[outputs++] = kinds[i].output;
        for (uint32_t k = 0; !status && k < kinds[i].list->n; k++) {
            uint64_t sum;
            char name[40], text[20];
            /* There may be any number of files: their content goes into the options. */
            status = rp_checksum_path(&sum, kinds[i].list->item[k], err);
            snprintf(name, sizeof name, "%s[%u]", kinds[i].name, k);
            snprintf(text, sizeof text, "%016llx", (unsigned long long)sum);
            TEXT(name, text);
            files++;
        }
    }
    if (!status && files) status = rp_course_step(s, &step, run_join, NULL, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- search ---- */

static rp_status run_search(rp_course *s, const void *options, rp_error *err)
{
    return rp_search(options, &s->host, err);
}

rp_status rp_course_search(rp_course *s, rp_error *err)
{
    const rp_study_search *k = &s->config.keys->search;
    rp_step step = {.name = "search", .output = {s->path.bm25}};
    rp_search_options options, *o = &options;
    rp_status status = RP_OK;
    if (!s->searched) return RP_OK;
    rp_search_options_init(o);
    size_t top = o->in.top;
    fill_inputs(&o->in, s);
    o->in.run = o->in.qrels = NULL;
    /* As many as the study looks at, and no fewer than recall is measured at. */
    o->in.top = k->top ? *k->top : o->in.top > top ? o->in.top : top;
    SET(o->analyzer, k->analyzer);
    SET(o->bm25, k->bm25);
    SET_VALUE(o->k1, k->k1);
    SET_VALUE(o->b, k->b);
    o->output = s->path.bm25;
    o->threads = s->options->threads;
    status = describe_inputs(&step, &o->in, err);
    TEXT("analyzer", o->analyzer);
    TEXT("bm25", o->bm25);
    NUMBER("k1", o->k1);
    NUMBER("b", o->b);
    if (!status) status = rp_course_step(s, &step, run_search, o, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- features ---- */

static rp_status run_features(rp_course *s, const void *options, rp_error *err)
{
    return rp_features(options, &s->host, err);
}

/* Which encoder is which: among the inputs they are paths and checksums alone. */
static rp_status describe_encoder(rp_step *step, size_t input, const char *name, const char *dir,
                                  rp_error *err)
{
    char whole[PATH_MAX];
    step->input[input] = dir;
    if (!dir) return RP_OK;
    return rp_step_text(step, name, realpath(dir, whole) ? whole : dir, err);
}

rp_status rp_course_features(rp_course *s, rp_error *err)
{
    const rp_study_features *k = &s->config.keys->features;
    rp_step step = {.name = "features", .output = {s->path.features, s->path.labels}};
    rp_features_options options, *o = &options;
    rp_features_options_init(o);
    fill_inputs(&o->in, s);
    SET(o->select, rp_study_config_join(&s->config, &k->select));
    SET(o->analyzer, k->analyzer);
    SET(o->stats, k->stats);
    SET(o->sim_stats, k->sim_stats);
    SET(o->idf, k->idf);
    SET(o->bm25, k->bm25);
    SET_VALUE(o->k1, k->k1);
    SET_VALUE(o->b, k->b);
    o->bert = k->bert;
    o->t5 = k->t5;
    o->models = s->config.keys->models;
    if (s->config.memory) o->memory = s->config.memory;
    o->derive = (const char *const *)k->derive.item;
    o->nderive = k->derive.n;
    o->output = s->path.features;
    o->labels = s->path.labels;
    o->threads = s->options->threads;
    rp_status status = describe_inputs(&step, &o->in, err);
    step.input[3] = o->in.qrels;
    TEXT("qrels_format", o->in.qrels_format);
    TEXT("select", o->select);
    TEXT("analyzer", o->analyzer);
    TEXT("stats", o->stats);
    TEXT("sim_stats", o->sim_stats);
    TEXT("idf", o->idf);
    TEXT("bm25", o->bm25);
    NUMBER("k1", o->k1);
    NUMBER("b", o->b);
    for (size_t i = 0; i < o->nderive; i++) TEXT("derive", o->derive[i]);
    if (!status) status = describe_encoder(&step, 4, "bert", s->config.bert_dir, err);
    if (!status) status = describe_encoder(&step, 5, "t5", s->config.t5_dir, err);
    if (!status) status = rp_course_step(s, &step, run_features, o, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- capture ---- */

static rp_status run_capture(rp_course *s, const void *options, rp_error *err)
{
    return rp_capture(options, &s->host, err);
}

rp_status rp_course_capture(rp_course *s, rp_error *err)
{
    const rp_study_keys *keys = s->config.keys;
    const rp_study_template *t = &keys->template_;
    const rp_study_capture *k = &keys->capture;
    rp_step step = {.name = "capture", .output = {s->path.store}};
    rp_capture_options options, *o = &options;
    rp_capture_options_init(o);
    fill_inputs(&o->in, s);
    o->in.qrels = NULL;
    o->model = keys->model;
    o->base = keys->base;
    o->models = keys->models;
    SET(o->template_.name, t->name);
    SET(o->template_.custom, t->custom);
    SET_VALUE(o->template_.max_query, t->max_query);
    SET_VALUE(o->template_.max_passage, t->max_passage);
    if (k->views.n) {
        o->views = (const char *const *)k->views.item;
        o->nviews = k->views.n;
    }
    SET(o->dtype, k->dtype);
    SET_VALUE(o->shard_rows, k->shard_rows);
    if (k->score) o->no_score = !*k->score;
    if (s->config.memory) o->memory = s->config.memory;
    o->store = s->path.store;
    o->threads = s->options->threads;
    rp_status status = describe_inputs(&step, &o->in, err);
    step.input[3] = s->config.model_dir;
    step.input[4] = s->config.base_dir;
    TEXT("template", o->template_.name);
    TEXT("custom", o->template_.custom);
    NUMBER("max_query", o->template_.max_query);
    NUMBER("max_passage", o->template_.max_passage);
    for (size_t i = 0; i < o->nviews; i++) TEXT("view", o->views[i]);
    TEXT("dtype", o->dtype);
    NUMBER("shard_rows", o->shard_rows);
    NUMBER("score", !o->no_score);
    if (!status) status = rp_course_step(s, &step, run_capture, o, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- rank ---- */

static rp_status run_rank(rp_course *s, const void *options, rp_error *err)
{
    (void)options;
    return rp_store_rank(s->path.model_run, s->path.store, err);
}

rp_status rp_course_rank(rp_course *s, rp_error *err)
{
    rp_step step = {.name = "rank", .input = {s->path.store}, .output = {s->path.model_run}};
    rp_status status = rp_course_step(s, &step, run_rank, NULL, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- probe ---- */

static rp_status run_probe(rp_course *s, const void *options, rp_error *err)
{
    return rp_probe(options, &s->host, err);
}

/* The files beside probes.tsv that are asked for. */
static void fill_files(rp_probe_options *o, rp_step *step, const rp_course *s)
{
    const rp_study_probe *k = &s->config.keys->probe;
    const struct {
        const bool *asked;
        const char **to, *path;
    } files[] = {{k->units, &o->units, s->path.units},
                 {k->differences, &o->differences, s->path.differences},
                 {k->ksparse, &o->ksparse, s->path.ksparse},
                 {k->predictions, &o->predictions, s->path.predictions},
                 {k->coefficients, &o->coefficients, s->path.coefficients}};
    size_t n = 1; /* after probes.tsv */
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i].asked && *files[i].asked) step->output[n++] = *files[i].to = files[i].path;
}

static void fill_probe(rp_probe_options *o, const rp_course *s)
{
    const rp_study_probe *k = &s->config.keys->probe;
    rp_probe_options_init(o);
    o->store = s->path.store;
    o->features = s->path.features;
    SET(o->select, rp_study_config_join(&s->config, &k->select));
    SET(o->views, rp_study_config_join(&s->config, &k->views));
    SET(o->layers, k->layers);
    SET(o->protocols, rp_study_config_join(&s->config, &k->protocols));
    SET(o->method, k->method);
    SET(o->gains, k->gains);
    SET_VALUE(o->penalty, k->penalty);
    SET_VALUE(o->l1_ratio, k->l1_ratio);
    SET_VALUE(o->folds, k->folds);
    SET_VALUE(o->inner, k->inner);
    SET_VALUE(o->bootstrap, k->bootstrap);
    SET_VALUE(o->permutations, k->permutations);
    SET_VALUE(o->stability, k->stability);
    SET_VALUE(o->pfer, k->pfer);
    SET_VALUE(o->controls, k->controls);
    if (k->balance) o->balance = (int)*k->balance;
    SET_VALUE(o->seed, k->seed);
    o->memory = s->config.probe_memory;
    o->transfer = k->transfer;
    o->transfer_features = k->transfer_features;
    o->output = s->path.probes;
    o->threads = s->options->threads;
}

static rp_status describe_probe(rp_step *to, const rp_probe_options *o, rp_error *err)
{
    rp_step step = *to;
    rp_status status = RP_OK;
    TEXT("select", o->select);
    TEXT("views", o->views);
    TEXT("layers", o->layers);
    TEXT("protocols", o->protocols);
    TEXT("method", o->method);
    NUMBER("penalty", o->penalty);
    NUMBER("l1_ratio", o->l1_ratio);
    NUMBER("folds", o->folds);
    NUMBER("inner", o->inner);
    NUMBER("bootstrap", o->bootstrap);
    NUMBER("permutations", o->permutations);
    TEXT("gains", o->gains);
    NUMBER("stability", o->stability);
    NUMBER("pfer", o->pfer);
    NUMBER("controls", o->controls);
    NUMBER("balance", o->balance);
    NUMBER("seed", o->seed);
    *to = step;
    return status;
}

rp_status rp_course_probe(rp_course *s, rp_error *err)
{
    rp_step step = {
        .name = "probe", .input = {s->path.store, s->path.features}, .output = {s->path.probes}};
    rp_probe_options options;
    fill_probe(&options, s);
    fill_files(&options, &step, s);
    step.input[2] = options.transfer;
    step.input[3] = options.transfer_features;
    rp_status status = describe_probe(&step, &options, err);
    if (!status) status = rp_course_step(s, &step, run_probe, &options, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- eval ---- */

static rp_status run_eval(rp_course *s, const void *options, rp_error *err)
{
    return rp_eval(options, &s->host, err);
}

rp_status rp_course_eval(rp_course *s, rp_error *err)
{
    const rp_study_evaluate *k = &s->config.keys->evaluate;
    const bool *scored = s->config.keys->capture.score;
    const char *runs[] = {s->path.run, s->path.model_run};
    rp_step step = {.name = "eval", .output = {s->path.eval}};
    rp_eval_options options, *o = &options;
    rp_inputs in;
    if (!s->path.qrels) return RP_OK;
    fill_inputs(&in, s);
    rp_eval_options_init(o);
    o->qrels = in.qrels;
    SET(o->qrels_format, in.qrels_format);
    o->runs = runs;
    o->nruns = scored && !*scored ? 1 : 2;
    SET(o->measures, rp_study_config_join(&s->config, &k->measures));
    if (k->relevance) o->relevance = (int)*k->relevance;
    o->output = s->path.eval;
    rp_status status = RP_OK;
    step.input[0] = o->qrels;
    for (size_t i = 0; i < o->nruns; i++) step.input[1 + i] = runs[i];
    TEXT("qrels_format", o->qrels_format);
    TEXT("measures", o->measures);
    NUMBER("relevance", o->relevance);
    if (!status) status = rp_course_step(s, &step, run_eval, o, err);
    rp_text_release(&step.options);
    return status;
}

/* ---- report ---- */

static rp_status run_report(rp_course *s, const void *options, rp_error *err)
{
    return rp_report(options, &s->host, err);
}

rp_status rp_course_report(rp_course *s, rp_error *err)
{
    rp_step step = {.name = "report", .output = {s->path.page, s->path.summary, s->path.verdicts}};
    rp_report_options options, *o = &options;
    rp_report_options_init(o);
    SET(o->title, s->config.keys->title);
    o->probes = s->path.probes;
    o->labels = s->path.labels;
    o->eval = s->path.qrels ? s->path.eval : NULL;
    o->store = s->path.store;
    o->output = s->config.keys->output;
    rp_status status = RP_OK;
    step.input[0] = o->probes;
    step.input[1] = o->labels;
    step.input[2] = o->eval;
    step.input[3] = o->store;
    TEXT("title", o->title);
    if (!status) status = rp_course_step(s, &step, run_report, o, err);
    rp_text_release(&step.options);
    return status;
}
