#ifndef RP_MODEL_LOCATE_H
#define RP_MODEL_LOCATE_H
#include "base/error.h"
rp_status rp_model_locate(char **dir, const char *name, const char *models, rp_error *err);
#endif
