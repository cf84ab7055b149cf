/*
 * What was understood of a model, for people who doubt it: everything is written that can be found
 * out, and the first thing that is wrong becomes the job's error at the end.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "run/agreement.h"

typedef struct doctor {
    const rp_doctor_options *options;
    const rp_host *host;
    rp_workload work;
    FILE *file;
    rp_error wrong; /* the first thing that is; status RP_OK: nothing */
} doctor;

void rp_doctor_options_init(rp_doctor_options *o)
{
    *o = (rp_doctor_options){.query = "what is a ranking model",
                             .document = "A ranking model orders documents by their relevance to "
                                         "a query.",
                             .output = "-",
                             .memory = (size_t)2 << 30};
    rp_template_options_init(&o->template_);
}

/* A line of the report: what comes from files may hold anything, and a terminal must not obey it.
 */
__attribute__((format(printf, 3, 4))) static void say(const doctor *d, const char *key,
                                                      const char *fmt, ...)
{
    char text[8192];
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0) text[0] = '\0';
    va_end(ap);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
    fprintf(d->file, "%-18s %s\n", key, text);
}

/* Something is wrong: it is said where it was found, and again at the end. */
static void complain(doctor *d, const char *key, const rp_error *err)
{
    say(d, key, "none: %s", err->text);
    if (d->wrong.status == RP_OK) d->wrong = *err;
}

/* ---- the model ---- */

static void say_sites(const doctor *d)
{
    size_t layers = rp_model_about(d->work.model)->layers;

    for (rp_site site = 0; site < RP_SITES; site++) {
        char key[64];
        if (rp_model_check_site(d->work.model, site, NULL) != RP_OK) continue;
        snprintf(key, sizeof key, "site.%s", rp_site_name(site));
        say(d, key, "layers %zu-%zu, width %zu", rp_model_site_first(site), layers,
            rp_model_site_width(d->work.model, site));
    }
}

static void say_model(const doctor *d)
{
    const rp_model_info *m = rp_model_about(d->work.model);

    say(d, "model", "%s", m->path);
    if (m->adapter) say(d, "adapter", "%s", m->adapter);
    if (m->lora) say(d, "lora", "%s", m->lora);
    say(d, "family", "%s", m->family);
    say(d, "details", "%s", m->details);
    say(d, "layers", "%zu", m->layers);
    say(d, "width", "%zu", m->width);
    say(d, "ffn", "%zu", m->ffn);
    say(d, "heads", "%zu", m->heads);
    say(d, "kv_heads", "%zu", m->kv_heads);
    say(d, "head_width", "%zu", m->head_dim);
    say(d, "vocabulary", "%zu", m->vocabulary);
    say(d, "positions", "%zu, by %s", m->max_positions, m->limit_key);
    if (m->segments) say(d, "segments", "%zu", m->segments);
    say(d, "parameters", "%" PRIu64, m->parameters);
    say(d, "dtype", "%s", m->dtype);
    say(d, "fingerprint", "%016" PRIx64, m->fingerprint);
    say(d, "score_head", m->has_score ? "%s" : "none: tensor '%s' is missing", m->score_tensor);
    say_sites(d);
}

static rp_status say_memory(const doctor *d, rp_error *err)
{
    const rp_model_info *m = rp_model_about(d->work.model);
    rp_session *session = NULL;
    rp_status status = rp_session_new(
        &session, d->work.model,
        &(rp_session_options){.memory = d->options->memory, .threads = d->options->threads}, err);

    if (status != RP_OK) return status;
    say(d, "chunk", "%zu tokens in %.4g MiB of activations", rp_session_tokens(session),
        (double)d->options->memory / 0x1p20);
    say(d, "weights", "%.4g MiB as f32, a layer at a time where they do not fit",
        (double)m->parameters * sizeof(float) / 0x1p20);
    rp_session_free(session);
    return RP_OK;
}

/* ---- tokens ---- */

