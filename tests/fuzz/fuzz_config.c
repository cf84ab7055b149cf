#include "model/config.h"
#include "model/rotary.h"
#include "support/fuzz.h"

int rp_fuzz_one(const uint8_t *data, size_t n)
{
    rp_config config;
    float frequency[1 << 11];
    if (rp_config_parse(&config, (const char *)data, n, "config.json", NULL) == RP_OK)
        rp_rotary_frequencies(frequency, &config);
    return 0;
}
