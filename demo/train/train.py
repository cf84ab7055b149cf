"""Trains the demo's ranker. See README.md.

usage: train.py CORPUS WORK [--steps N] [--decay N] [--seed N]

CORPUS is corpus.sh's directory; WORK keeps the cache, the checkpoint (last.pt, resumed from when it
is there) and the exported model. The learning rate warms up, stays, and falls to 0 over the last
--decay steps, so a stopped run can be resumed with other --steps than it was begun with.
"""
import argparse
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F

import evaluate
from data import prepare
from model import SHAPE, Pack, Ranker, initialise

CUTS = (12, 24, 48, 10 ** 6)    # a score is asked for after so many passage tokens, too
CUT_WEIGHTS = (0.2, 0.3, 0.3, 1.0)


class Groups:
    """Draws training groups: a positive, then negatives. Reads only the training side."""

    def __init__(self, data, seed):
        self.passages, part = data['passages'], data['train']
        self.queries, self.pool = part['tokens'], np.flatnonzero(data['seen'])
        self.own, self.kin, self.hard, self.grades = [], [], [], part['grades']
        for found, grades in zip(part['bm25'], part['grades']):
            self.own.append(max(grades, key=grades.get))
            self.kin.append([i for i in found[:50] if grades.get(i) == 1 and data['seen'][i]])
            self.hard.append([i for i in found if i not in grades and data['seen'][i]])
        self.rng = np.random.default_rng(seed)
        self.order = []

    def state(self):
        return dict(rng=self.rng.bit_generator.state, order=list(self.order))

    def restore(self, state):
        self.rng.bit_generator.state, self.order = state['rng'], state['order']

    def draw(self, hard, easy, limit):
        """Token lists of one group and where each passage begins; a new query every time."""
        if not self.order:
            self.order = self.rng.permutation(len(self.queries)).tolist()
        q = self.order.pop()
        kin, pool = self.kin[q], self.hard[q]
        # A quarter of the groups asks for a package of the same source (grade 1) instead.
        pick = [self.rng.choice(kin) if kin and self.rng.random() < 0.25 else self.own[q]]
        pick += self.rng.choice(pool, min(hard, len(pool)), replace=False).tolist()
        while len(pick) < 1 + hard + easy:
            d = self.rng.choice(self.pool)
            if d not in self.grades[q]:
                pick.append(d)
        query = self.queries[q].tolist()
        return [query + self.passages[d][:1 + limit].tolist() for d in pick], len(query)


def stage(step, args):
    """Easy to hard, short to long: groups a step, BM25 and random negatives, passage tokens."""
    if step < 500:
        return 8, 1, 2, 48
    if step < args.steps - args.decay:
        return 4, 6, 1, 48
    return 4, 7, 0, 164


def loss_of(net, drawn):
    """Loss of some groups of equal size, and [its last cut's loss, share of positives first]."""
    lists, rows, base = [], [], 0
    for group, lead in drawn:
        for x in group:
            lists.append(x)
            rows.append([base + min(lead + cut, len(x) - 1) for cut in CUTS])
            base += len(x)
    scores = net(Pack(lists), torch.tensor(rows)).T.reshape(len(CUTS), len(drawn), -1)
    first = torch.zeros(len(drawn), dtype=torch.long)       # the positive
    losses = [F.cross_entropy(s, first) for s in scores]
    right = (scores[-1].argmax(-1) == 0).float().mean()
    loss = sum(w * x for w, x in zip(CUT_WEIGHTS, losses)) / sum(CUT_WEIGHTS)
    return loss, np.array([loss.item(), losses[-1].item(), right.item()]), base


def gradients(net, drawn):
    loss, shown, n = loss_of(net, drawn)
    return torch.autograd.grad(loss, list(net.parameters())), shown, n


def main():
    p = argparse.ArgumentParser()
    p.add_argument('corpus')
    p.add_argument('work')
    p.add_argument('--steps', type=int, default=8000)
    p.add_argument('--decay', type=int, default=2000)
    p.add_argument('--lr', type=float, default=6e-4)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--threads', type=int, default=2)
    args = p.parse_args()
    torch.set_flush_denormal(True)      # Adam decays the moments of rare tokens into slow numbers
    torch.set_num_threads(1)    # each thread takes its own groups: one wait a step, not hundreds
    pool = ThreadPoolExecutor(args.threads)
    torch.manual_seed(args.seed)
    data = prepare(args.corpus, args.work)
    net = initialise(Ranker(), data['vectors'], data['markers'], args.seed)
    groups = Groups(data, args.seed)
    named = list(net.named_parameters())
    # Embeddings and norms have entries near 1, the matrices near .07: equal rates would leave
    # the former, and with them rare words, where they began.
    opt = torch.optim.AdamW([
        dict(params=[p for n, p in named if 'proj' in n], weight_decay=0.02, scale=1),
        dict(params=[p for n, p in named if 'embed' in n or 'norm' in n], scale=5),
        dict(params=net.score.parameters(), scale=1)], betas=(0.9, 0.99), weight_decay=0.0)
    step, hours, tokens = 0, 0.0, 0
    last = f'{args.work}/last.pt'
    if os.path.exists(last):
        c = torch.load(last, weights_only=False)
        net.load_state_dict(c['net'])
        opt.load_state_dict(c['opt'])
        groups.restore(c['groups'])
        step, hours, tokens = c['step'], c['hours'], c['tokens']
    dev = np.flatnonzero(~data['demo'])[::75]      # about 60 held-out queries, to watch only

    stop = []
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stop.append(1))
    began, seen, log = time.time(), 0, []

    def checkpoint():
        c = dict(net=net.state_dict(), opt=opt.state_dict(), groups=groups.state(), step=step,
                 hours=hours + (time.time() - began) / 3600, tokens=tokens + seen)
        torch.save(c, last + '.new')
        os.rename(last + '.new', last)
        evaluate.export(net, f'{args.work}/model', f'{args.work}/tokenizer.json')

    while step < args.steps and not stop:
        rate = args.lr * min(1, (step + 1) / 200, (args.steps - step) / args.decay)
        for g in opt.param_groups:
            g['lr'] = rate * g['scale']
        n, hard, easy, limit = stage(step, args)
        drawn = [groups.draw(hard, easy, limit) for _ in range(n)]
        parts = list(pool.map(lambda i: gradients(net, drawn[i::args.threads]),
                              range(args.threads)))
        for p, *g in zip(net.parameters(), *(x[0] for x in parts)):
            p.grad = sum(g) / len(g)
        log.append(np.mean([x[1] for x in parts], 0))
        seen += sum(x[2] for x in parts)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        step += 1
        if step % 100 == 0:
            a = np.mean(log, 0)
            log = []
            print(f'{time.strftime("%H:%M:%S")} step {step} loss {a[0]:.3f} full {a[1]:.3f} '
                  f'first {a[2]:.3f} lr {rate:.1e} tokens/s {seen / (time.time() - began):.0f}',
                  flush=True)
        if step % 1000 == 0:
            checkpoint()
            r = evaluate.rerank(net, data, data['heldout'], dev, pool)
            print(f'    watched: {evaluate.line(r)}', flush=True)
    checkpoint()


if __name__ == '__main__':
    main()
