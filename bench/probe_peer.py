"""Helper of probe.sh: makes a store with features, fits it with scikit-learn, compares.

    probe_peer.py make DIR queries pairs width layers labels
    probe_peer.py fit DIR protocol      layer 0; prints "wall CPU fit-wall" seconds, writes DIR/peer.PROTOCOL.tsv
    probe_peer.py clock DIR command ... runs it; prints "wall user system" seconds
    probe_peer.py compare DIR probes.tsv protocol

The activations are shaped like real ones: low-rank factors shared within a query, log-normal
scales, a few massive units.
"""
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
import xxhash
from safetensors.numpy import load_file, save_file

VIEW = "resid_post.all.mean"


def make(path, queries, pairs, width, layers, labels):
    rng = np.random.default_rng(0)
    n = queries * pairs
    query = np.repeat(np.arange(queries), pairs)
    rank = 24
    factor = rng.normal(size=(n, rank)) + rng.normal(size=(queries, rank))[query]
    y = factor @ rng.normal(size=(rank, labels)) / 5
    y += rng.normal(size=y.shape) * np.exp(rng.normal(size=labels))
    os.makedirs(f"{path}/store/{VIEW}", exist_ok=True)
    x = {}
    for layer in range(layers):
        loading = rng.normal(size=(rank, width)) * np.exp(-np.arange(rank) / 8)[:, None]
        a = factor @ loading + rng.normal(size=(n, width)) * .5
        a *= np.exp(rng.normal(size=width))
        a[:, :max(1, width // 400)] = a[:, :max(1, width // 400)] * 100 + 2000
        x[f"layer.{layer}"] = a.astype(np.float32)
    shards = []
    for s, first in enumerate(range(0, n, 1024)):
        name = f"{path}/store/{VIEW}/{s:05d}.safetensors"
        save_file({k: v[first:first + 1024] for k, v in x.items()}, name)
        data = open(name, "rb").read()
        shards.append({"rows": min(1024, n - first), "files": [
            {"bytes": len(data), "checksum": xxhash.xxh3_64_hexdigest(data)}]})
    with open(f"{path}/store/rows.tsv", "w") as out:
        print("row\tqid\tdocid\ttokens\tscore", file=out)
        for i in range(n):
            print(i, f"q{query[i]}", f"d{i}", 60 + i % 100, f"{y[i, 0]:.6g}", sep="\t", file=out)
    data = open(f"{path}/store/rows.tsv", "rb").read()
    settings = {"views": [{"name": VIEW, "width": width, "layer_first": 0,
                           "layer_last": layers - 1}],
                "dtype": "f32", "rows": n, "shard_rows": 1024, "score": True}
    json.dump({"format": "rankprobe-store", "format_version": 1, "version": "bench",
               "command": None, "settings": settings,
               "rows_file": {"bytes": len(data), "checksum": xxhash.xxh3_64_hexdigest(data)},
               "shards": shards}, open(f"{path}/store/store.json", "w"))
    with open(f"{path}/features.tsv", "w") as out:
        print("qid\tdocid", *(f"f{k}" for k in range(labels)), sep="\t", file=out)
        for i in range(n):
            print(f"q{query[i]}", f"d{i}", *(f"{v:.9g}" for v in y[i]), sep="\t", file=out)


def load(path):
    shards = sorted(os.listdir(f"{path}/store/{VIEW}"))
    x = np.concatenate([load_file(f"{path}/store/{VIEW}/{s}")["layer.0"] for s in shards])
    table = np.genfromtxt(f"{path}/features.tsv", skip_header=1, dtype=str)
    return table[:, 0], table[:, 1], x, table[:, 2:].astype(float)


def query_key(qid, salt, seed=1):
    word = np.array([seed, salt], dtype="<u8").tobytes()
    return xxhash.xxh3_64_intdigest(str(qid).encode(), seed=xxhash.xxh3_64_intdigest(word, seed=0))


def pair_order(qid, docid):
    key = [xxhash.xxh3_64_intdigest(str(d).encode(), seed=query_key(q, 0x70616972))
           for q, d in zip(qid, docid)]
    return np.argsort(np.array(key, dtype=np.uint64), kind="stable")


def fold_labels(qid, folds, inner):
    """Outer and inner fold of every pair, as src/probe/split.c deals them."""
    ids, counts = np.unique(qid, return_counts=True)
    size = dict(zip(ids, counts))
    outer, within, load = {}, {}, [0] * folds
    for q in sorted(ids, key=lambda q: query_key(q, 0x6f757472)):
        outer[q] = int(np.argmin(load))
        load[outer[q]] += size[q]
    total = [0] * inner
    for f in range(folds):
        load = [0] * inner
        for q in sorted((q for q in ids if outer[q] == f), key=lambda q: query_key(q, 0x696e6e72)):
            within[q] = min(range(inner), key=lambda k: (load[k], total[k], k))
            load[within[q]] += size[q]
            total[within[q]] += size[q]
    return np.array([outer[q] for q in qid]), np.array([within[q] for q in qid])


def scaled(x, y):
    """Standardised x and y (float64), and how to scale held-out rows."""
    mu, sd = x.mean(0, dtype=float), x.std(0, dtype=float)
    my, sy = y.mean(0), y.std(0)
    return (x - mu) / sd, (y - my) / sy, lambda v: (v - mu) / sd, lambda t: t * sy + my


def fit_sound(x, y, qid):
    """Ridge, 17 penalties, 5 x 5 folds, all labels as one right-hand side."""
    from sklearn.linear_model import Ridge
    outer, inner = fold_labels(qid, 5, 5)
    grid = 10. ** (4 - .5 * np.arange(17))
    sse, sst = np.zeros(y.shape[1]), np.zeros(y.shape[1])
    for o in range(5):
        tr, te = outer != o, outer == o
        error = np.zeros((17, y.shape[1]))
        for f in range(5):
            a, b = tr & (inner != f), tr & (inner == f)
            z, t, sx, sy = scaled(x[a], y[a])
            zb = sx(x[b])
            for k, lam in enumerate(grid):
                m = Ridge(alpha=len(z) * lam, fit_intercept=False, solver="cholesky").fit(z, t)
                error[k] += ((y[b] - sy(m.predict(zb))) ** 2).sum(0)
        z, t, sx, sy = scaled(x[tr], y[tr])
        zb, best = sx(x[te]), error.argmin(0)
        for k in set(best):
            p = best == k
            m = Ridge(alpha=len(z) * grid[k], fit_intercept=False, solver="cholesky").fit(z, t)
            sse[p] += ((y[te] - sy(m.predict(zb))) ** 2).sum(0)[p]
        sst += ((y[te] - y[tr].mean(0)) ** 2).sum(0)
    return 1 - sse / sst


def fit_text(x, y, qid, docid, tol=1e-4):
    """Lasso a = .1, five folds of cross-validation in the 60 %, scored on the last 20 %."""
    from sklearn.linear_model import Lasso
    order, n = pair_order(qid, docid), len(y)
    fifth = -(-n // 5)
    tr, te = order[:n - 2 * fifth], order[n - fifth:]
    r2 = np.zeros(y.shape[1])
    for part in [*range(5), None]:
        held = np.array_split(tr, 5)[part] if part is not None else te
        rows = np.setdiff1d(tr, held) if part is not None else tr
        z, t, sx, sy = scaled(x[rows], y[rows])
        zb, zf, guess = sx(x[held]), np.asfortranarray(z), np.empty((len(held), y.shape[1]))
        for p in range(y.shape[1]):
            m = Lasso(alpha=.1, fit_intercept=False, precompute=False, tol=tol, copy_X=False)
            guess[:, p] = m.fit(zf, t[:, p]).predict(zb)
        e = ((y[held] - sy(guess)) ** 2).sum(0)
        r2 = 1 - e / ((y[held] - y[rows].mean(0)) ** 2).sum(0)
    return r2


def fit_code(x, y, qid, docid):
    from sklearn.linear_model import Ridge
    order, n = pair_order(qid, docid), len(y)
    test = -(-n // 4)
    tr, te = order[:n - test], order[n - test:]
    guess = Ridge(alpha=10, solver="cholesky").fit(x[tr].astype(float), y[tr]).predict(x[te])
    return 1 - ((y[te] - guess) ** 2).sum(0) / ((y[te] - y[tr].mean(0)) ** 2).sum(0)


def fit(path, protocol):
    began = time.perf_counter()
    qid, docid, x, y = load(path)
    started = time.perf_counter()
    if protocol == "sound":
        r2 = fit_sound(x, y, qid)
    else:
        r2 = (fit_text if protocol == "paper-text" else fit_code)(x, y, qid, docid)
    now, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    print(f"{now - began:.3f} {used.ru_utime + used.ru_stime:.3f} {now - started:.3f}")
    np.savetxt(f"{path}/peer.{protocol}.tsv", r2)


def clock(_, *words):
    began = time.perf_counter()
    subprocess.run(words, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.perf_counter() - began:.3f} {used.ru_utime:.3f} {used.ru_stime:.3f}")


def compare(path, probes, protocol):
    want = np.atleast_1d(np.loadtxt(f"{path}/peer.{protocol}.tsv"))
    rows = [l.rstrip("\n").split("\t") for l in open(probes) if not l.startswith("#")]
    at = {name: k for k, name in enumerate(rows[0])}
    got = {r[at["feature"]]: float(r[at["r2"]]) for r in rows[1:] if r[at["protocol"]] == protocol
           and r[at["layer"]] == "0" and r[at["view"]] == VIEW}
    print(f"{max(abs(got[f'f{k}'] - w) for k, w in enumerate(want)):.1e}")


if __name__ == "__main__":
    command, directory, *rest = sys.argv[1:]
    if command == "make":
        make(directory, *map(int, rest))
    else:
        {"fit": fit, "clock": clock, "compare": compare}[command](directory, *rest)