static const char *piece_of(const doctor *d, int32_t id)
{
    const char *piece = rp_tokenizer_piece(d->work.tokenizer, id);
    return piece ? piece : "(no such token)";
}

static void say_tokenizer(const doctor *d)
{
    static const char *const roles[] = {"bos", "eos", "cls", "sep", "unk", "pad", "mask"};

    say(d, "tokenizer", "%s", rp_tokenizer_path(d->work.tokenizer));
    say(d, "tokenizer.size", "%zu", rp_tokenizer_size(d->work.tokenizer));
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        int32_t id = rp_tokenizer_special(d->work.tokenizer, roles[i]);
        char key[32];
        snprintf(key, sizeof key, "special.%s", roles[i]);
        if (id >= 0) say(d, key, "%-6d %s", (int)id, piece_of(d, id));
    }
}

static void say_template(const doctor *d)
{
    json_t *json = rp_template_to_json(d->work.template_);
    const char *custom = json_string_value(json_object_get(json, "custom"));

    say(d, "template", "%s%s%s, at most %zu tokens of query and %zu of document",
        json_string_value(json_object_get(json, "name")), custom ? " " : "", custom ? custom : "",
        d->options->template_.max_query, d->options->template_.max_passage);
    json_decref(json);
}

/* "query", "document last", ...: the sets that tell tokens apart. */
static void name_sets(char *text, size_t cap, unsigned set)
{
    static const unsigned bits[] = {RP_SET_QUERY, RP_SET_DOCUMENT, RP_SET_LAST};
    size_t n = (size_t)snprintf(text, cap, "%s", set & RP_SET_NOBOS ? "" : "bos");

    for (size_t i = 0; i < 3; i++)
        if (set & bits[i])
            n += (size_t)snprintf(text + n, cap - n, "%s%s", n ? " " : "", rp_set_name(bits[i]));
    if (n == 0) snprintf(text, cap, "-");
}

static void say_tokens(const doctor *d, const rp_sequences *s)
{
    say(d, "query", "%s", d->options->query);
    say(d, "document", "%s", d->options->document);
    say(d, "sequence", "%zu tokens: id, segment, sets, piece", s->start[1]);
    for (size_t t = 0; t < s->start[1]; t++) {
        char key[32], sets[64];
        snprintf(key, sizeof key, "token.%zu", t);
        name_sets(sets, sizeof sets, s->set[t]);
        say(d, key, "%-6d %d %-14s %s", (int)s->id[t], (int)s->segment[t], sets,
            piece_of(d, s->id[t]));
    }
}

/* ---- the sample pair through the model ---- */

typedef struct watch {
    size_t first; /* the first place that is not finite: layer * RP_SITES + place in the order */
} watch;

static void see(void *arg, rp_site site, size_t layer, const rp_values *values)
{
    watch *w = arg;
    size_t place = layer * RP_SITES;

    for (size_t k = 0; rp_site_order[k] != site; k++) place++;
    for (size_t t = 0; t < values->nhead + values->ntail; t++) {
        const float *row = rp_values_row(values, t);
        for (size_t i = 0; i < values->width; i++) {
            if (isfinite(row[i])) continue;
#pragma omp critical
            if (place < w->first) w->first = place;
            return;
        }
    }
}

