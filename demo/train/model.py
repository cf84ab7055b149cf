"""A lean Llama for training on a CPU: Hugging Face's parameter names and arithmetic, no padding.

Linear layers and norms see only real tokens, packed as [T, D]; only attention is padded to
[B, H, S, 32]. (Right padding is invisible to a causal model, so it needs no mask.) save() writes
what LlamaForSequenceClassification loads; evaluate.py checks that both agree.
"""
import json
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

SHAPE = dict(vocab_size=8192, hidden_size=192, intermediate_size=512, num_hidden_layers=6,
             num_attention_heads=6, num_key_value_heads=3, head_dim=32, rope_theta=1e6,
             rms_norm_eps=1e-5, max_position_embeddings=512)


class Norm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, h, k, w = (c[x] for x in ('hidden_size', 'num_attention_heads',
                                     'num_key_value_heads', 'head_dim'))
        self.h, self.k, self.w = h, k, w
        self.q_proj = nn.Linear(d, h * w, bias=False)
        self.k_proj = nn.Linear(d, k * w, bias=False)
        self.v_proj = nn.Linear(d, k * w, bias=False)
        self.o_proj = nn.Linear(h * w, d, bias=False)

    def forward(self, x, pack, rows=None):
        """x [T, D]; with rows [B, R], R tokens of each sequence, only theirs: [B * R, D]."""
        T = len(x)
        k = rotate(self.k_proj(x).view(T, self.k, self.w), pack.cos, pack.sin)
        v = self.v_proj(x).view(T, self.k, self.w)
        k = k.repeat_interleave(self.h // self.k, 1)
        v = v.repeat_interleave(self.h // self.k, 1)
        k, v = pack.pad(k).transpose(1, 2), pack.pad(v).transpose(1, 2)     # [B, H, S, 32]
        if rows is None:
            q = rotate(self.q_proj(x).view(T, self.h, self.w), pack.cos, pack.sin)
            y = F.scaled_dot_product_attention(pack.pad(q).transpose(1, 2), k, v, is_causal=True)
            return self.o_proj(pack.unpad(y.transpose(1, 2)).reshape(T, -1))
        flat = rows.reshape(-1)
        q = rotate(self.q_proj(x[flat]).view(-1, self.h, self.w), pack.cos[flat], pack.sin[flat])
        q = q.view(pack.B, -1, self.h, self.w).transpose(1, 2)              # [B, H, R, 32]
        past = torch.arange(pack.S) <= (rows - pack.start[:, None])[:, None, :, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=past)
        return self.o_proj(y.transpose(1, 2).reshape(len(flat), -1))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, f = c['hidden_size'], c['intermediate_size']
        self.gate_proj = nn.Linear(d, f, bias=False)
        self.up_proj = nn.Linear(d, f, bias=False)
        self.down_proj = nn.Linear(f, d, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm = Norm(c['hidden_size'], c['rms_norm_eps'])
        self.post_attention_layernorm = Norm(c['hidden_size'], c['rms_norm_eps'])

    def forward(self, x, pack, rows=None):
        y = self.self_attn(self.input_layernorm(x), pack, rows)
        x = y + (x if rows is None else x[rows.reshape(-1)])
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c['vocab_size'], c['hidden_size'])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c['num_hidden_layers']))
        self.norm = Norm(c['hidden_size'], c['rms_norm_eps'])


class Ranker(nn.Module):
    def __init__(self, c=SHAPE):
        super().__init__()
        self.c, self.model = c, Body(c)
        self.score = nn.Linear(c['hidden_size'], 1, bias=False)

    def forward(self, pack, rows):
        """Scores [B, R] after the tokens at rows [B, R] (indices into the packed [T])."""
        x = self.model.embed_tokens(pack.ids)
        for layer in self.model.layers[:-1]:
            x = layer(x, pack)
        x = self.model.layers[-1](x, pack, rows)    # nobody reads the other tokens' last layer
        return self.score(self.model.norm(x)).view(rows.shape)


