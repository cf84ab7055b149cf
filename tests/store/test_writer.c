/* Writing a store: stopped anywhere and continued, it ends with the same bytes. */
#include <sys/stat.h>
#include <unistd.h>

#include "store/fixture.h"

static void a_continued_store_has_the_bytes_of_an_undisturbed_one(void **state)
{
    rp_store_plan plan = plan_new(RP_I8);
    char whole[512], pieces[512];

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole"));
    snprintf(pieces, sizeof pieces, "%s", rp_test_path("pieces"));
    write_store(whole, &plan, SHARDS);
    for (size_t i = 0; i < SHARDS; i++) write_store(pieces, &plan, 1);
    assert_same_directories(whole, pieces);
    json_decref(plan.settings);
}

static void left_over_files_of_a_killed_writer_are_deleted(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    char whole[512], killed[512], path[600];

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole2"));
    snprintf(killed, sizeof killed, "%s", rp_test_path("killed"));
    write_store(whole, &plan, SHARDS);
    write_store(killed, &plan, 1);
    static const char *const left[] = {"store.json.12-0.tmp", "rows.tsv.12-3.tmp",
                                       "partial/00001.json.12-1.tmp",
                                       "resid_post.all.mean/00001.safetensors.12-2.tmp"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(path, sizeof path, "%s/%s", killed, left[i]);
        rp_test_write(path, "half", 4);
    }
    write_store(killed, &plan, SHARDS);
    assert_same_directories(whole, killed);
    json_decref(plan.settings);
}

static void a_kill_between_the_store_and_its_parts_is_cleaned_up(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    char whole[512], late[512], path[600];

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole3"));
    snprintf(late, sizeof late, "%s", rp_test_path("late"));
    write_store(whole, &plan, SHARDS);
    write_store(late, &plan, SHARDS);
    snprintf(path, sizeof path, "%s/partial", late);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/partial/00001.json", late);
    rp_test_write(path, "{}", 2);
    snprintf(path, sizeof path, "%s/store.partial.json", late);
    rp_test_write(path, "{}", 2);
    write_store(late, &plan, 0);
    assert_same_directories(whole, late);
    json_decref(plan.settings);
}

static void damaged_shards_and_parts_of_an_unfinished_store_are_computed_again(void **state)
{
    static const char *const damaged[] = {"partial/00001.json",
                                          "mlp_act.last.max/00001.safetensors"};
    rp_store_plan plan = plan_new(RP_F16);
    char whole[512], broken[512], path[600], name[32];

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole4"));
    write_store(whole, &plan, SHARDS);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "broken%zu", i);
        snprintf(broken, sizeof broken, "%s", rp_test_path(name));
        write_store(broken, &plan, 2);
        snprintf(path, sizeof path, "%s/%s", broken, damaged[i]);
        size_t n;
        char *bytes = rp_test_read(path, &n);
        bytes[n / 2] ^= 1;
        rp_test_write(path, bytes, n);
        free(bytes);
        warning[0] = '\0';
        write_store(broken, &plan, SHARDS);
        assert_same_directories(whole, broken);
        if (i == 1) assert_non_null(strstr(warning, "; shard 1 is computed again"));
    }
    json_decref(plan.settings);
}

static void other_settings_are_refused_by_name(void **state)
{
    char dir[512], text[1024];
    rp_store_plan plan = plan_new(RP_F32), other;
    rp_store_writer *w = NULL;
    rp_error err = {0};

    (void)state;
    snprintf(dir, sizeof dir, "%s", rp_test_path("settings"));
    write_store(dir, &plan, 1);
#define REFUSED(file, what)                                                                        \
    snprintf(text, sizeof text, "'%s/%s' was made with other settings: %s", dir, file, what);      \
    assert_fails(rp_store_writer_open(&w, dir, &other, &host, &err), &err, RP_EARG, text);         \
    assert_null(w)
    other = plan;
    other.dtype = RP_I8;
    REFUSED("store.partial.json", "dtype is \"f32\" there, \"i8\" here");
    other = plan;
    other.shard_rows = 5;
    REFUSED("store.partial.json", "shard_rows is 4 there, 5 here");
    other = plan;
    other.score = false;
    REFUSED("store.partial.json", "score is true there, false here");
    other.score = true;
    rows[3].docid = "another";
    REFUSED("store.partial.json",
            "pairs_checksum is \"7f89e8ed8a93f67c\" there, \"c933195597cb6973\" here");
    rows[3].docid = ids[3][1];
    write_store(dir, &plan, SHARDS);
    other.settings = json_deep_copy(plan.settings);
    json_object_set_new(json_object_get(other.settings, "template"), "max_query", json_integer(64));
    REFUSED("store.json", "template.max_query is 32 there, 64 here");
    json_object_del(other.settings, "template");
    REFUSED("store.json",
            "template is {\"name\":\"rankllama-pair\",\"max_query\":32} there, absent "
            "here");
    json_decref(other.settings);
    json_decref(plan.settings);
}

