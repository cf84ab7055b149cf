/* The golden reranker and its pairs (tools/fixtures/run.py), shared by the tests of run. */
#ifndef RP_TESTS_RUN_FIXTURE_H
#define RP_TESTS_RUN_FIXTURE_H

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/safetensors.h"
#include "run/drive.h"
#include "support/support.h"

enum { PAIRS = 10, MAX_QUERY = 12, MAX_PASSAGE = 40 };

#define GOLDEN "tests/golden/run/"

static inline void golden_inputs(rp_inputs *in)
{
    in->collection = GOLDEN "corpus.jsonl";
    in->queries = GOLDEN "queries.jsonl";
    in->run = GOLDEN "run.trec";
}

static inline rp_template_options golden_template(const char *name)
{
    return (rp_template_options){.name = name, .max_query = MAX_QUERY, .max_passage = MAX_PASSAGE};
}

static inline rp_capture_options golden_capture(const char *store)
{
    rp_capture_options o;

    rp_capture_options_init(&o);
    golden_inputs(&o.in);
    o.model = GOLDEN "model";
    o.template_ = golden_template("rankllama-pair");
    o.store = store;
    o.shard_rows = 3;
    return o;
}

static inline rp_safetensors *golden_numbers(void)
{
    rp_safetensors *st = NULL;
    rp_error err = {0};

    assert_ok(rp_safetensors_open(&st, GOLDEN "expected.safetensors", &err), &err);
    return st;
}

#endif
