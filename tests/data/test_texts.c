#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "support/support.h"

typedef struct heard {
    char text[1024];
} heard;

static void hear(void *arg, const char *text)
{
    heard *h = arg;
    size_t used = strlen(h->text);
    snprintf(h->text + used, sizeof h->text - used, "%s\n", text);
}

/* "id|title|text;" of every document. */
static rp_status read_all(char *out, size_t cap, const char *path, const char *format,
                          const rp_host *host, rp_error *err)
{
    rp_collection *c;
    out[0] = '\0';
    rp_status s = rp_collection_open(&c, path, format, err);
    while (!s) {
        rp_doc d;
        bool end;
        s = rp_collection_next(c, &d, &end, err);
        if (s || end) break;
        assert_int_equal(strlen(d.text), d.text_len);
        assert_int_equal(strlen(d.id), d.id_len);
        assert_int_equal(strlen(d.title), d.title_len);
        size_t used = strlen(out);
        snprintf(out + used, cap - used, "%s|%s|%s;", d.id, d.title, d.text);
    }
    if (!s) rp_collection_warn(c, host);
    rp_collection_free(c);
    return s;
}

static void gives(const char *content, const char *format, const char *want)
{
    char got[1024];
    rp_error err = {0};
    assert_ok(read_all(got, sizeof got, rp_test_write_text("c", content), format, NULL, &err),
              &err);
    assert_string_equal(got, want);
}

static void refuses(const char *content, const char *format, const char *message)
{
    char got[1024], text[600];
    rp_error err = {0};
    const char *path = rp_test_write_text("c", content);
    snprintf(text, sizeof text, "'%s'%s", path, message);
    assert_fails(read_all(got, sizeof got, path, format, NULL, &err), &err, RP_EFORMAT, text);
}

static void recognises_the_three_collections(void **state)
{
    (void)state;
    gives("1\tone\n2\ttwo\ttabs\n3\t\n", "auto", "1||one;2||two\ttabs;3||;");
    gives("\xef\xbb\xbf"
          "1\tone\r\n2\ttwo\r\n\r\n\n",
          NULL, "1||one;2||two;");
    gives("{\"_id\": \"a\", \"title\": \"T\", \"text\": \"x\\u00e9\", \"metadata\": {}}\n"
          "{\"_id\": 7, \"text\": \"y\"}\n",
          "auto", "a|T|x\xc3\xa9;7||y;");
    gives("{\"docid\": \"a\", \"title\": null, \"text\": \"x\"}\n", "auto", "a||x;");
    gives("{\"docid\": \"a\", \"text\": \"x\"}\n", "tevatron", "a||x;");
}

static void a_bad_document_is_refused_with_its_line(void **state)
{
    (void)state;
    refuses("", "auto", ": is empty");
    refuses("no tab\n", "auto", " line 1: not a collection: neither 'id<TAB>text' nor JSON");
    refuses("1\tone\nbroken\n", "auto", " line 2: no tab between id and text: 'broken'");
    refuses("1\tone\n\n2\ttwo\n", "auto", " line 2: blank line");
    refuses("\tone\n", "auto", " line 1: empty document id");
    refuses("a b\tone\n", "auto", " line 1: document id holds a blank: 'a b'");
    refuses("{\"id\": 1}\n", "auto", " line 1: neither '_id' (BEIR) nor 'docid' (Tevatron)");
    refuses("{\"_id\": \"a\"}\n", "auto", " line 1: no 'text'");
    refuses("{\"_id\": \"a\", \"text\": 5}\n", "auto", " line 1: 'text' is not a string");
    refuses("{\"_id\": [], \"text\": \"\"}\n", "auto", " line 1: '_id' is not a string");
    refuses("{\"_id\": \"a\", \"text\": \"\"}\n[1]\n", "auto", " line 2: not a JSON object");
    refuses("{\"_id\": \"a\", \"text\": \"\"}\n{\"_id\"\n", "auto",
            " line 2: bad JSON: ':' expected near end of file");
}

static void a_repeated_document_is_ignored_only_with_the_same_text(void **state)
{
    (void)state;
    char got[1024];
    heard h = {""};
    const rp_host host = {.arg = &h, .warn = hear};
    rp_error err = {0};
    const char *path = rp_test_write_text("c", "1\tone\n2\ttwo\n1\tone\n");
    assert_ok(read_all(got, sizeof got, path, "auto", &host, &err), &err);
    assert_string_equal(got, "1||one;2||two;");
    assert_non_null(strstr(h.text, "ignored 1 repeated document\n"));
    refuses("1\tone\n1\tother\n", "auto", " line 2: document '1' again, with another text");
}

