#!/usr/bin/env python3
"""Helper of agreement.sh: small random models, and what transformers computes with them.

    agreement_models.py TOKENIZERS OUT      writes OUT/models/NAME and OUT/references/NAME
"""
import os
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, T5EncoderModel

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'tools'), os.path.join(HERE, '..', 'tools', 'fixtures')]
import make_reference  # noqa: E402
import model as fixtures  # noqa: E402

SHAPE = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_labels=1,
             max_position_embeddings=512)
LLAMA = dict(SHAPE, num_key_value_heads=2, pad_token_id=0, vocab_size=32000)
NEOX = dict(SHAPE, pad_token_id=1, vocab_size=50304)
BERT = dict(SHAPE, pad_token_id=0, vocab_size=30522)
T5 = dict(d_model=64, d_kv=16, d_ff=96, num_layers=3, num_heads=4)
LLAMA_MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
NEOX_MODULES = ['query_key_value', 'dense', 'dense_h_to_4h', 'dense_4h_to_h']

# name: (model_type, options, tokenizer, modules that an adapter of it changes)
FAMILIES = {
    'llama': ('llama', dict(LLAMA, rms_norm_eps=1e-5), 'llama2', LLAMA_MODULES),
    'llama31': ('llama', dict(LLAMA, rope_parameters=dict(
        rope_type='llama3', rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=128)), 'llama2', LLAMA_MODULES),
    'mistral': ('mistral', dict(LLAMA, sliding_window=400), 'llama2', LLAMA_MODULES),
    'qwen2': ('qwen2', dict(NEOX, num_key_value_heads=2), 'neox', LLAMA_MODULES),
    'qwen3': ('qwen3', dict(NEOX, num_key_value_heads=2, head_dim=24), 'neox', LLAMA_MODULES),
    'pythia': ('gpt_neox', dict(NEOX, rope_parameters=dict(rope_type='default', rope_theta=10000.0,
                                                           partial_rotary_factor=0.25)), 'neox', NEOX_MODULES),
    'neox_sequential': ('gpt_neox', dict(NEOX, use_parallel_residual=False, hidden_act='gelu_fast',
                                         rope_parameters=dict(rope_type='default', rope_theta=10000.0,
                                                              partial_rotary_factor=1.0)), 'neox', NEOX_MODULES),
    'bert': ('bert', BERT, 'bert', ['query', 'value']),
    'electra': ('electra', dict(BERT, embedding_size=32), 'bert', None),
    'roberta': ('roberta', dict(NEOX, type_vocab_size=1, max_position_embeddings=514), 'neox', None),
    't5': ('t5', dict(T5, feed_forward_proj='relu'), 't5', None),
    't5_gated': ('t5', dict(T5, feed_forward_proj='gated-gelu'), 't5', None),
}
# name: (dtype, shard size, torch.save's files)
FORMS = {'f32': ('float32', '5GB', False), 'bf16_sharded': ('bfloat16', '1MB', False),
         'f16_bin': ('float16', '5GB', True), 'bf16_bin_sharded': ('bfloat16', '1MB', True)}


def add_tokenizer(out, kind, tokenizers):
    files = dict(llama2=('llama2_tokenizer.model', 'tokenizer.model', 'LlamaTokenizer'),
                 neox=('gpt-neox-20B_tokenizer.json', 'tokenizer.json', 'PreTrainedTokenizerFast'),
                 bert=('bert-base-uncased-vocab.txt', 'vocab.txt', 'BertTokenizer'),
                 t5=(f'{HERE}/../tests/golden/tokenizer/unigram.json', 'tokenizer.json', 'PreTrainedTokenizerFast'))
    source, name, cls = files[kind]
    shutil.copy(os.path.join(tokenizers, source), f'{out}/{name}')
    with open(f'{out}/tokenizer_config.json', 'w') as f:
        # as the published Llama 2 says; transformers 5 adds no bos where the key is absent
        f.write('{"tokenizer_class": "%s"%s}\n' % (cls, ', "add_bos_token": true' if kind == 'llama2' else ''))


def new(kind, options, causal):
    config = AutoConfig.for_model(kind, **options)
    if kind == 't5':
        net = T5EncoderModel(config)
    else:
        net = (AutoModelForCausalLM if causal else AutoModelForSequenceClassification).from_config(config)
    fixtures.spread(net.eval(), 7)
    return net


def refer(out, name, model, adapter=None):
    """Qwen 2's class cuts numbers in its own way whatever tokenizer.json says: texts without numbers."""
    args = [model, f'{out}/references/{name}', '--texts', f'{out}/texts.tsv'] + (
        ['--adapter', adapter] if adapter else [])
    sys.argv = ['make_reference.py', *args]
    make_reference.main()


def main():
    tokenizers, out = sys.argv[1:]
    with open(f'{out}/texts.tsv', 'w', encoding='utf-8') as f:
        f.writelines(f'{q}\t{"".join(c for c in d if not c.isdigit())}\n' for q, d in make_reference.PAIRS if '1' not in q)
    for name, (kind, options, tokenizer, modules) in FAMILIES.items():
        if tokenizer == 't5':
            from tokenizers import Tokenizer
            options = dict(options, vocab_size=Tokenizer.from_file(f'{HERE}/../tests/golden/tokenizer/unigram.json'
                                                                   ).get_vocab_size())
        for form, (dtype, shard, torch_files) in FORMS.items():
            path = f'{out}/models/{name}_{form}'
            new(kind, options, False).to(getattr(torch, dtype)).save_pretrained(path, max_shard_size=shard)
            add_tokenizer(path, tokenizer, tokenizers)
            refer(out, f'{name}_{form}', path)
            if torch_files:
                fixtures.to_torch(path)
        if not modules:
            continue
        base = f'{out}/models/{name}_base'
        new(kind, options, kind != 'bert').to(torch.bfloat16).save_pretrained(base)
        add_tokenizer(base, tokenizer, tokenizers)
        for torch_file in (False, True):
            adapted = f'{out}/models/{name}_adapter{"_bin" if torch_file else ""}'
            net = AutoModelForSequenceClassification.from_pretrained(base, dtype=torch.float32, num_labels=1)
            net = get_peft_model(net, LoraConfig(task_type='SEQ_CLS', r=8, lora_alpha=16, target_modules=modules,
                                                 use_rslora=torch_file))
            g = torch.Generator().manual_seed(3)
            with torch.no_grad():
                for key, p in net.named_parameters():
                    if 'lora_' in key or 'modules_to_save' in key:
                        p.copy_(torch.randn(p.shape, generator=g) * 0.4 / p.shape[-1] ** 0.5)
            net.peft_config['default'].base_model_name_or_path = f'{name}_base'
            net.save_pretrained(adapted)
            refer(out, os.path.basename(adapted), base, adapted)
            if torch_file:
                path = f'{adapted}/adapter_model.safetensors'
                torch.save(load_file(path), f'{adapted}/adapter_model.bin')
                os.remove(path)


if __name__ == '__main__':
    main()
