"""Reranks BM25's top 50 of the held-out queries and reports nDCG@10 and MRR@10 beside BM25's.

usage: evaluate.py CORPUS WORK MODEL [--threads N]

First the demo queries, then all held-out ones, with a line every 100. (+- is a standard error.)

Measures are trec_eval's: ndcg_cut_10 with the grade as gain, reciprocal rank of the first passage
of any grade. MODEL's weights are the stored bf16 ones, computed in float32.
"""
import argparse
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from data import BOS, CANDIDATES, EOS, UNK, prepare
from model import Pack, load, save


def measures(ranked, grades):
    """nDCG@10 and MRR@10 of one list of document rows."""
    gain = np.array([grades.get(d, 0) for d in ranked[:10]], float)
    ideal = np.sort(list(grades.values()))[::-1][:10]
    discount = 1 / np.log2(np.arange(2, 12))
    hit = np.flatnonzero(gain > 0)
    return ((gain * discount[:len(gain)]).sum() / (ideal * discount[:len(ideal)]).sum(),
            1 / (hit[0] + 1) if len(hit) else 0.0)


@torch.inference_mode()
def scores(net, query, passages, batch=25):
    """Scores of the passages (token arrays), computed shortest first to waste no padding."""
    out = np.zeros(len(passages), np.float32)
    order = np.argsort([len(p) for p in passages])
    for i in range(0, len(order), batch):
        take = order[i:i + batch]
        pack = Pack([query.tolist() + passages[j].tolist() for j in take])
        ends = torch.cat((pack.start[1:], torch.tensor([len(pack.ids)]))) - 1
        out[take] = net(pack, ends[:, None])[:, 0].numpy()
    return out


def rerank(net, data, part, which, pool):
    """Rows [n, 4]: nDCG@10 and MRR@10 of BM25, then of the model."""
    def one(q):
        found, grades = part['bm25'][q][:CANDIDATES], part['grades'][q]
        before = after = measures(found.tolist(), grades)
        if any(d in grades for d in found.tolist()):    # else every order is worth 0
            s = scores(net, part['tokens'][q], [data['passages'][d] for d in found])
            after = measures(found[np.argsort(-s, kind='stable')].tolist(), grades)
        return before + after
    return np.array(list(pool.map(one, which)))


def line(r):
    a, d = r.mean(0), r[:, 2] - r[:, 0]
    return (f'{len(r)} queries, nDCG@10 BM25 {a[0]:.4f} model {a[2]:.4f} '
            f'(+-{d.std() / len(d) ** .5:.4f} between them); '
            f'MRR@10 BM25 {a[1]:.4f} model {a[3]:.4f}')


def export(net, folder, tokenizer):
    """A complete Hugging Face directory, put in place by a rename."""
    new = folder + '.new'
    shutil.rmtree(new, ignore_errors=True)
    # Padding is <unk>, which a byte-level tokenizer never produces: with </s> for padding,
    # transformers would not look at a template's last token if that is </s>.
    save(net, new, dict(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=UNK))
    shutil.copyfile(tokenizer, f'{new}/tokenizer.json')
    with open(f'{new}/tokenizer_config.json', 'w') as f:
        json.dump(dict(tokenizer_class='PreTrainedTokenizerFast', bos_token='<s>',
                       eos_token='</s>', unk_token='<unk>', pad_token='<unk>',
                       model_max_length=512, padding_side='right'), f, indent=2)
        f.write('\n')
    for name in os.listdir(new):
        os.chmod(f'{new}/{name}', 0o644)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(new, folder)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('corpus')
    p.add_argument('work')
    p.add_argument('model')
    p.add_argument('--threads', type=int, default=2)
    args = p.parse_args()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(args.threads)
    data = prepare(args.corpus, args.work)
    net = load(args.model)
    part, rows = data['heldout'], {}
    demo = np.flatnonzero(data['demo']).tolist()
    rows.update(zip(demo, rerank(net, data, part, demo, pool)))
    print('demo:', line(np.array([rows[q] for q in demo])), flush=True)
    # In a random order, so that every line printed on the way is a fair estimate.
    order = np.random.default_rng(0).permutation(len(part['qid'])).tolist()
    for i in range(0, len(order), 100):
        todo = [q for q in order[i:i + 100] if q not in rows]
        rows.update(zip(todo, rerank(net, data, part, todo, pool)))
        print('held-out:', line(np.array([rows[q] for q in order[:i + 100]])), flush=True)


if __name__ == '__main__':
    main()
