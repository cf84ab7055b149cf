/* Alone, and as three processes of mpirun: the test runs itself with the argument `process`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/comm.h"
#include "support/support.h"

static void one_process_needs_no_launcher(void **state)
{
    (void)state;
    rp_error err = {0};
    double v[2] = {1, 2};
    assert_ok(rp_comm_init(&err), &err);
    assert_int_equal(rp_comm_world()->rank, 0);
    assert_int_equal(rp_comm_world()->size, 1);
    assert_ok(rp_comm_barrier(&err), &err);
    assert_ok(rp_comm_sum(v, 2, &err), &err);
    assert_true(v[0] == 1 && v[1] == 2);
    assert_ok(rp_comm_share(v, sizeof v, &err), &err);
    rp_fail(&err, RP_EIO, "mine");
    assert_fails(rp_comm_agree(RP_EIO, &err), &err, RP_EIO, "mine");
    rp_comm_finalise();
}

static void a_launcher_of_another_mpi_is_noticed(void **state)
{
    (void)state;
    char *err;
    int code = rp_test_command(
        NULL, &err, "ASAN_OPTIONS=detect_leaks=0 PMI_RANK=1 PMI_SIZE=4 $RANKPROBE probe a b");
    /* without MPI: "... built without MPI"; with one: "... by another MPI than this program's" */
    assert_int_equal(code, 2);
    assert_non_null(strstr(err, "rankprobe: 4 processes were started, but "));
    free(err);
}

static void processes_sum_share_and_fail_together(void **state)
{
    (void)state;
    char *out, command[4096], self[2048] = "";
    if (rp_test_command(NULL, NULL, "command -v mpirun >/dev/null")) {
        print_message("skipped: mpirun is not installed\n");
        skip();
    }
#ifndef RP_MPI
    print_message("skipped: built without MPI\n");
    skip();
#endif
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command,
             "env ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 "
             "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n 3 '%s' process | sort",
             self);
    assert_int_equal(rp_test_command(&out, NULL, command), 0);
    assert_string_equal(out, "0 of 3: 6 0.75, zero, 3 second failed\n"
                             "1 of 3: 6 0.75, zero, 3 second failed\n"
                             "2 of 3: 6 0.75, zero, 3 second failed\n");
    free(out);
}

static int process(void)
{
    rp_error err = {0};
    if (rp_comm_init(&err)) return 1;
    const rp_comm *world = rp_comm_world();
    int rank = world->rank;
    double v[2] = {1 + rank, .25};
    char text[8] = "";
    if (!rank) strcpy(text, "zero");
    if (rp_comm_sum(v, 2, &err) || rp_comm_share(text, sizeof text, &err)) return 2;
    if (rp_comm_barrier(&err) || rp_comm_agree(RP_OK, &err)) return 3;
    rp_status mine = rank == 1   ? rp_fail(&err, RP_EFORMAT, "second failed")
                     : rank == 2 ? rp_fail(&err, RP_EIO, "third failed")
                                 : RP_OK;
    rp_status all = rp_comm_agree(mine, &err);
    printf("%d of %d: %g %g, %s, %d %s\n", rank, world->size, v[0], v[1], text, (int)all, err.text);
    rp_comm_finalise();
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_needs_no_launcher),
        cmocka_unit_test(a_launcher_of_another_mpi_is_noticed),
        cmocka_unit_test(processes_sum_share_and_fail_together),
    };
    if (argc == 2 && !strcmp(argv[1], "process")) return process();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
