#!/usr/bin/env python3
"""Helper of capture.sh: the model, the peer and the matrix products that capture is held against.

    capture_peer.py model DIR LLAMA2.model      a Llama with random weights
    capture_peer.py causal DIR LLAMA2.model     one with a language model's head instead of scores
    capture_peer.py run DIR LENGTHS BATCH...    transformers with forward hooks
    capture_peer.py flops                       of matrix products, a token
    capture_peer.py clock COMMAND...            its wall and CPU seconds
    capture_peer.py peak COMMAND...             its wall seconds and largest resident set, MiB
    capture_peer.py sgemm                       numpy's (OpenBLAS) and torch's rate, GFLOP/s

`run` takes the lengths of the same pairs (column `tokens` of a store's rows.tsv), random ids, and
does what a careful user of transformers would: sorted by length, padded to the longest of a batch,
sdpa, inference mode, means over the real tokens of every layer in forward hooks, the score. Loading,
tokenising and writing are not counted for the peer; they are counted for capture.

SHAPE: small (12 layers, 768 wide) or 7b (Llama-2 7B's layers, LAYERS (2) of them). COMPUTE: f32, bf16.
"""
import csv
import os
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

SHAPES = {
    'small': dict(hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
                  num_attention_heads=12, num_key_value_heads=12),
    '7b': dict(hidden_size=4096, intermediate_size=11008, num_attention_heads=32,
               num_key_value_heads=32, num_hidden_layers=int(os.environ.get('LAYERS', 2)))}
SHAPE = dict(vocab_size=32000, max_position_embeddings=2048,
             **SHAPES[os.environ.get('SHAPE', 'small')])
DTYPE = {'f32': torch.float32, 'bf16': torch.bfloat16}[os.environ.get('COMPUTE', 'f32')]
D, F = SHAPE['hidden_size'], SHAPE['intermediate_size']
FLOPS = 2 * SHAPE['num_hidden_layers'] * (4 * D * D + 3 * D * F)  # of matrix products, a token


def make_model(kind, path, sentencepiece):
    torch.manual_seed(0)
    net = kind(LlamaConfig(**SHAPE, num_labels=1, pad_token_id=0))
    net.to(DTYPE).save_pretrained(path)
    shutil.copy(sentencepiece, f'{path}/tokenizer.model')


def means(net):
    """Forward hooks; the answer holds the newest means [B, D] by layer and takes the mask."""
    state = {'mask': None}

    def hook(layer):
        def see(module, inputs, output):
            x = output[0] if isinstance(output, tuple) else output
            mask = state['mask'][..., None]
            state[layer] = (x * mask).sum(1) / mask.sum(1)
        return see
    net.model.embed_tokens.register_forward_hook(hook(0))
    for i, layer in enumerate(net.model.layers, 1):
        layer.register_forward_hook(hook(i))
    return state


def run(path, lengths, batch):
    net = LlamaForSequenceClassification.from_pretrained(path, dtype=DTYPE,
                                                         attn_implementation='sdpa').eval()
    state = means(net)
    order = sorted(lengths, reverse=True)
    for b in batch:
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            for i in range(0, len(order), b):
                n = torch.tensor(order[i:i + b])
                mask = torch.arange(int(n.max()))[None] < n[:, None]
                ids = torch.randint(3, SHAPE['vocab_size'], mask.shape) * mask
                state['mask'] = mask.float()
                net(ids, attention_mask=mask.long(), use_cache=False).logits
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        total = sum(order)
        print(f'peer\tbatch {b}\t{total}\t{wall:.3f}\t{cpu:.3f}', flush=True)


def rate(multiply, T=512):
    """Best GFLOP/s over the shapes of a layer, weighted by their work."""
    seconds, flops = 0, 0
    for n, k, times in ((D, D, 4), (F, D, 2), (D, F, 1)):
        x, w = np.random.rand(T, k).astype(np.float32), np.random.rand(n, k).astype(np.float32)
        f, best = multiply(x, w), 1e9
        for _ in range(12):
            t = time.perf_counter()
            f()
            best = min(best, time.perf_counter() - t)
        seconds += best * times
        flops += 2 * T * n * k * times
    return flops / seconds / 1e9


def sgemm():
    print(f'sgemm\tnumpy\t{rate(lambda x, w: lambda: x @ w.T):.1f}')
    t = torch.from_numpy
    print(f'sgemm\ttorch\t{rate(lambda x, w: lambda: torch.nn.functional.linear(t(x), t(w))):.1f}')


def clock(command):
    wall = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, used = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f'{wall:.3f}\t{used.ru_utime + used.ru_stime:.3f}')


def peak(command):
    wall = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - wall
    print(f'{wall:.1f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}')


def main():
    job, args = sys.argv[1], sys.argv[2:]
    if job == 'model':
        make_model(LlamaForSequenceClassification, *args)
    elif job == 'causal':
        make_model(LlamaForCausalLM, *args)
    elif job == 'sgemm':
        sgemm()
    elif job == 'clock':
        clock(args)
    elif job == 'peak':
        peak(args)
    elif job == 'flops':
        print(FLOPS)
    else:
        with open(args[1]) as f:
            rows = csv.DictReader((r for r in f if not r.startswith('#')), delimiter='\t')
            run(args[0], [int(r['tokens']) for r in rows], [int(b) for b in args[2:]])


if __name__ == '__main__':
    main()
