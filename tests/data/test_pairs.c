#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "support/support.h"

static rp_inputs inputs(void)
{
    rp_inputs in;
    rp_inputs_init(&in);
    in.collection =
        rp_test_write_text("c", "{\"_id\": \"a\", \"title\": \"A\", \"text\": \"alpha\"}\n"
                                "{\"_id\": \"b\", \"title\": \"\", \"text\": \"beta\"}\n"
                                "{\"_id\": \"unused\", \"title\": \"\", \"text\": \"gamma\"}\n");
    in.queries = rp_test_write_text("q", "1\tfirst\n2\tsecond\n3\tthird\n");
    in.run = rp_test_write_text("r", "2 Q0 a 1 5 t\n2 Q0 b 2 4 t\n1 Q0 b 1 9 t\n");
    return in;
}

static void a_run_meets_its_texts_and_grades(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_inputs in = inputs();
    rp_pairs p;
    in.qrels = rp_test_write_text("g", "2 0 b 3\n");
    assert_ok(rp_pairs_load(&p, &in, NULL, &err), &err);
    assert_int_equal(p.n, 3);
    assert_int_equal(p.ntopics, 2);
    assert_int_equal(p.first[1], 2);
    assert_int_equal(p.first[2], 3);
    assert_string_equal(p.pair[0].query, "second");
    assert_string_equal(p.pair[0].title, "A");
    assert_string_equal(p.pair[0].text, "alpha");
    assert_int_equal(p.pair[0].grade, -1);
    assert_string_equal(p.pair[1].docid, "b");
    assert_int_equal(p.pair[1].grade, 3);
    assert_string_equal(p.pair[2].qid, "1");
    assert_string_equal(p.pair[2].text, "beta");
    assert_int_equal(p.pair[2].topic, 1);
    assert_true(p.pair[2].score == 9);
    rp_pairs_release(&p);
    rp_pairs_release(&p);
}

static void top_keeps_the_first_candidates_of_each_query(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_inputs in = inputs();
    rp_pairs p;
    in.top = 1;
    assert_ok(rp_pairs_load(&p, &in, NULL, &err), &err);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.pair[0].docid, "a");
    assert_string_equal(p.pair[1].docid, "b");
    rp_pairs_release(&p);
}

static void a_top1000_run_brings_its_own_texts(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_inputs in;
    rp_pairs p;
    rp_inputs_init(&in);
    in.run =
        rp_test_write_text("r", "1\td9\tfirst\tnine\n2\td9\tsecond\tnine\n1\td1\tfirst\tone\n");
    assert_ok(rp_pairs_load(&p, &in, NULL, &err), &err);
    assert_int_equal(p.n, 3);
    assert_string_equal(p.pair[0].text, "nine");
    assert_string_equal(p.pair[1].text, "one");
    assert_string_equal(p.pair[1].query, "first");
    assert_string_equal(p.pair[2].query, "second");
    rp_pairs_release(&p);
    in.run = rp_test_write_text("r", "1\td9\tfirst\tnine\n2\td9\tsecond\tten\n");
    char text[600];
    snprintf(text, sizeof text, "'%s': document 'd9' (query '2') has two texts", in.run);
    assert_fails(rp_pairs_load(&p, &in, NULL, &err), &err, RP_EFORMAT, text);
}

static void what_is_missing_is_named_with_the_file_that_lacks_it(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_inputs in = inputs();
    rp_pairs p;
    char text[600];
    in.run = rp_test_write_text("r", "9 Q0 a 1 5 t\n");
    snprintf(text, sizeof text, "query '9' of '%s' is not in '%s'", in.run, in.queries);
    assert_fails(rp_pairs_load(&p, &in, NULL, &err), &err, RP_EFORMAT, text);
    in.run = rp_test_write_text("r", "1 Q0 a 1 5 t\n1 Q0 x 2 4 t\n1 Q0 y 3 3 t\n");
    snprintf(text, sizeof text,
             "document 'x' (query '1') of '%s' is not in '%s'; 2 of 3 pairs lack their text",
             in.run, in.collection);
    assert_fails(rp_pairs_load(&p, &in, NULL, &err), &err, RP_EFORMAT, text);
    assert_null(p.owner);
    in.collection = NULL;
    assert_fails(rp_pairs_load(&p, &in, NULL, &err), &err, RP_EARG, "no collection was given");
    in.queries = NULL;
    assert_fails(rp_pairs_load(&p, &in, NULL, &err), &err, RP_EARG, "no queries were given");
    in.run = NULL;
    assert_fails(rp_pairs_load(&p, &in, NULL, &err), &err, RP_EARG, "no run was given");
}

static void joins_the_deep_learning_track(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_inputs in;
    rp_pairs p;
    rp_inputs_init(&in);
    in.run = rp_test_shared("data/msmarco-dl/run.bm25.dl19.trec");
    if (!in.run) skip();
    in.queries = rp_test_shared("data/msmarco-dl/queries.dl19.tsv");
    in.collection = rp_test_shared("data/msmarco-dl/collection.tsv.gz");
    in.qrels = rp_test_shared("data/msmarco-dl/qrels.dl19.txt");
    assert_ok(rp_pairs_load(&p, &in, NULL, &err), &err);
    assert_int_equal(p.n, 4300);
    assert_int_equal(p.ntopics, 43);
    for (size_t i = 0; i < p.n; i++) assert_true(strlen(p.pair[i].text) > 10);
    rp_pairs_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_meets_its_texts_and_grades),
        cmocka_unit_test(top_keeps_the_first_candidates_of_each_query),
        cmocka_unit_test(a_top1000_run_brings_its_own_texts),
        cmocka_unit_test(what_is_missing_is_named_with_the_file_that_lacks_it),
        cmocka_unit_test(joins_the_deep_learning_track),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
