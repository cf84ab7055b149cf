/* The keys of study.yaml, as libcyaml wants them. */
#ifndef RP_STUDY_SCHEMA_H
#define RP_STUDY_SCHEMA_H

#include <cyaml/cyaml.h>

#include "base/error.h"

extern const cyaml_schema_value_t rp_study_schema; /* of rp_study_keys */

/* Keys whose value is one of a few words, or a list of such. */
typedef struct rp_study_choice {
    const char *key, *choices; /* "search.analyzer", "standard|english|sklearn" */
} rp_study_choice;
extern const rp_study_choice rp_study_choices[]; /* the last has no key */

#endif
