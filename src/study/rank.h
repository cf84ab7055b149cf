/* The scores in an activation store as a TREC run. */
#ifndef RP_STUDY_RANK_H
#define RP_STUDY_RANK_H

#include "base/error.h"

/* Queries in the store's order, documents in trec_eval's. */
rp_status rp_store_rank(const char *run, const char *store, rp_error *err);

#endif
