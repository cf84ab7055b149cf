"""Trains the demo's ranker. See README.md.

usage: train.py CORPUS WORK [--steps N] [--decay N] [--seed N]

CORPUS is corpus.sh's directory; WORK keeps the cache, the checkpoint (last.pt, resumed from when it
is there) and the exported model. The learning rate warms up, stays, and falls to 0 over the last
--decay steps, so a stopped run can be resumed with other --steps than it was begun with.
"""
import argparse
import os
import shutil
import signal
import time

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
        return 4, 6, 1, 64
    return 4, 7, 0, 164


def step_loss(net, groups, kind):
    n, hard, easy, limit = kind
    lists, rows = [], []
    base = 0
    for _ in range(n):
        group, lead = groups.draw(hard, easy, limit)
        for x in group:
            lists.append(x)
            rows.append([base + min(lead + cut, len(x) - 1) for cut in CUTS])
            base += len(x)
    scores = net(Pack(lists), torch.tensor(rows)).T.reshape(len(CUTS), n, -1)   # positive first
    losses = [F.cross_entropy(s, torch.zeros(n, dtype=torch.long)) for s in scores]
    right = (scores[-1].argmax(-1) == 0).float().mean()
    loss = sum(w * x for w, x in zip(CUT_WEIGHTS, losses)) / sum(CUT_WEIGHTS)
    return loss, losses[-1].item(), right.item(), base


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
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    data = prepare(args.corpus, args.work)
    net = initialise(Ranker(), data['vectors'], data['markers'], args.seed)
    groups = Groups(data, args.seed)
    decayed = [p for n, p in net.named_parameters() if 'proj' in n]
    others = [p for n, p in net.named_parameters() if 'proj' not in n]
    opt = torch.optim.AdamW([dict(params=decayed, weight_decay=0.02),
                             dict(params=others, weight_decay=0.0)], betas=(0.9, 0.99))
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
            g['lr'] = rate
        loss, full, right, n = step_loss(net, groups, stage(step, args))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        opt.zero_grad()
        step, seen = step + 1, seen + n
        log.append((loss.item(), full, right))
        if step % 100 == 0:
            a = np.mean(log, 0)
            log = []
            print(f'{time.strftime("%H:%M:%S")} step {step} loss {a[0]:.3f} full {a[1]:.3f} '
                  f'first {a[2]:.3f} lr {rate:.1e} tokens/s {seen / (time.time() - began):.0f}',
                  flush=True)
        if step % 1000 == 0:
            checkpoint()
            r = evaluate.rerank(net, data, data['heldout'], dev)
            print(f'    watched: {evaluate.line(r)}', flush=True)
    checkpoint()


if __name__ == '__main__':
    main()
