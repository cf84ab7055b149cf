#!/usr/bin/env python3
"""Helper of large.sh: a base model and an adapter in the shapes of RankLlama's, random weights.

    large_model.py 7b|13b BASE ADAPTER

Writes safetensors by hand, so that nothing of the size of the model is ever in memory. The weights
are 16 million normal numbers, repeated from other offsets.
"""
import json
import math
import os
import sys

import numpy as np

SHAPES = {'7b': (4096, 11008, 32, 32), '13b': (5120, 13824, 40, 40)}
VOCABULARY, RANK, SHARD = 32000, 32, 9 << 30


def bf16(values):
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


NORMAL = np.random.default_rng(0).standard_normal(1 << 24)
STD = {s: bf16(NORMAL * s) for s in (0.02,)}


def write(path, tensors):
    """tensors: [(name, shape, standard deviation or None for ones)], bf16"""
    header, at = {}, 0
    for name, shape, _ in tensors:
        n = 2 * math.prod(shape)
        header[name] = dict(dtype='BF16', shape=shape, data_offsets=[at, at + n])
        at += n
    head = json.dumps(header).encode()
    head += b' ' * (-len(head) % 8)
    with open(path, 'wb') as f:
        f.write(len(head).to_bytes(8, 'little') + head)
        for i, (_, shape, std) in enumerate(tensors):
            left = math.prod(shape)
            offset = i * 7919 % 65536
            while left:
                values = bf16(np.ones(min(left, 1 << 16))) if std is None else STD[std][offset:offset + left]
                values.tofile(f)
                left -= len(values)
                offset = 0
    return at


def base(out, D, F, L, H):
    os.makedirs(out)
    tensors = [('model.embed_tokens.weight', [VOCABULARY, D], .02)]
    for i in range(L):
        p = f'model.layers.{i}.'
        tensors += [(p + 'input_layernorm.weight', [D], None)]
        tensors += [(f'{p}self_attn.{x}_proj.weight', [D, D], .02) for x in 'qkvo']
        tensors += [(p + 'post_attention_layernorm.weight', [D], None)]
        tensors += [(f'{p}mlp.{x}_proj.weight', [F, D], .02) for x in ('gate', 'up')]
        tensors += [(p + 'mlp.down_proj.weight', [D, F], .02)]
    tensors += [('model.norm.weight', [D], None), ('lm_head.weight', [VOCABULARY, D], .02)]
    shards, size = [[]], 0
    for t in tensors:
        n = 2 * math.prod(t[1])
        if size + n > SHARD:
            shards.append([])
            size = 0
        shards[-1].append(t)
        size += n
    files, total = {}, 0
    for k, shard in enumerate(shards, 1):
        name = f'model-{k:05}-of-{len(shards):05}.safetensors'
        total += write(f'{out}/{name}', shard)
        files.update({t[0]: name for t in shard})
    with open(f'{out}/model.safetensors.index.json', 'w') as f:
        json.dump(dict(metadata=dict(total_size=total), weight_map=files), f)
    with open(f'{out}/config.json', 'w') as f:
        json.dump(dict(architectures=['LlamaForCausalLM'], model_type='llama', hidden_size=D,
                       intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
                       num_key_value_heads=H, vocab_size=VOCABULARY, max_position_embeddings=4096,
                       rms_norm_eps=1e-5, hidden_act='silu', torch_dtype='bfloat16'), f)


def adapter(out, base_path, D, F, L):
    os.makedirs(out)
    shapes = {**{f'self_attn.{x}_proj': (D, D) for x in 'qkvo'}, 'mlp.gate_proj': (F, D),
              'mlp.up_proj': (F, D), 'mlp.down_proj': (D, F)}
    tensors = []
    for i in range(L):
        for name, (n, k) in shapes.items():
            p = f'base_model.model.model.layers.{i}.{name}'
            tensors += [(p + '.lora_A.weight', [RANK, k], .02), (p + '.lora_B.weight', [n, RANK], .02)]
    write(f'{out}/adapter_model.safetensors', tensors + [('base_model.model.score.weight', [1, D], .02)])
    with open(f'{out}/adapter_config.json', 'w') as f:
        json.dump(dict(peft_type='LORA', task_type='SEQ_CLS', base_model_name_or_path=base_path, r=RANK,
                       lora_alpha=64, lora_dropout=.1, bias='none', fan_in_fan_out=False,
                       target_modules=[x.split('.')[1] for x in shapes],
                       modules_to_save=['classifier', 'score']), f)


def main():
    size, base_path, adapter_path = sys.argv[1:]
    D, F, L, H = SHAPES[size]
    base(base_path, D, F, L, H)
    adapter(adapter_path, base_path, D, F, L)


if __name__ == '__main__':
    main()