static void an_unknown_format_is_refused_by_name(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_collection *c;
    rp_queries *q;
    const char *path = rp_test_write_text("c", "1\tone\n");
    assert_fails(rp_collection_open(&c, path, "csv", &err), &err, RP_EARG,
                 "unknown collection format 'csv': it is one of auto, tsv, beir, tevatron");
    assert_fails(rp_queries_load(&q, path, "csv", NULL, &err), &err, RP_EARG,
                 "unknown queries format 'csv': it is one of auto, tsv, beir");
}

static void reads_queries_of_both_kinds(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_queries *q;
    heard h = {""};
    const rp_host host = {.arg = &h, .warn = hear};
    const char *path = rp_test_write_text("q", "7\twhat is x\n8\t \n7\twhat is x\n");
    assert_ok(rp_queries_load(&q, path, "auto", &host, &err), &err);
    assert_int_equal(rp_queries_count(q), 2);
    assert_string_equal(rp_queries_text(q, rp_queries_find(q, "7")), "what is x");
    assert_true(rp_queries_find(q, "9") == SIZE_MAX);
    assert_non_null(strstr(h.text, "ignored 1 repeated query"));
    assert_non_null(strstr(h.text, "1 query has no text"));
    rp_queries_free(q);
    path = rp_test_write_text("q", "{\"_id\": \"a2\", \"text\": \"How?\"}\n");
    assert_ok(rp_queries_load(&q, path, "auto", NULL, &err), &err);
    assert_string_equal(rp_queries_id(q, 0), "a2");
    assert_string_equal(rp_queries_text(q, 0), "How?");
    rp_queries_free(q);
}

static void bad_queries(const char *content, const char *message)
{
    rp_error err = {0};
    rp_queries *q;
    char text[600];
    const char *path = rp_test_write_text("q", content);
    snprintf(text, sizeof text, "'%s'%s", path, message);
    assert_fails(rp_queries_load(&q, path, "auto", NULL, &err), &err, RP_EFORMAT, text);
    assert_null(q);
}

static void a_bad_query_is_refused_with_its_line(void **state)
{
    (void)state;
    bad_queries("", ": is empty");
    bad_queries("7 what is x\n", " line 1: no tab between id and text: '7 what is x'");
    bad_queries("7\tx\n7\ty\n", " line 2: query '7' again, with another text");
    bad_queries("{\"_id\": \"7\"}\n", " line 1: no 'text'");
    bad_queries("{\"text\": \"7\"}\n", " line 1: no '_id'");
}

static void a_beir_directory_is_enough(void **state)
{
    (void)state;
    rp_error err = {0};
    rp_queries *q;
    rp_qrels *r;
    char got[256];
    int grade;
    assert_int_equal(rp_test_command(NULL, NULL, "mkdir -p $TMP/beir/qrels"), 0);
    rp_test_write_text("beir/corpus.jsonl", "{\"_id\": \"d\", \"title\": \"\", \"text\": \"t\"}\n");
    rp_test_write_text("beir/queries.jsonl", "{\"_id\": \"q\", \"text\": \"t\"}\n");
    rp_test_write_text("beir/qrels/dev.tsv", "query-id\tcorpus-id\tscore\nq\td\t2\n");
    const char *dir = rp_test_path("beir");
    assert_ok(read_all(got, sizeof got, dir, "auto", NULL, &err), &err);
    assert_string_equal(got, "d||t;");
    assert_ok(rp_queries_load(&q, dir, "auto", NULL, &err), &err);
    rp_queries_free(q);
    assert_ok(rp_qrels_load(&r, dir, "auto", &err), &err); /* the only one */
    assert_true(rp_qrels_grade(r, "q", "d", &grade) && grade == 2);
    rp_qrels_free(r);
    rp_test_write_text("beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\td\t1\n");
    assert_ok(rp_qrels_load(&r, dir, "auto", &err), &err); /* test.tsv goes first */
    assert_true(rp_qrels_grade(r, "q", "d", &grade) && grade == 1);
    rp_qrels_free(r);
    char text[600];
    const char *empty = rp_test_path("beir/qrels");
    snprintf(text, sizeof text, "'%s': the directory has no queries.jsonl", empty);
    assert_fails(rp_queries_load(&q, empty, "auto", NULL, &err), &err, RP_EIO, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recognises_the_three_collections),
        cmocka_unit_test(a_bad_document_is_refused_with_its_line),
        cmocka_unit_test(a_repeated_document_is_ignored_only_with_the_same_text),
        cmocka_unit_test(an_unknown_format_is_refused_by_name),
        cmocka_unit_test(reads_queries_of_both_kinds),
        cmocka_unit_test(a_bad_query_is_refused_with_its_line),
        cmocka_unit_test(a_beir_directory_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
