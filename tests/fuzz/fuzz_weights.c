/* The bytes as model.safetensors of a small model; what opens is run. */
#include <string.h>

#include "model/model.h"
#include "support/fuzz.h"

static const char config[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 4, \"intermediate_size\": 6, "
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"num_key_value_heads\": 1, "
    "\"vocab_size\": 5}";

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    const size_t start[] = {0, 3, 4};
    const int32_t ids[] = {4, 0, 2, 1};
    rp_batch batch = {2, start, ids, NULL};
    rp_model *model = NULL;
    rp_session *session = NULL;
    float scores[2];
    rp_fuzz_dir_file("config.json", (const uint8_t *)config, strlen(config));
    const char *dir = rp_fuzz_dir_file("model.safetensors", data, n);
    if (rp_model_open(&model, &(rp_model_source){.path = dir}, NULL) == RP_OK &&
        rp_session_new(&session, model, 1 << 20, 1, NULL) == RP_OK)
        rp_session_forward(session, &batch, NULL, rp_model_about(model)->has_score ? scores : NULL,
                           NULL, NULL);
    rp_session_free(session);
    rp_model_free(model);
    return 0;
}
