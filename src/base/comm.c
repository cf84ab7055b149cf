#include "base/comm.h"

#include <stdlib.h>

#include "base/number.h"

#ifdef RP_MPI
#include <mpi.h>
#endif

static rp_comm world = {0, 1};

const rp_comm *rp_comm_world(void)
{
    return &world;
}

/* Processes that the launcher started, as its environment says: 1: none; 0: some, perhaps. */
static size_t launched(void)
{
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    size_t n;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *text = getenv(sizes[i]);
        if (text && rp_number_size(text, &n) && n) return n;
    }
    return getenv("PMIX_RANK") || getenv("PMI_RANK") ? 0 : 1;
}

#ifdef RP_MPI

enum { CHUNK = 1 << 30 }; /* MPI counts in int */

static rp_status check(int code, rp_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    if (code == MPI_SUCCESS) return RP_OK;
    MPI_Error_string(code, text, &n);
    return rp_fail(err, RP_EIO, "mpi: %.300s", text);
}

rp_status rp_comm_init(rp_error *err)
{
    size_t n = launched();
    int ready, level;
    if (n == 1) return RP_OK;
    rp_status status = check(MPI_Initialized(&ready), err);
    if (!status && !ready)
        status = check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), err);
    if (status) return status;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    status = check(MPI_Comm_rank(MPI_COMM_WORLD, &world.rank), err);
    if (!status) status = check(MPI_Comm_size(MPI_COMM_WORLD, &world.size), err);
    if (!status && n > 1 && world.size == 1)
        return rp_fail(err, RP_EARG,
                       "%zu processes were started, but by another MPI than this program's", n);
    return status;
}

void rp_comm_finalise(void)
{
    int ready = 0, over = 0;
    MPI_Initialized(&ready);
    MPI_Finalized(&over);
    if (ready && !over) MPI_Finalize();
    world = (rp_comm){0, 1};
}

rp_status rp_comm_barrier(rp_error *err)
{
    return world.size == 1 ? RP_OK : check(MPI_Barrier(MPI_COMM_WORLD), err);
}

rp_status rp_comm_agree(rp_status status, rp_error *err)
{
    rp_error error = {.status = status};
    int mine = status ? world.rank : world.size, first;
    if (world.size == 1) return status;
    if (status && err) error = *err;
    rp_status s = check(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD), err);
    if (s || first == world.size) return s;
    s = check(MPI_Bcast(&error, sizeof error, MPI_BYTE, first, MPI_COMM_WORLD), err);
    return s ? s : rp_fail(err, error.status, "%s", error.text);
}

rp_status rp_comm_sum(double *v, size_t n, rp_error *err)
{
    size_t most = CHUNK / sizeof *v;
    rp_status status = RP_OK;
    if (world.size == 1) return RP_OK;
    /* Summed by one process, in the order of ranks, then given to all: no two can differ. */
    for (size_t at = 0; at < n && !status; at += most) {
        int m = (int)(n - at < most ? n - at : most);
        const void *from = world.rank ? (const void *)(v + at) : MPI_IN_PLACE;
        status = check(MPI_Reduce(from, v + at, m, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD), err);
    }
    return status ? status : rp_comm_share(v, n * sizeof *v, err);
}

rp_status rp_comm_share(void *bytes, size_t n, rp_error *err)
{
    rp_status status = RP_OK;
    if (world.size == 1) return RP_OK;
    for (size_t at = 0; at < n && !status; at += CHUNK) {
        int m = (int)(n - at < CHUNK ? n - at : CHUNK);
        status = check(MPI_Bcast((char *)bytes + at, m, MPI_BYTE, 0, MPI_COMM_WORLD), err);
    }
    return status;
}

#else

rp_status rp_comm_init(rp_error *err)
{
    size_t n = launched();
    if (n <= 1) return RP_OK;
    return rp_fail(err, RP_EARG,
                   "%zu processes were started, but this program was built without MPI", n);
}

void rp_comm_finalise(void) {}

rp_status rp_comm_barrier(rp_error *err)
{
    (void)err;
    return RP_OK;
}

rp_status rp_comm_agree(rp_status status, rp_error *err)
{
    (void)err;
    return status;
}

rp_status rp_comm_sum(double *v, size_t n, rp_error *err)
{
    (void)v, (void)n, (void)err;
    return RP_OK;
}

rp_status rp_comm_share(void *bytes, size_t n, rp_error *err)
{
    (void)bytes, (void)n, (void)err;
    return RP_OK;
}

#endif
