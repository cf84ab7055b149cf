#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "support/support.h"

/* Every tag that is opened is closed, in order. Elements that HTML never closes are left out. */
static void assert_well_formed(const char *html)
{
    static const char *const empty[] = {"meta", "input", "br", "!doctype"};
    char stack[256][32];
    size_t depth = 0;
    for (const char *at = html; (at = strchr(at, '<'));) {
        char name[32] = "";
        bool closing = at[1] == '/';
        at += 1 + closing;
        size_t n = strcspn(at, " \t\n>/");
        assert_true(n > 0 && n < sizeof name);
        memcpy(name, at, n);
        const char *end = at;
        for (char quote = 0; *end && (quote || *end != '>'); end++) {
            if (quote && *end == quote)
                quote = 0;
            else if (!quote && (*end == '"' || *end == '\''))
                quote = *end;
        }
        assert_true(*end);
        bool skip = end[-1] == '/';
        for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) skip |= !strcmp(name, empty[i]);
        at = end;
        if (closing) {
            if (!depth || strcmp(stack[depth - 1], name) != 0)
                fail_msg("</%s> closes <%s>: %.60s", name, depth ? stack[depth - 1] : "", at);
            depth--;
        } else if (!skip) {
            assert_true(depth < 256);
            memcpy(stack[depth++], name, sizeof name);
            if (!strcmp(name, "script") || !strcmp(name, "style")) {
                char close[40];
                snprintf(close, sizeof close, "</%s>", name);
                at = strstr(at, close);
                assert_non_null(at);
            }
        }
    }
    assert_int_equal(depth, 0);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' is not there", part);
}

static bool has_gnuplot(void)
{
    if (system("command -v gnuplot >/dev/null 2>&1") == 0) return true;
    print_message("gnuplot is not installed: the figures are not tested\n");
    return false;
}

static char *make_page(const char *probes, const char *labels, const char *eval, const char *name)
{
    rp_report_options o;
    rp_error err = {0};
    char out[512], page[600];
    snprintf(out, sizeof out, "%s", rp_test_path(name));
    rp_report_options_init(&o);
    o.probes = probes;
    o.labels = labels;
    o.eval = eval;
    o.title = "A <study> & more";
    o.output = out;
    assert_ok(rp_report(&o, NULL, &err), &err);
    snprintf(page, sizeof page, "%s/index.html", out);
    return rp_test_read(page, NULL);
}

static void the_page_of_the_golden_tables_is_whole_and_self_contained(void **state)
{
    (void)state;
    if (!has_gnuplot()) skip();
    char *page = make_page("tests/golden/report/probes.tsv", "tests/golden/report/labels.tsv",
                           "tests/golden/report/eval.tsv", "golden");
    assert_well_formed(page);
    assert_null(strstr(page, "http"));
    assert_null(strstr(page, "src="));
    assert_null(strstr(page, "@import"));
    assert_has(page, "<title>A &lt;study&gt; &amp; more</title>");
    assert_has(page, "a&lt;b&amp;&quot;c&#39;"); /* a feature's name is text */
    assert_null(strstr(page, "a<b&"));
    assert_has(page, "5000 query-document pairs of 100 queries, 3 layers");
    assert_has(page, "<span class=\"pill strong\">strong</span>");
    assert_has(page, "<span class=\"pill undefined\">undefined</span>");
    assert_has(page, "0.7439"); /* effectiveness */
    assert_has(page, "Leak detector");
    assert_has(page, "prefers-color-scheme:dark");
    assert_has(page, "0123456789abcdef"); /* checksums */
    free(page);
}

static void the_table_shows_both_protocols_side_by_side(void **state)
{
    (void)state;
    if (!has_gnuplot()) skip();
    char *page = make_page("tests/golden/report/probes.tsv", "tests/golden/report/labels.tsv", NULL,
                           "sides");
    /* control.query_id: .90 in the last layer of the published protocol, -.03 under ours. */
    char *row = strstr(page, "<th scope=\"row\" data-v=\"control.query_id\"");
    assert_non_null(row);
    char *end = strstr(row, "</tr>");
    *end = 0;
    assert_has(row, "<td data-v=\"0.9\">0.90</td><td data-v=\"0.9\">0.90</td><td data-v=\"3\">"
                    "<span class=\"pill strong\">strong</span></td>");
    assert_has(row, "<td data-v=\"-0.03\">\u22120.03 <small>[\u22120.05, \u22120.01]</small></td>");
    assert_has(row, "<span class=\"pill absent\">absent</span>");
    assert_has(row, "<span class=\"pill no\">no</span>");
    free(page);
}

