#!/usr/bin/env python3
"""What transformers computes inside of a model, for `rankprobe doctor MODEL --reference OUT`.

    tools/make_reference.py MODEL OUT [--adapter ADAPTER] [--texts FILE] [--dtype float32]

MODEL is a directory, or a name in the Hugging Face cache; with --adapter it is the base model of that PEFT
adapter. A few (query, document) pairs, or those of FILE (query TAB document, a pair a line), are encoded
by the model's own tokenizer and run one at a time; OUT/reference.safetensors keeps every site of every
layer, OUT/reference.json says what they are (docs/FORMATS.md, "Reference dump").

Needs torch, transformers, safetensors; peft for adapters.
"""
import argparse
import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import (AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer,
                          MT5EncoderModel, T5EncoderModel)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference  # noqa: E402

PAIRS = (
    ('what is a ranking model', 'A ranking model orders documents by their relevance to a query.'),
    ('Größe von Zürich, 1.5 km²?', 'Zürich has 443,037 inhabitants (2023); the name\'s "ü" was one letter: 苏黎世 🙂'),
    ('hidden states', ' '.join(['The residual stream carries what every block adds to it, from the embeddings of the '
                                'tokens up to the last layer, and a probe reads off one of its sums.'] * 6)),
)
T5 = dict(t5=T5EncoderModel, mt5=MT5EncoderModel)
DECODERS = ('llama', 'mistral', 'qwen2', 'qwen3', 'gpt_neox')


def load(model, adapter, dtype):
    """The network: with its score head where the checkpoint or the adapter has one."""
    config = AutoConfig.from_pretrained(model)
    scored = any('SequenceClassification' in name for name in config.architectures or ())
    if adapter:
        from peft import PeftConfig, PeftModel
        scored = scored or PeftConfig.from_pretrained(adapter).task_type == 'SEQ_CLS'
    cls = T5.get(config.model_type) or (AutoModelForSequenceClassification if scored else AutoModel)
    more = dict(num_labels=1) if scored and adapter else {}
    net = cls.from_pretrained(model, dtype=dtype, **more)
    if adapter:
        net = PeftModel.from_pretrained(net, adapter)
    if config.model_type in DECODERS:
        net.config.pad_token_id = None  # the score is that of the last token, whatever it is
    return net.float().eval()


def encode(tokenizer, pairs, causal):
    """Ids and token types by the tokenizer's own template for a pair."""
    ids, segments = [], []
    for query, document in pairs:
        a, b = (f'query: {query}', f'document: {document}') if causal else (query, document)
        both = tokenizer([a], [b], return_token_type_ids=True)  # a lone empty b would not count as one
        ids.append(both['input_ids'][0])
        segments.append(both['token_type_ids'][0])
    return ids, segments


def positions_of(config):
    """Tokens of a sequence at most; RoBERTa's first positions are never used."""
    n = getattr(config, 'max_position_embeddings', None) or sys.maxsize
    return n - config.pad_token_id - 1 if 'roberta' in config.model_type else n


def read_texts(path):
    with open(path, encoding='utf-8') as f:
        pairs = [tuple(line.rstrip('\r\n').split('\t', 1)) for line in f if line.strip()]
    for n, pair in enumerate(pairs, 1):
        if len(pair) != 2:
            sys.exit(f'{path}: pair {n}: no tab between query and document')
    return pairs


def choose(tokenizer, config, causal, texts):
    """Pairs, ids, segments. A pair of our own that is too long for the model is left out."""
    pairs = read_texts(texts) if texts else PAIRS
    ids, segments = encode(tokenizer, pairs, causal)
    limit = positions_of(config)
    kept = [n for n in range(len(pairs)) if len(ids[n]) <= limit]
    if len(kept) < len(pairs) and texts:
        sys.exit(f'{texts}: a pair has {max(map(len, ids))} tokens, more than the model\'s {limit}')
    return [pairs[n] for n in kept], [ids[n] for n in kept], [segments[n] for n in kept]


def versions(adapter):
    made = f'torch {torch.__version__}, transformers {transformers.__version__}'
    if adapter:
        import peft
        made += f', peft {peft.__version__}'
    return made


def make(model, out, adapter=None, texts=None, dtype='float32'):
    net = load(model, adapter, getattr(torch, dtype))
    config = reference.body_of(net).config
    causal = config.model_type in DECODERS
    own = adapter and os.path.exists(os.path.join(adapter, 'tokenizer.json'))
    tokenizer = AutoTokenizer.from_pretrained(adapter if own else model)
    pairs, ids, segments = choose(tokenizer, config, causal, texts)
    typed = getattr(config, 'type_vocab_size', 0) > 1
    values = reference.run(net, ids, segments if typed else None)
    about = dict(format='rankprobe-reference', format_version=1, made_by=versions(adapter), model=model,
                 adapter=adapter, family=config.model_type, dtype=dtype,
                 template='rankllama-pair' if causal else 'pair',
                 pairs=[dict(query=q, document=d) for q, d in pairs])
    os.makedirs(out, exist_ok=True)
    save_file(values, os.path.join(out, 'reference.safetensors'))
    with open(os.path.join(out, 'reference.json'), 'w', encoding='utf-8') as f:
        json.dump(about, f, indent=1, ensure_ascii=False)
        f.write('\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('out')
    parser.add_argument('--adapter', help='PEFT adapter of the model')
    parser.add_argument('--texts', help='pairs: query TAB document')
    parser.add_argument('--dtype', default='float32', choices=['float32', 'bfloat16', 'float16'],
                        help='weights are rounded to it; the computation is in float32')
    args = parser.parse_args()
    make(args.model, args.out, args.adapter, args.texts, args.dtype)


if __name__ == '__main__':
    main()