class Pack:
    """Token lists side by side in one [T] vector, and their places in a padded [B, S]."""

    def __init__(self, lists, c=SHAPE):
        n = torch.tensor([len(x) for x in lists])
        self.ids = torch.tensor([t for x in lists for t in x])
        self.B, self.S = len(lists), int(n.max())
        self.start = torch.cumsum(n, 0) - n
        pos = torch.arange(len(self.ids)) - torch.repeat_interleave(self.start, n)
        self.place = torch.repeat_interleave(torch.arange(self.B), n) * self.S + pos
        half = c['head_dim'] // 2
        f = c['rope_theta'] ** (-torch.arange(half) / half)
        angle = pos[:, None].float() * f
        self.cos, self.sin = angle.cos()[:, None], angle.sin()[:, None]     # [T, 1, 16]

    def pad(self, x):
        y = x.new_zeros(self.B * self.S, *x.shape[1:])
        return y.index_copy(0, self.place, x).view(self.B, self.S, *x.shape[1:])

    def unpad(self, x):
        return x.reshape(self.B * self.S, *x.shape[2:]).index_select(0, self.place)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)       # Llama's pairing: i with i + 16
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def initialise(net, vectors, markers, seed=0):
    """Random weights with head starts that stand in for the long training we cannot afford.

    vectors [V, <= D - 3] word vectors, unit rows; markers: the ids of `query` and `document`, the
    first words of the two parts. All of it is a start only: training moves every weight.

    1. Embeddings are half word vector (meaning), half noise (identity), plus one constant
       direction r that lets an attention head look for something whatever the current token is.
    2. Layer 1, a head finds the marker and writes its part, +u in the passage, -u in the query.
    3. Layers 2 and up, a head has equal query and key maps ("mimetic" initialisation, Trockman
       and Kolter 2023) on the slowly rotating dimensions, so that a passage token looks at
       copies of itself, by preference in the query; in layer 2 it writes +m or -m: found or not.
    """
    g = torch.Generator().manual_seed(seed)
    c, d, w = net.c, net.c['hidden_size'], net.c['head_dim']
    half, last = w // 2, w // 2 - 1     # dimension `last` all but stands still under rotation
    slow = [i for i in range(w) if c['rope_theta'] ** (-(i % half) / half) < 0.006 and i != last]
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 2:
                std = 1 / math.sqrt(p.shape[1])
                if name.endswith(('o_proj.weight', 'down_proj.weight')):
                    std *= 0.5 / math.sqrt(c['num_hidden_layers'])
                p.normal_(0, std, generator=g)
        net.score.weight.mul_(0.5)
        axes, _ = torch.linalg.qr(torch.randn(d, d, generator=g))
        r, u, m = axes[:3]
        e = torch.randn(c['vocab_size'], d, generator=g) @ axes.T
        e = F.normalize(e[:, 3:]) + F.normalize(F.pad(vectors, (0, d - 3 - vectors.shape[1])))
        e = F.normalize(e) @ axes[3:]
        net.model.embed_tokens.weight.copy_(math.sqrt(d) * (math.sqrt(.9) * e + math.sqrt(.1) * r))
        query, document = e[markers[0]], e[markers[1]]

        a = net.model.layers[0].self_attn
        head = (a.k - 1) * (a.h // a.k)             # the first head on the last key head
        at, kv = head * w + last, (a.k - 1) * w + last
        a.q_proj.weight[head * w:(head + 1) * w] = 0
        a.q_proj.weight[at] = r
        a.k_proj.weight[kv] = 0.76 * (query + 1.3 * document)
        a.v_proj.weight[kv] = (document - query) / math.sqrt(.9 * d)
        a.o_proj.weight[:, at] = 4 * u

        for i, layer in enumerate(net.model.layers[1:]):
            a = layer.self_attn
            basis, _ = torch.linalg.qr(torch.randn(d - 3, w, generator=g))
            basis = 1.6 * basis.T @ axes[3:]        # [32, D], blind to r, u and m
            a.k_proj.weight[slow], a.k_proj.weight[last] = basis[slow], -u
            for head in range(a.h // a.k):
                a.q_proj.weight[[head * w + j for j in slow]] = basis[slow] / (1 + head)
                a.q_proj.weight[head * w + last] = 0.65 * r
            if i == 0:
                a.v_proj.weight[last] = -u / 4
                a.o_proj.weight[:, last] = 3 * m
    return net


def save(net, folder, ids):
    """Weights (rounded to bf16) and config.json; ids: bos, eos and pad token."""
    os.makedirs(folder, exist_ok=True)
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in net.state_dict().items()},
              f'{folder}/model.safetensors', metadata={'format': 'pt'})
    c = dict(net.c)
    theta = c.pop('rope_theta')
    config = dict(architectures=['LlamaForSequenceClassification'], model_type='llama', **c,
                  rope_theta=theta, rope_scaling=None,
                  hidden_act='silu', attention_bias=False, mlp_bias=False, attention_dropout=0.0,
                  tie_word_embeddings=False, initializer_range=0.02, use_cache=False,
                  pretraining_tp=1, id2label={'0': 'LABEL_0'}, label2id={'LABEL_0': 0},
                  torch_dtype='bfloat16', **ids)
    with open(f'{folder}/config.json', 'w') as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write('\n')


def load(folder):
    net = Ranker()
    net.load_state_dict({k: v.float() for k, v in load_file(f'{folder}/model.safetensors').items()})
    return net