static void a_label_that_repeats_another_is_not_among_the_strongest(void **state)
{
    (void)state;
    if (!has_gnuplot()) skip();
    free(make_page("tests/golden/report/probes.tsv",
                   rp_test_write_text("same.tsv", "label\teta2\tflags\nsim.js\t0.5\t"
                                                  "duplicate-of:mslr.bm25,few-distinct\n"
                                                  "mslr.mean_tf\t0.5\tduplicate-of:mslr.bm\n"),
                   NULL, "repeats"));
    char *summary = rp_test_read(rp_test_path("repeats/summary.txt"), NULL);
    assert_has(summary, "mslr.bm25");
    assert_has(summary, "mslr.mean_tf"); /* there is no mslr.bm */
    assert_null(strstr(summary, "sim.js"));
    free(summary);
}

static void every_figure_is_there_in_three_formats_with_script_and_data(void **state)
{
    (void)state;
    static const char *const names[] = {
        "layers.sound.resid_post.all.mean", "layers.paper-text.resid_post.all.mean",
        "heat.paper-code.resid_post.all.mean", "compare.resid_post.all.mean", "labels"};
    static const char *const kinds[] = {"svg", "pdf", "png", "gp", "tsv"};
    if (!has_gnuplot()) skip();
    free(make_page("tests/golden/report/probes.tsv", "tests/golden/report/labels.tsv", NULL,
                   "figs"));
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++) {
            char path[256];
            size_t n;
            snprintf(path, sizeof path, "figs/figures/%s.%s", names[i], kinds[k]);
            free(rp_test_read(rp_test_path(path), &n));
            assert_true(n > 100);
        }
    char *alone = rp_test_read(rp_test_path("figs/figures/compare.resid_post.all.mean.svg"), NULL);
    char *panel =
        rp_test_read(rp_test_path("figs/figures/compare.resid_post.all.mean.1.svg"), NULL);
    assert_has(alone, "the same, survives"); /* the page has a key of its own */
    assert_null(strstr(panel, "the same, survives"));
    free(alone);
    free(panel);
}

/* A table made of one feature in one layer, by its name. */
static const char *tiny(const char *name, const char *protocol, const char *r2)
{
    char text[1024];
    snprintf(text, sizeof text,
             "feature\tview\tlayer\tprotocol\tn\tqueries\tr2\tr2_within\tr2_within_lo\tr2_within_hi"
             "\teta2\n%s\ta/b c\t3\t%s\t10\t2\t%s\tnan\tnan\tnan\t0.5\n",
             name, protocol, r2);
    return rp_test_write_text("tiny.tsv", text);
}

static void odd_names_one_layer_and_no_numbers_make_a_page_too(void **state)
{
    (void)state;
    static const char *const names[] = {"f",
                                        "'; system 'touch pwned'; '",
                                        "`touch pwned`",
                                        "\\n\"%s%n",
                                        "../../x",
                                        "<script>",
                                        ".",
                                        "\xc3\xa4.\xe2\x82\xac",
                                        "#",
                                        "@x_y^z{"};
    static const char *const r2[] = {"0.5", "nan", "-1e300", "inf", "2"};
    if (!has_gnuplot()) skip();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *page = make_page(tiny(names[i], "sound", r2[i % 5]), NULL, NULL, "odd");
        assert_well_formed(page);
        assert_null(strstr(page, "<script>\""));
        free(page);
        assert_false(rp_path_exists(rp_test_path("odd/figures/pwned")));
    }
}

static void a_protocol_of_another_name_stands_alone(void **state)
{
    (void)state;
    if (!has_gnuplot()) skip();
    free(make_page(tiny("f", "'; system 'touch pwned'; '`x`%s", "0.5"), NULL, NULL, "mine"));
    assert_false(rp_path_exists(rp_test_path("mine/figures/pwned")));
    char *page = make_page(tiny("f", "../mine", "0.5"), NULL, NULL, "mine");
    assert_well_formed(page);
    assert_true(rp_path_exists(rp_test_path("mine/figures/layers..._mine.a_b_c.svg")));
    free(page);
}

