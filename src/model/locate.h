/*
 * Where a model is: a directory, or a name as Hugging Face gives it ("org/name"), looked for in a
 * directory of models and in the Hugging Face cache. Nothing is downloaded.
 */
#ifndef RP_MODEL_LOCATE_H
#define RP_MODEL_LOCATE_H

#include "base/error.h"

/*
 * *dir <- the directory of the model `name`; free(). The first that is a directory of
 *
 *     name
 *     models/org/name, models/org--name, models/name      (models may be NULL)
 *     models/models--org--name/ and the cache's: the snapshot that refs/main names, without it the
 *     only one
 *
 * The cache is $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
 * ~/.cache/huggingface/hub. A path of another machine, as adapters remember their base model, is
 * looked for by its last part ("/home/x/llama-7b": models/llama-7b), or, when it leads into a cache
 * (".../models--org--name/snapshots/..."), as models/org--name and in the caches.
 *
 * RP_EIO says where was looked; RP_EFORMAT: a cache in which no snapshot can be told.
 */
rp_status rp_model_locate(char **dir, const char *name, const char *models, rp_error *err);

#endif
