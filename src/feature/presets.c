/*
 * Definitions that go by a name. paper-groups are the groups of "Probing Ranking LLMs", section on
 * combinations: QTR (covered_qt_ratio), STF (mean_tfl) and VTFIDF (var_tfidf), summed and
 * multiplied, and the sum's square and cube; raw as published, and standardised first so that the
 * small terms count.
 */
#include <string.h>

#include "feature/expression.h"

#define QTR(family, f) f(family ".covered_qt_ratio")
#define STF(family, f) f(family ".mean_tfl")
#define VTF(family, f) f(family ".var_tfidf")
#define RAW(x) x
#define Z(x) "z(" x ")"

/* clang-format off */
#define GROUPS(to, m, f)                                                                           \
    to "sum.qtr_stf = " QTR(m, f) " + " STF(m, f),                                                 \
    to "sum.qtr_vtfidf = " QTR(m, f) " + " VTF(m, f),                                              \
    to "sum.stf_vtfidf = " STF(m, f) " + " VTF(m, f),                                              \
    to "sum.qtr_stf_vtfidf = " QTR(m, f) " + " STF(m, f) " + " VTF(m, f),                          \
    to "product.qtr_stf = " QTR(m, f) " * " STF(m, f),                                             \
    to "product.qtr_vtfidf = " QTR(m, f) " * " VTF(m, f),                                          \
    to "product.stf_vtfidf = " STF(m, f) " * " VTF(m, f),                                          \
    to "product.qtr_stf_vtfidf = " QTR(m, f) " * " STF(m, f) " * " VTF(m, f),                      \
    to "square.qtr_stf_vtfidf = (" QTR(m, f) " + " STF(m, f) " + " VTF(m, f) ")^2",                \
    to "cube.qtr_stf_vtfidf = (" QTR(m, f) " + " STF(m, f) " + " VTF(m, f) ")^3"
/* clang-format on */

static const char *const paper_groups[] = {GROUPS("group.", "mslr", RAW),
                                           GROUPS("group.z.", "mslr", Z), NULL};
static const char *const paper_groups_published[] = {GROUPS("paper.group.", "paper", RAW),
                                                     GROUPS("paper.group.z.", "paper", Z), NULL};

const char *const *rp_expression_preset(const char *name)
{
    if (!strcmp(name, "paper-groups")) return paper_groups;
    if (!strcmp(name, "paper-groups-published")) return paper_groups_published;
    return NULL;
}
