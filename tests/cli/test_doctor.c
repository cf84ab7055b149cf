/* The command doctor: what it prints, and its exit codes. */
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

#define G "tests/golden/run/"

static void the_report_goes_to_standard_output_and_agreement_is_exit_0(void **state)
{
    char *out = NULL, *err = NULL;

    (void)state;
    assert_int_equal(rp_test_command(&out, &err,
                                     "\"$RANKPROBE\" doctor -q " G "model --reference " G
                                     "reference"),
                     0);
    assert_memory_equal(out, "model              " G "model\n", 19 + strlen(G "model\n"));
    assert_non_null(strstr(out, "\nverdict            agrees\n"));
    assert_string_equal(err, "");
    free(out);
    free(err);
}

static void a_difference_is_exit_1_and_the_whole_report_is_there(void **state)
{
    char *out = NULL, *err = NULL;

    (void)state;
    assert_int_equal(rp_test_command(&out, &err,
                                     "mkdir -p $TMP/dump && cp " G
                                     "reference/reference.safetensors $TMP/dump && "
                                     "sed s/kettle/kettles/ " G "reference/reference.json > "
                                     "$TMP/dump/reference.json && "
                                     "\"$RANKPROBE\" doctor -q " G "model --reference $TMP/dump"),
                     1);
    assert_non_null(strstr(out, "\nids.0              differ: ids of pair 0 "));
    assert_non_null(strstr(out, "\nresid_post.2 "));
    assert_non_null(strstr(out, "\nverdict            differs: first at ids of pair 0 "));
    assert_non_null(strstr(err, "/dump': first at ids of pair 0 "));
    assert_memory_equal(err, "rankprobe: the model differs from '", 35);
    free(out);
    free(err);
}

static void only_the_chunk_depends_on_the_number_of_threads(void **state)
{
    char *one = NULL, *four = NULL;

    (void)state;
    assert_int_equal(rp_test_command(&one, NULL,
                                     "\"$RANKPROBE\" doctor -q -j 1 " G "encoder --reference " G
                                     "encoder_reference | grep -v ^chunk"),
                     0);
    assert_int_equal(rp_test_command(&four, NULL,
                                     "\"$RANKPROBE\" doctor -q -j 4 " G "encoder --reference " G
                                     "encoder_reference | grep -v ^chunk"),
                     0);
    assert_string_equal(one, four);
    free(one);
    free(four);
}

static void a_sample_pair_may_be_given_and_control_characters_are_not_printed(void **state)
{
    char *out = NULL;

    (void)state;
    assert_int_equal(rp_test_command(&out, NULL,
                                     "\"$RANKPROBE\" doctor -q " G "model --document boils "
                                     "--query \"$(printf 'electric \\033[31mkettle')\""),
                     0);
    assert_non_null(strstr(out, "\nquery              electric ?[31mkettle\n"));
    assert_non_null(strstr(out, "document last  ▁boils\n"));
    assert_null(strchr(out, 0x1b));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_goes_to_standard_output_and_agreement_is_exit_0),
        cmocka_unit_test(a_difference_is_exit_1_and_the_whole_report_is_there),
        cmocka_unit_test(only_the_chunk_depends_on_the_number_of_threads),
        cmocka_unit_test(a_sample_pair_may_be_given_and_control_characters_are_not_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