static rp_status run_sample(doctor *d, const rp_sequences *s, rp_error *err)
{
    const rp_model_info *m = rp_model_about(d->work.model);
    watch w = {.first = SIZE_MAX};
    rp_observer observer = {.arg = &w, .see = see};
    rp_drive drive = {.what = "running the sample pair", .total = 1, .host = d->host};
    float score = 0;
    rp_status status = rp_session_new(
        &drive.session, d->work.model,
        &(rp_session_options){.memory = d->options->memory, .threads = d->options->threads}, err);

    for (rp_site site = 0; site < RP_SITES; site++)
        if (rp_model_check_site(d->work.model, site, NULL) == RP_OK) observer.sites |= 1u << site;
    if (status == RP_OK)
        status = rp_drive_forward(&drive, s, &observer, NULL, m->has_score ? &score : NULL, err);
    rp_session_free(drive.session);
    /* A score that is not finite stops the session, after all sites were seen. */
    if (status != RP_OK && status != RP_ECOMPUTE) return status;
    if (m->has_score) say(d, "score", "%.9g", (double)score);
    if (w.first == SIZE_MAX && status == RP_OK) {
        say(d, "activations", "finite at every site of every layer");
        return RP_OK;
    }
    if (w.first != SIZE_MAX)
        rp_fail(err, RP_ECOMPUTE, "'%s': activations are not finite, first at %s.%zu", m->path,
                rp_site_name(rp_site_order[w.first % RP_SITES]), w.first / RP_SITES);
    say(d, "activations", "not finite: %s", err->text);
    if (d->wrong.status == RP_OK) d->wrong = *err;
    return RP_OK;
}

static rp_status examine_sample(doctor *d, rp_error *err)
{
    const rp_pair pair = {.qid = "sample",
                          .docid = "sample",
                          .query = d->options->query,
                          .title = "",
                          .text = d->options->document};
    rp_sequences sequences;
    rp_error why;
    rp_status status =
        rp_sequences_encode(&sequences, d->work.template_, rp_model_about(d->work.model), &pair, 1,
                            RP_SET_ALL, d->options->threads, &why);

    if (status != RP_OK) {
        complain(d, "sequence", &why);
        return RP_OK;
    }
    say_tokens(d, &sequences);
    status = run_sample(d, &sequences, err);
    rp_sequences_release(&sequences);
    return status;
}

/* ---- against a reference ---- */

/* What a pair's own tokens are, beside the dump's; false: they differ, and text says where. */
static bool ids_agree(const doctor *d, const rp_reference *r, size_t pair, const rp_tokens *own,
                      char *text, size_t cap)
{
    const rp_sequences *s = &r->sequences;
    const int32_t *id = s->id + s->start[pair], *segment = s->segment + s->start[pair];
    size_t n = s->start[pair + 1] - s->start[pair], t = 0;
    bool typed = r->has_segments && rp_model_about(d->work.model)->segments > 0;

    while (t < n && t < own->ids.n && own->ids.id[t] == id[t] &&
           (!typed || own->segment.id[t] == segment[t]))
        t++;
    if (t == n && t == own->ids.n) return true;
    if (t == n || t == own->ids.n)
        snprintf(text, cap, "ids of pair %zu: %zu tokens, the reference has %zu", pair, own->ids.n,
                 n);
    else if (own->ids.id[t] != id[t])
        snprintf(text, cap, "ids of pair %zu at token %zu: %d '%s', the reference has %d '%s'",
                 pair, t, (int)own->ids.id[t], piece_of(d, own->ids.id[t]), (int)id[t],
                 piece_of(d, id[t]));
    else
        snprintf(text, cap, "segment of pair %zu at token %zu: %d, the reference has %d", pair, t,
                 (int)own->segment.id[t], (int)segment[t]);
    return false;
}

/* Encodes the texts of the dump, nothing cut. *text stays empty when all tokens agree. */
static rp_status compare_ids(const doctor *d, const rp_reference *r, char *text, size_t cap,
                             rp_error *err)
{
    const rp_template_options options = {
        .name = r->template_, .max_query = SIZE_MAX, .max_passage = SIZE_MAX};
    rp_template *t = NULL;
    rp_tokens tokens = {0};
    rp_error why;
    rp_status status = RP_OK;

    if (rp_template_new(&t, &options, d->work.tokenizer, &why) != RP_OK)
        return rp_fail(err, RP_EFORMAT, "'%s/reference.json': %s", d->options->reference, why.text);
    for (size_t i = 0; status == RP_OK && i < r->sequences.n; i++) {
        char key[32], own[1024];
        snprintf(key, sizeof key, "ids.%zu", i);
        status = rp_template_encode(t, &tokens, &r->pair[i], err);
        if (status != RP_OK) break;
        if (ids_agree(d, r, i, &tokens, own, sizeof own)) {
            say(d, key, "agree, %zu tokens", tokens.ids.n);
            continue;
        }
        say(d, key, "differ: %s", own);
        if (!*text) snprintf(text, cap, "%s", own);
    }
    rp_tokens_release(&tokens);
    rp_template_free(t);
    return status;
}

