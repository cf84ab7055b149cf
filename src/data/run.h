/* What a top1000 run carries besides its hits: the texts. Only pairs.c needs them. */
#ifndef RP_DATA_RUN_H
#define RP_DATA_RUN_H

#include "data/data.h"

bool rp_run_has_texts(const rp_run *run);
const char *rp_run_query_text(const rp_run *run, size_t i);
const char *rp_run_passage(const rp_run *run, size_t i, size_t hit);
/* As rp_run_load; keeps the texts of a top1000 run, which are dropped otherwise. */
rp_status rp_run_load_texts(rp_run **run, const char *path, const char *format, rp_error *err);

#endif