static void an_unfinished_store_of_an_older_format_is_refused_and_left_as_it_is(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    char dir[512], path[600], text[1024];
    json_t *manifest = NULL;
    rp_store_writer *w = NULL;
    rp_error err = {0};

    (void)state;
    snprintf(dir, sizeof dir, "%s", rp_test_path("begun"));
    write_store(dir, &plan, 1);
    snprintf(path, sizeof path, "%s/store.partial.json", dir);
    assert_ok(rp_json_load(&manifest, path, 1 << 20, &err), &err);
    json_object_set_new(manifest, "format_version", json_integer(1));
    assert_ok(rp_json_save(manifest, path, 0, &err), &err);
    json_decref(manifest);
    snprintf(text, sizeof text,
             "'%s' was begun by an older program in format 1, which cannot be continued in format "
             "2: delete the store, or finish it with that program",
             path);
    assert_fails(rp_store_writer_open(&w, dir, &plan, &host, &err), &err, RP_EARG, text);
    assert_null(w);
    snprintf(path, sizeof path, "%s/partial/00000.json", dir);
    assert_true(rp_path_exists(path));
    json_decref(plan.settings);
}

static void another_path_or_command_is_the_same_capture(void **state)
{
    rp_store_plan plan = plan_new(RP_F32), other = plan_new(RP_F32);
    char whole[512], moved[512];

    (void)state;
    snprintf(whole, sizeof whole, "%s", rp_test_path("whole5"));
    snprintf(moved, sizeof moved, "%s", rp_test_path("moved"));
    write_store(whole, &plan, SHARDS);
    write_store(moved, &plan, 1);
    json_object_set_new(json_object_get(other.settings, "model"), "path", json_string("c/d"));
    other.command = "rankprobe capture -j 1";
    write_store(moved, &other, SHARDS);
    assert_same_directories(whole, moved);
    json_decref(plan.settings);
    json_decref(other.settings);
}

static void two_writers_of_one_store_are_refused(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    char dir[512], text[600];
    rp_store_writer *one = NULL, *two = NULL;
    rp_error err = {0};

    (void)state;
    snprintf(dir, sizeof dir, "%s", rp_test_path("twice"));
    snprintf(text, sizeof text, "'%s' is being written by process %ld on ", dir, (long)getpid());
    assert_ok(rp_store_writer_open(&one, dir, &plan, NULL, &err), &err);
    assert_int_equal(rp_store_writer_open(&two, dir, &plan, NULL, &err), RP_EIO);
    assert_memory_equal(err.text, text, strlen(text));
    rp_store_writer_free(one);
    json_decref(plan.settings);
}

static void a_directory_with_other_things_is_left_alone(void **state)
{
    rp_store_plan plan = plan_new(RP_F32);
    char dir[512], path[600], text[600];
    rp_store_writer *w = NULL;
    rp_error err = {0};

    (void)state;
    snprintf(dir, sizeof dir, "%s", rp_test_path("thesis"));
    assert_int_equal(mkdir(dir, 0777), 0);
    snprintf(path, sizeof path, "%s/thesis.tex", dir);
    rp_test_write(path, "x", 1);
    snprintf(text, sizeof text, "'%s' is not empty and holds no activation store", dir);
    assert_fails(rp_store_writer_open(&w, dir, &plan, NULL, &err), &err, RP_EARG, text);
    json_decref(plan.settings);
}

static void a_value_that_cannot_be_kept_names_its_pair(void **state)
{
    rp_store_plan plan = plan_new(RP_F16);
    float a[60] = {0}, b[56] = {0};
    const float *x[VIEWS] = {a, b};
    rp_store_row row[4] = {0};
    rp_store_writer *w = NULL;
    rp_error err = {0};

    (void)state;
    b[28 + 2 * 7 + 3] = 70000;
    assert_ok(rp_store_writer_open(&w, rp_test_path("large"), &plan, NULL, &err), &err);
    assert_fails(rp_store_writer_put(w, 1, &(rp_store_shard){x, row}, &err), &err, RP_ECOMPUTE,
                 "query 'q1' document 'doc6': mlp_act.last.max layer 2 unit 3 is 70000, which f16 "
                 "cannot hold");
    assert_false(rp_store_writer_has(w, 1));
    assert_int_equal(rp_store_writer_finish(w, NULL, &err), RP_EARG);
    rp_store_writer_free(w);
    json_decref(plan.settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_continued_store_has_the_bytes_of_an_undisturbed_one),
        cmocka_unit_test(left_over_files_of_a_killed_writer_are_deleted),
        cmocka_unit_test(a_kill_between_the_store_and_its_parts_is_cleaned_up),
        cmocka_unit_test(damaged_shards_and_parts_of_an_unfinished_store_are_computed_again),
        cmocka_unit_test(other_settings_are_refused_by_name),
        cmocka_unit_test(an_unfinished_store_of_an_older_format_is_refused_and_left_as_it_is),
        cmocka_unit_test(another_path_or_command_is_the_same_capture),
        cmocka_unit_test(two_writers_of_one_store_are_refused),
        cmocka_unit_test(a_directory_with_other_things_is_left_alone),
        cmocka_unit_test(a_value_that_cannot_be_kept_names_its_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