static void without_gnuplot_the_error_says_what_is_missing_and_leaves_the_script(void **state)
{
    (void)state;
    rp_report_options o;
    rp_error err = {0};
    char out[512], want[1200];
    char *path = strdup(getenv("PATH"));
    snprintf(out, sizeof out, "%s", rp_test_path("none"));
    rp_report_options_init(&o);
    o.probes = "tests/golden/report/probes.tsv";
    o.output = out;
    setenv("PATH", out, 1);
    rp_status status = rp_report(&o, NULL, &err);
    setenv("PATH", path, 1);
    free(path);
    snprintf(want, sizeof want,
             "gnuplot not found in PATH: it draws the figures (Debian package gnuplot-nox); script "
             "and data are in '%s/figures/compare.resid_post.all.mean.gp'",
             out);
    assert_fails(status, &err, RP_EIO, want);
    assert_true(rp_path_exists(rp_test_path("none/figures/compare.resid_post.all.mean.tsv")));
    assert_false(rp_path_exists(rp_test_path("none/index.html")));
}

static void a_gnuplot_that_fails_is_quoted(void **state)
{
    (void)state;
    rp_report_options o;
    rp_error err = {0};
    char out[512], bin[512];
    char *path = strdup(getenv("PATH"));
    snprintf(out, sizeof out, "%s", rp_test_path("fails"));
    snprintf(bin, sizeof bin, "%s/bin", rp_test_tmpdir());
    assert_ok(rp_path_make_dirs(bin, &err), &err);
    rp_test_write_text("bin/gnuplot", "#!/bin/sh\necho 'line 7: no such terminal' >&2\nexit 1\n");
    char command[600];
    snprintf(command, sizeof command, "chmod +x %s/gnuplot", bin);
    assert_int_equal(system(command), 0);
    rp_report_options_init(&o);
    o.probes = "tests/golden/report/probes.tsv";
    o.output = out;
    char both[2048];
    snprintf(both, sizeof both, "%s:%s", bin, path);
    setenv("PATH", both, 1);
    rp_status status = rp_report(&o, NULL, &err);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(status, RP_EIO);
    assert_has(err.text, "gnuplot failed on '");
    assert_has(err.text, "': line 7: no such terminal");
}

static int stop(void *arg, const char *what, size_t done, size_t total)
{
    (void)what;
    (void)done;
    (void)total;
    ++*(int *)arg;
    return 1;
}

static void a_gnuplot_that_dies_of_the_interruption_is_no_failure_of_its_own(void **state)
{
    (void)state;
    rp_report_options o;
    rp_error err = {0};
    int asked = 0;
    const rp_host host = {.arg = &asked, .progress = stop};
    char *path = strdup(getenv("PATH"));
    rp_report_options_init(&o);
    o.probes = "tests/golden/report/probes.tsv";
    o.output = rp_test_path("died");
    setenv("PATH", o.output, 1); /* the first figure fails before progress is asked */
    rp_status status = rp_report(&o, &host, &err);
    setenv("PATH", path, 1);
    free(path);
    assert_fails(status, &err, RP_ECANCEL, "interrupted");
}

static void a_host_that_asks_to_stop_is_obeyed(void **state)
{
    (void)state;
    int calls = 0;
    rp_host host = {.arg = &calls, .progress = stop};
    rp_report_options o;
    rp_error err = {0};
    char out[512];
    if (!has_gnuplot()) skip();
    snprintf(out, sizeof out, "%s", rp_test_path("stopped"));
    rp_report_options_init(&o);
    o.probes = "tests/golden/report/probes.tsv";
    o.output = out;
    assert_int_equal(rp_report(&o, &host, &err), RP_ECANCEL);
    assert_int_equal(calls, 1);
    assert_false(rp_path_exists(rp_test_path("stopped/index.html")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_of_the_golden_tables_is_whole_and_self_contained),
        cmocka_unit_test(the_table_shows_both_protocols_side_by_side),
        cmocka_unit_test(a_label_that_repeats_another_is_not_among_the_strongest),
        cmocka_unit_test(every_figure_is_there_in_three_formats_with_script_and_data),
        cmocka_unit_test(odd_names_one_layer_and_no_numbers_make_a_page_too),
        cmocka_unit_test(a_protocol_of_another_name_stands_alone),
        cmocka_unit_test(without_gnuplot_the_error_says_what_is_missing_and_leaves_the_script),
        cmocka_unit_test(a_gnuplot_that_fails_is_quoted),
        cmocka_unit_test(a_gnuplot_that_dies_of_the_interruption_is_no_failure_of_its_own),
        cmocka_unit_test(a_host_that_asks_to_stop_is_obeyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
