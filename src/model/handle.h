/* What a loaded model is made of, for the files of this module. */
#ifndef RP_MODEL_HANDLE_H
#define RP_MODEL_HANDLE_H

#include "model/config.h"
#include "model/model.h"
#include "model/weights.h"

struct rp_model {
    char *path;
    rp_config config;
    rp_weights weights;
    rp_model_info info;
};

#endif
