/* What a loaded model is made of, for the files of this module. */
#ifndef RP_MODEL_HANDLE_H
#define RP_MODEL_HANDLE_H

#include "model/config.h"
#include "model/model.h"
#include "model/weights.h"

struct rp_model {
    char *path;          /* of the checkpoint; of an adapter's base model */
    rp_adapter *adapter; /* NULL: none */
    rp_config config;
    rp_weights weights;
    char details[256], lora[128];
    rp_model_info info;
};

#endif
