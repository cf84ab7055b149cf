"""What transformers computes inside of a model: every site of every layer, by forward hooks.

    values = run(net, sequences, segments)

Used by tools/fixtures/model.py and tools/make_reference.py. Sites are those of docs/MODEL.md; layer 0 is
the embedding output. resid_post of the last layer is taken from the block, before the final norm
(transformers' output_hidden_states[-1] is after it).
"""
import torch


class Sites:
    """Hooks that keep every site of every layer of one sequence."""

    def __init__(self, net):
        self.seen = {}
        body = body_of(net)
        kind = body.config.model_type
        if kind in ('t5', 'mt5'):
            self.t5(body)
        elif kind == 'gpt_neox':
            self.neox(body)
        elif kind in ('bert', 'electra', 'roberta', 'xlm-roberta'):
            self.bert(body)
        elif kind in ('llama', 'mistral', 'qwen2', 'qwen3'):
            self.llama(body)
        else:
            raise ValueError(f'no sites are known of a model of type {kind}')

    def leaving(self, module, site, layer):
        def hook(module, inputs, output):
            self.put(site, layer, output)
        module.register_forward_hook(hook)

    def entering(self, module, site, layer):
        def hook(module, inputs):
            self.put(site, layer, inputs)
        module.register_forward_pre_hook(hook)

    def put(self, site, layer, x):
        x = x[0] if isinstance(x, tuple) else x
        self.seen[f'{site}.{layer}'] = x.detach().reshape(-1, x.shape[-1]).clone()

    def llama(self, body):
        self.leaving(body.embed_tokens, 'resid_post', 0)
        for i, layer in enumerate(body.layers, 1):
            self.leaving(layer, 'resid_post', i)
            self.leaving(layer.self_attn, 'attn_out', i)
            self.entering(layer.post_attention_layernorm, 'resid_mid', i)
            self.leaving(layer.mlp, 'mlp_out', i)
            self.entering(layer.mlp.down_proj, 'mlp_act', i)

    def neox(self, body):
        self.leaving(body.embed_in, 'resid_post', 0)
        for i, layer in enumerate(body.layers, 1):
            self.leaving(layer, 'resid_post', i)
            self.leaving(layer.attention.dense, 'attn_out', i)
            if not body.config.use_parallel_residual:
                self.entering(layer.post_attention_layernorm, 'resid_mid', i)
            self.leaving(layer.mlp, 'mlp_out', i)
            self.entering(layer.mlp.dense_4h_to_h, 'mlp_act', i)

    def bert(self, body):
        self.leaving(getattr(body, 'embeddings_project', body.embeddings), 'resid_post', 0)
        for i, layer in enumerate(body.encoder.layer, 1):
            self.leaving(layer, 'resid_post', i)
            self.leaving(layer.attention.output.dense, 'attn_out', i)
            self.leaving(layer.attention.output, 'resid_mid', i)
            self.leaving(layer.output.dense, 'mlp_out', i)
            self.entering(layer.output.dense, 'mlp_act', i)

    def t5(self, body):
        self.leaving(body.embed_tokens, 'resid_post', 0)
        for i, block in enumerate(body.block, 1):
            self.leaving(block, 'resid_post', i)
            self.leaving(block.layer[0].SelfAttention, 'attn_out', i)
            self.leaving(block.layer[0], 'resid_mid', i)
            self.leaving(block.layer[1].DenseReluDense, 'mlp_out', i)
            self.entering(block.layer[1].DenseReluDense.wo, 'mlp_act', i)


def body_of(net):
    """The stack of blocks, without heads, adapters or a decoder."""
    if hasattr(net, 'get_base_model'):  # of peft
        net = net.get_base_model()
    if hasattr(net, 'get_encoder') and net.config.model_type in ('t5', 'mt5'):
        return net.get_encoder()
    for name in ('model', 'gpt_neox', 'bert', 'electra', 'roberta'):
        inner = getattr(net, name, None)
        if isinstance(inner, torch.nn.Module):
            return inner
    return net


def run(net, sequences, segments=None):
    """Packed over the sequences, each run alone: ids, segment, start; <site>.<layer> [tokens, width];
    embed [sequences, D], the means of the last hidden states; scores where the model has a head."""
    sites, parts, last = Sites(net), {}, []
    body = body_of(net)
    # A classifier over a decoder scores the last token that is not the pad token; here nothing is padded,
    # and an eos that is the pad token too, as Pythia's, is the last token all the same.
    pad, net.config.pad_token_id = net.config.pad_token_id, None
    body.register_forward_hook(lambda m, i, o: last.append(o[0].detach()))
    for n, ids in enumerate(sequences):
        inputs = dict(input_ids=torch.tensor([ids]))
        if segments:
            inputs['token_type_ids'] = torch.tensor([segments[n]])
        with torch.no_grad():
            out = (body if body.config.model_type in ('t5', 'mt5') else net)(**inputs)
        for k, v in sites.seen.items():
            parts.setdefault(k, []).append(v)
        if out.get('logits') is not None and out.logits.shape == (1, 1):
            parts.setdefault('scores', []).append(out.logits.reshape(1))
        parts.setdefault('embed', []).append(last.pop().reshape(len(ids), -1).double().mean(0, keepdim=True).float())
    net.config.pad_token_id = pad
    values = {k: torch.cat(v).contiguous() for k, v in parts.items()}
    starts = [0]
    for ids in sequences:
        starts.append(starts[-1] + len(ids))
    values['start'] = torch.tensor(starts, dtype=torch.int64)
    values['ids'] = torch.tensor(sum(sequences, []), dtype=torch.int32)
    if segments:
        values['segment'] = torch.tensor(sum(segments, []), dtype=torch.int32)
    return values
