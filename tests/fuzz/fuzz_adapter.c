/* The bytes as adapter_config.json of a small adapter, or, where they look like a safetensors file,
 * as its tensors; what opens is taken. */
#include <string.h>

#include "model/adapter.h"
#include "support/fuzz.h"

static const char config[] = "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 2, "
                             "\"target_modules\": [\"q_proj\"], \"modules_to_save\": [\"score\"]}";
static const char tensors[] =
    "\xf0\0\0\0\0\0\0\0"
    "{\"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight\":{\"dtype\":\"F32\","
    "\"shape\":[1,2],\"data_offsets\":[0,8]},"
    "\"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight\":{\"dtype\":\"F32\","
    "\"shape\":[2,1],\"data_offsets\":[8,16]}}      "
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const char *const modules[] = {"layers.0.self_attn.q_proj", "layers.11.mlp.up_proj", ""};
    rp_error err;
    rp_adapter *adapter;
    rp_lora lora;
    bool second = n > 8 && data[8] == '{' && data[0] != '{';
    const void *text = second ? (const void *)config : data;
    const void *file = second ? (const void *)data : tensors;
    rp_fuzz_dir_file("adapter_config.json", text, second ? sizeof config - 1 : n);
    const char *dir =
        rp_fuzz_dir_file("adapter_model.safetensors", file, second ? n : sizeof tensors - 1);
    if (rp_adapter_open(&adapter, dir, &err) == RP_OK) {
        for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
            rp_adapter_take(adapter, &lora, "model.", modules[i], 2, 2, &err);
        rp_adapter_saved(adapter, "model.", "score.weight", NULL);
        rp_adapter_check(adapter, &err);
    }
    rp_adapter_free(adapter);
    return 0;
}
