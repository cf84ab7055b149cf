/*
 * Who writes what of a store. One process alone holds the whole directory. Several (--shard,
 * mpirun) hold it together, and each claims a shard before it computes it; a claim is a lock on a
 * file of its own, which the system takes from a process that dies, so that the others go on with
 * the shard. Whoever finds that all shards are there finishes the store. All locks are flock's; a
 * file system without them keeps nobody from writing.
 */
#ifndef RP_STORE_CLAIM_H
#define RP_STORE_CLAIM_H

#include "store/layout.h"

#define RP_STORE_LOCK "store.lock" /* who holds the directory; empty while several do */

typedef struct rp_claim {
    const char *dir; /* borrowed */
    int held, gate;  /* the directory; store.lock, where several write */
    int shard;       /* a claimed shard's file */
    bool shared;
} rp_claim;

/* Makes the directory and holds it. RP_EIO: another process does, named as it named itself. */
rp_status rp_claim_open(rp_claim *claim, const char *dir, bool shared, rp_error *err);
void rp_claim_release(rp_claim *claim);
/* Between the two only one of the processes that share a store looks at it or finishes it. Nothing
 * where one holds it alone. RP_ECANCEL where the host asks so while it waits. */
rp_status rp_claim_enter(rp_claim *claim, const rp_host *host, rp_error *err);
void rp_claim_leave(rp_claim *claim);
/* *mine <- whether nobody else is computing the shard; it is then held until it is let go. After
 * rp_claim_enter. */
rp_status rp_claim_shard(rp_claim *claim, size_t shard, bool *mine, rp_error *err);
void rp_claim_let_go(rp_claim *claim, size_t shard);

#endif
