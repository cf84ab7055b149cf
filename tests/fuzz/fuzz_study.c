#include "study/config.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_study_config config;
    rp_error err;
    if (!rp_study_config_parse(&config, "study.yaml", data, n, &err)) {
        rp_study_config_line(&config, "data.queries[1]");
        rp_study_config_join(&config, &config.keys->features.select);
        rp_study_config_release(&config);
    }
    return 0;
}
