/* Where the models of a study lie. */
#ifndef RP_STUDY_PLACE_H
#define RP_STUDY_PLACE_H

#include "study/config.h"

/* "name" or "org/name": what is spelled otherwise can only be a path. */
bool rp_study_is_name(const char *text);

/* config->model_dir, base_dir <- the directories of model and base, which is an adapter's own where
 * the study names none; bert_dir, t5_dir <- those of the features' encoders. A model that is not
 * there is an error before any step has run: RP_EFORMAT or RP_EIO with key and line. */
rp_status rp_study_place_models(rp_study_config *config, rp_error *err);

#endif
