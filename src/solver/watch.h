/* How a solver tells that it goes on, and learns that it should stop. */
#ifndef RP_SOLVER_WATCH_H
#define RP_SOLVER_WATCH_H

#include "base/error.h"

/* `done` of `total` pieces of this solver's work; any other status than RP_OK stops it. Called from
 * the thread that called the solver, now and then. */
typedef struct rp_watch {
    void *arg;
    rp_status (*tick)(void *arg, double done, double total, rp_error *err);
} rp_watch;

#endif