static rp_status compare(doctor *d, const rp_reference *r, rp_error *err)
{
    const rp_doctor_options *o = d->options;
    rp_agreement agreement;
    char first[1024] = "", later[1024] = "";
    rp_status status = RP_OK;

    say(d, "reference", "%s%s%s", o->reference, r->made_by ? ", by " : "",
        r->made_by ? r->made_by : "");
    if (!r->pair)
        say(d, "ids", "not compared: the dump has no texts");
    else if (!d->work.template_)
        say(d, "ids", "not compared: no tokenizer");
    else
        status = compare_ids(d, r, first, sizeof first, err);
    if (status == RP_OK)
        status =
            rp_agreement_run(&agreement, d->work.model, r, o->memory, o->threads, d->host, err);
    if (status != RP_OK) return status;
    rp_agreement_print(&agreement, d->file);
    bool holds = rp_agreement_holds(&agreement, later, sizeof later) && !*first;
    rp_agreement_release(&agreement);
    if (holds) {
        say(d, "verdict", "agrees");
        return RP_OK;
    }
    rp_error why;
    rp_fail(&why, RP_ECOMPUTE, "the model differs from '%s': first at %s", o->reference,
            *first ? first : later);
    if (d->wrong.status == RP_OK) d->wrong = why;
    say(d, "verdict", "differs: first at %s", *first ? first : later);
    return RP_OK;
}

/* ---- the job ---- */

static rp_status examine(doctor *d, const rp_reference *r, rp_error *err)
{
    rp_error why;
    rp_status status;

    say_model(d);
    status = say_memory(d, err);
    if (status != RP_OK) return status;
    if (rp_workload_open_tokenizer(&d->work, &d->options->template_, &why) != RP_OK) {
        if (why.status == RP_EARG) return rp_fail(err, RP_EARG, "%s", why.text);
        complain(d, d->work.tokenizer ? "template" : "tokenizer", &why);
    } else {
        say_tokenizer(d);
        say_template(d);
        status = examine_sample(d, err);
    }
    return status == RP_OK && d->options->reference ? compare(d, r, err) : status;
}

rp_status rp_doctor(const rp_doctor_options *o, const rp_host *host, rp_error *err)
{
    const rp_model_source source = {o->model, o->base, o->models};
    doctor d = {.options = o, .host = host};
    rp_reference reference = {0};
    rp_out out = {0};
    rp_status status = RP_OK;

    if (!o->model) return rp_fail(err, RP_EARG, "no model is given");
    /* What is wrong with the dump is told before a large model is run. */
    if (o->reference) status = rp_reference_open(&reference, o->reference, err);
    if (status == RP_OK) status = rp_model_open(&d.work.model, &source, err);
    if (status == RP_OK && o->reference) status = rp_reference_check(&reference, d.work.model, err);
    if (status == RP_OK) status = rp_out_open(&out, o->output, err);
    d.file = out.file;
    if (status == RP_OK) status = examine(&d, &reference, err);
    if (status == RP_OK) status = rp_out_commit(&out, err);
    if (status == RP_OK && d.wrong.status != RP_OK)
        status = rp_fail(err, d.wrong.status, "%s", d.wrong.text);
    rp_out_release(&out);
    rp_workload_release(&d.work);
    rp_reference_release(&reference);
    return status;
}
