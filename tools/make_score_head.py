#!/usr/bin/env python3
"""Give a base model a score head, so that `score` and `study` can run it.

    tools/make_score_head.py [--seed S] [--scale C] BASE OUT

Writes OUT, a copy of the Hugging Face directory BASE (single-file or sharded safetensors) with one
more tensor: score.weight [1, hidden_size], normal with mean 0 and standard deviation C/sqrt(D),
drawn by Python's own generator from the seed, the same on every machine. config.json then names the
class of the family (LlamaForSequenceClassification, ...) with one label; BASE is a decoder: Llama, Mistral,
Qwen 2 or 3, GPT-NeoX. The head is random: such a model ranks at random, and
what probes find in it was put there by language modelling alone. Needs nothing but Python.

    tools/make_score_head.py --seed 0 stories260k stories260k-scored
"""
import argparse
import json
import os
import random
import shutil
import struct
import sys

TENSOR = 'score.weight'
CLASSES = {'llama': 'Llama', 'mistral': 'Mistral', 'qwen2': 'Qwen2', 'qwen3': 'Qwen3', 'gpt_neox': 'GPTNeoX'}


def read_header(path):
    """The header of a safetensors file and where its data begin."""
    with open(path, 'rb') as f:
        (n,) = struct.unpack('<Q', f.read(8))
        return json.loads(f.read(n)), 8 + n


def head(width, seed, scale):
    rng = random.Random(seed)
    return b''.join(struct.pack('<f', rng.gauss(0, scale / width ** 0.5)) for _ in range(width))


def append(source, target, data, width):
    """Copies a safetensors file with the head behind its last tensor."""
    header, begin = read_header(source)
    end = max((t['data_offsets'][1] for k, t in header.items() if k != '__metadata__'), default=0)
    header[TENSOR] = dict(dtype='F32', shape=[1, width], data_offsets=[end, end + len(data)])
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(source, 'rb') as f, open(target, 'wb') as out:
        out.write(struct.pack('<Q', len(text)) + text)
        f.seek(begin)
        shutil.copyfileobj(f, out, 1 << 20)
        out.write(data)


def weights_file(folder):
    """The safetensors file that takes the head, and the index that must name it (or None)."""
    index = os.path.join(folder, 'model.safetensors.index.json')
    if os.path.exists(os.path.join(folder, 'model.safetensors')):
        return 'model.safetensors', None
    if not os.path.exists(index):
        sys.exit(f"make_score_head: no model.safetensors in '{folder}'")
    with open(index) as f:
        content = json.load(f)
    return max(content['weight_map'].values()), content


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('base')
    parser.add_argument('out')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--scale', type=float, default=1.0)
    args = parser.parse_args()
    path = os.path.join(args.base, 'config.json')
    if not os.path.exists(path):
        sys.exit(f"make_score_head: no '{path}': '{args.base}' is not the directory of a model")
    with open(path) as f:
        config = json.load(f)
    family = config.get('model_type')
    if family not in CLASSES:
        sys.exit(f"make_score_head: '{path}': model_type must be one of {', '.join(CLASSES)}, found {family!r}")
    width = config['hidden_size']
    name, index = weights_file(args.base)
    if TENSOR in read_header(os.path.join(args.base, name))[0]:
        sys.exit(f"make_score_head: '{args.base}' has {TENSOR} already")
    if os.path.exists(args.out):
        sys.exit(f"make_score_head: '{args.out}' exists")
    os.makedirs(args.out)
    for entry in os.scandir(args.base):
        if entry.is_file() and entry.name != name:
            shutil.copyfile(entry.path, os.path.join(args.out, entry.name))
    data = head(width, args.seed, args.scale)
    append(os.path.join(args.base, name), os.path.join(args.out, name), data, width)
    if index:
        index['weight_map'][TENSOR] = name
        total = index.get('metadata', {}).get('total_size')
        if total is not None:
            index['metadata']['total_size'] = total + len(data)
        with open(os.path.join(args.out, 'model.safetensors.index.json'), 'w') as f:
            json.dump(index, f, indent=2, sort_keys=True)
    config['architectures'] = [CLASSES[family] + 'ForSequenceClassification']
    config['id2label'], config['label2id'] = {'0': 'LABEL_0'}, {'LABEL_0': 0}
    with open(os.path.join(args.out, 'config.json'), 'w') as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write('\n')


if __name__ == '__main__':
    main()
