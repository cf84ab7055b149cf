/* The bytes as model.safetensors of a small model of every naming; what opens is run. */
#include <string.h>

#include "model/model.h"
#include "support/fuzz.h"

#define SHAPE                                                                                      \
    "\"hidden_size\": 4, \"intermediate_size\": 6, \"num_hidden_layers\": 1, "                     \
    "\"num_attention_heads\": 2, \"vocab_size\": 5"

#define T5                                                                                         \
    "{\"model_type\": \"t5\", \"d_model\": 4, \"d_ff\": 6, \"d_kv\": 2, \"num_layers\": 1, "       \
    "\"num_heads\": 2, \"vocab_size\": 5, \"relative_attention_num_buckets\": 4}"

static const char *const configs[] = {
    "{\"model_type\": \"llama\", " SHAPE ", \"num_key_value_heads\": 1}",
    "{\"model_type\": \"gpt_neox\", " SHAPE ", \"rotary_pct\": 1}",
    "{\"model_type\": \"bert\", " SHAPE ", \"max_position_embeddings\": 4}",
    T5,
};

static void run(const char *dir)
{
    const size_t start[] = {0, 3, 4};
    const int32_t ids[] = {4, 0, 2, 1}, segment[] = {0, 1, 1, 0};
    rp_batch batch = {2, start, ids, segment};
    rp_model *model = NULL;
    rp_session *session = NULL;
    float scores[2], embeddings[8];
    if (rp_model_open(&model, &(rp_model_source){.path = dir}, NULL) == RP_OK &&
        rp_session_new(&session, model, &(rp_session_options){.memory = 1 << 20, .threads = 1},
                       NULL) == RP_OK) {
        rp_session_forward(session, &batch, NULL, rp_model_about(model)->has_score ? scores : NULL,
                           NULL, NULL);
        rp_session_embed(session, embeddings, &batch, NULL, NULL);
    }
    rp_session_free(session);
    rp_model_free(model);
}

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        rp_fuzz_dir_file("config.json", (const uint8_t *)configs[i], strlen(configs[i]));
        run(rp_fuzz_dir_file("model.safetensors", data, n));
    }
    return 0;
}
