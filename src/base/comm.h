/*
 * Processes of one job, started together by mpirun or srun. The one thing to know: without such a
 * launcher there is one process, every call below returns at once, and MPI is never touched. All
 * but _world are collective: every process calls them, in the same order.
 */
#ifndef RP_BASE_COMM_H
#define RP_BASE_COMM_H

#include "base/error.h"

typedef struct rp_comm {
    int rank, size; /* 0 <= rank < size */
} rp_comm;

/* Joins the processes that the launcher's environment speaks of. RP_EARG where there are several,
 * but this program was built without MPI, or by another one than the launcher's. */
rp_status rp_comm_init(rp_error *err);
void rp_comm_finalise(void);
const rp_comm *rp_comm_world(void); /* { 0, 1 } before init */

rp_status rp_comm_barrier(rp_error *err);
/* The status of the first process that failed, with its error, for all; RP_OK when none did. */
rp_status rp_comm_agree(rp_status status, rp_error *err);
/* v [n] <- the sum over processes, the same bits in each. */
rp_status rp_comm_sum(double *v, size_t n, rp_error *err);
/* bytes [n] <- those of process 0. */
rp_status rp_comm_share(void *bytes, size_t n, rp_error *err);

#endif
