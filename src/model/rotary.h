/* The angles of rotary position embeddings, as transformers computes them: frequencies and angles
 * in float32, so that positions in the thousands agree with it. */
#ifndef RP_MODEL_ROTARY_H
#define RP_MODEL_ROTARY_H

#include "model/config.h"

/* frequency [rope.width / 2]: theta^(-2i/width), rescaled as rope_scaling says. "llama3" keeps
 * wavelengths below original/high_freq_factor, divides those above original/low_freq_factor by
 * `factor`, and blends in between (transformers, modeling_rope_utils.py,
 * _compute_llama3_parameters). */
void rp_rotary_frequencies(float *frequency, const rp_config *config);
/* cosine, sine [n, half] for positions 0 .. n - 1 */
void rp_rotary_table(float *cosine, float *sine, const float *frequency, size_t n, size_t half);

#endif
