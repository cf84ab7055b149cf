/* Several files of a kind as one: queries as TSV, runs and qrels as TREC has them. */
#ifndef RP_STUDY_JOIN_H
#define RP_STUDY_JOIN_H

#include "study/config.h"

/* A query that two files have with different texts, and a query that is in two runs, are
 * RP_EFORMAT. */
rp_status rp_join_queries(const char *output, const rp_study_list *list, const char *format,
                          const rp_host *host, rp_error *err);
rp_status rp_join_runs(const char *output, const rp_study_list *list, const char *format,
                       rp_error *err);
rp_status rp_join_qrels(const char *output, const rp_study_list *list, const char *format,
                        rp_error *err);

#endif
