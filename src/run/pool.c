#include "run/pool.h"

#include <string.h>

#define BLOCK 128 /* columns that are accumulated together, in double */

/* ---- views ---- */

static rp_status unknown_site(const char *name, const char *site, rp_error *err)
{
    char names[128] = "";

    for (int s = 0; s < RP_SITES; s++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", rp_site_name((rp_site)s));
    }
    return rp_fail(err, RP_EARG, "view '%.80s': unknown site '%.40s' (%s)", name, site, names);
}

rp_status rp_view_parse(rp_view *view, const char *name, const rp_model *model, rp_error *err)
{
    char text[64], *tokens, *pool;

    *view = (rp_view){0};
    if (strlen(name) >= sizeof text)
        return rp_fail(err, RP_EARG, "view '%.80s': not site.tokens.pool", name);
    strcpy(text, name);
    tokens = strchr(text, '.');
    if (tokens) *tokens++ = '\0';
    pool = tokens ? strchr(tokens, '.') : NULL;
    if (pool) *pool++ = '\0';
    if (!rp_site_find(text, &view->site)) return unknown_site(name, text, err);
    rp_status status = rp_model_check_site(model, view->site, err);
    if (status != RP_OK) return status;
    view->set = rp_set_find(tokens ? tokens : "all");
    if (view->set == 0)
        return rp_fail(err, RP_EARG,
                       "view '%s': unknown token set '%s' (all, nobos, query, document, last)",
                       name, tokens);
    view->max = pool && strcmp(pool, "max") == 0;
    if (pool && !view->max && strcmp(pool, "mean") != 0)
        return rp_fail(err, RP_EARG, "view '%s': unknown pool '%s' (mean, max)", name, pool);
    snprintf(view->name, sizeof view->name, "%s.%s.%s", rp_site_name(view->site),
             rp_set_name(view->set), view->max ? "max" : "mean");
    view->width = rp_model_site_width(model, view->site);
    view->layer_first = rp_model_site_first(view->site);
    view->layer_last = rp_model_about(model)->layers;
    return RP_OK;
}

/* ---- pooling ---- */

/* out [width] <- mean over the tokens of the set. Each column is summed in double in the order of
 * the tokens, so that the result depends on nothing else. */
static void pool_mean(float *out, const rp_values *x, const uint8_t *set, unsigned bit)
{
    size_t tokens = x->nhead + x->ntail;
    for (size_t c = 0; c < x->width; c += BLOCK) {
        size_t n = x->width - c < BLOCK ? x->width - c : BLOCK, count = 0;
        double sum[BLOCK] = {0};
        for (size_t t = 0; t < tokens; t++) {
            const float *row = rp_values_row(x, t) + c;
            if (!(set[t] & bit)) continue;
            count++;
            for (size_t j = 0; j < n; j++) sum[j] += row[j];
        }
        for (size_t j = 0; j < n; j++) out[c + j] = (float)(sum[j] / (double)count);
    }
}

/* A NaN stays: it is found when the shard is written. */
static void pool_max(float *out, const rp_values *x, const uint8_t *set, unsigned bit)
{
    size_t tokens = x->nhead + x->ntail, width = x->width;
    bool fresh = true;

    for (size_t t = 0; t < tokens; t++) {
        const float *row = rp_values_row(x, t);
        if (!(set[t] & bit)) continue;
        if (fresh) memcpy(out, row, width * sizeof *out);
        for (size_t j = 0; !fresh && j < width; j++)
            out[j] = row[j] > out[j] || row[j] != row[j] ? row[j] : out[j];
        fresh = false;
    }
}

static void see(void *arg, rp_site site, size_t layer, const rp_values *values)
{
    const rp_pool *p = arg;
    size_t sequence = p->first + values->sequence;
    const uint8_t *set = p->sequences->set + p->sequences->start[sequence];

    for (size_t v = 0; v < p->nviews; v++) {
        const rp_view *view = &p->view[v];
        if (view->site != site) continue;
        size_t row = (layer - view->layer_first) * p->rows + sequence;
        (view->max ? pool_max : pool_mean)(p->x[v] + row * view->width, values, set, view->set);
    }
}

rp_observer rp_pool_observer(rp_pool *pool)
{
    rp_observer observer = {.arg = pool, .see = see};

    for (size_t v = 0; v < pool->nviews; v++) observer.sites |= 1u << pool->view[v].site;
    return observer;
}
