"""What the probe benchmarks share: stores, features, the folds of `sound`, clocks, comparisons."""
import json
import os
import resource
import subprocess
import time

import numpy as np
import xxhash
from safetensors.numpy import load_file, save_file

VIEW = "resid_post.all.mean"
SHARD = 1024


def write_store(path, qid, docid, tokens, score, width, layers, block, dtype=np.float32):
    """block(layer, first, last) gives rows first ... last of a layer."""
    n = len(qid)
    os.makedirs(f"{path}/{VIEW}", exist_ok=True)
    shards = []
    for s, first in enumerate(range(0, n, SHARD)):
        last = min(first + SHARD, n)
        name = f"{path}/{VIEW}/{s:05d}.safetensors"
        save_file({f"layer.{k}": np.ascontiguousarray(block(k, first, last), dtype=dtype)
                   for k in range(layers)}, name)
        with open(name, "rb") as data:
            checksum = xxhash.xxh3_64_hexdigest(data.read())
        shards.append({"rows": last - first,
                       "files": [{"bytes": os.path.getsize(name), "checksum": checksum}]})
    with open(f"{path}/rows.tsv", "w") as out:
        print("row\tqid\tdocid\ttokens\tscore", file=out)
        for i in range(n):
            print(i, qid[i], docid[i], tokens[i], f"{score[i]:.9g}", sep="\t", file=out)
    with open(f"{path}/rows.tsv", "rb") as data:
        rows = data.read()
    settings = {"views": [{"name": VIEW, "width": width, "layer_first": 0,
                           "layer_last": layers - 1}],
                "dtype": {"float32": "f32", "float16": "f16"}[np.dtype(dtype).name],
                "rows": n, "shard_rows": SHARD, "score": True}
    with open(f"{path}/store.json", "w") as out:
        json.dump({"format": "rankprobe-store", "format_version": 1, "version": "bench",
                   "command": None, "settings": settings,
                   "rows_file": {"bytes": len(rows), "checksum": xxhash.xxh3_64_hexdigest(rows)},
                   "shards": shards}, out)


def write_features(path, qid, docid, names, y):
    with open(path, "w") as out:
        print("qid", "docid", *names, sep="\t", file=out)
        for i in range(len(qid)):
            print(qid[i], docid[i], *(f"{v:.9g}" for v in y[i]), sep="\t", file=out)


def read_table(path):
    """Header and rows (strings) of a TSV file; lines that begin with # are left out."""
    with open(path) as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    return rows[0], rows[1:]


def load_features(path):
    """qid, docid, names of the labels, y [n, labels] in float64."""
    header, rows = read_table(path)
    table = np.array(rows)
    return table[:, 0], table[:, 1], header[2:], table[:, 2:].astype(float)


def load_layer(store, layer=0):
    folder = f"{store}/{VIEW}"
    return np.concatenate([load_file(f"{folder}/{name}")[f"layer.{layer}"]
                           for name in sorted(os.listdir(folder))])


def load(path, layer=0):
    """qid, docid, x (as stored), y of DIR/store and DIR/features.tsv."""
    qid, docid, _, y = load_features(f"{path}/features.tsv")
    return qid, docid, load_layer(f"{path}/store", layer), y


def query_key(qid, salt, seed=1):
    word = np.array([seed, salt], dtype="<u8").tobytes()
    return xxhash.xxh3_64_intdigest(str(qid).encode(), seed=xxhash.xxh3_64_intdigest(word, seed=0))


def pair_order(qid, docid):
    key = [xxhash.xxh3_64_intdigest(str(d).encode(), seed=query_key(q, 0x70616972))
           for q, d in zip(qid, docid)]
    return np.argsort(np.array(key, dtype=np.uint64), kind="stable")


def fold_labels(qid, folds=5, inner=5):
    """Outer and inner fold of every pair, as rankprobe deals queries out with seed 1."""
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
    """Standardised x and y (float64), and how to scale held-out rows and to scale y back."""
    mu, sd = x.mean(0, dtype=float), x.std(0, dtype=float)
    my, sy = y.mean(0), y.std(0)
    return (x - mu) / sd, (y - my) / sy, lambda v: (v - mu) / sd, lambda t: t * sy + my


class Clock:
    """Wall and CPU seconds (threads and waited-for children included) of a with block."""

    def __enter__(self):
        self.wall, self.cpu = time.perf_counter(), cpu_seconds()
        return self

    def __exit__(self, *_):
        self.wall, self.cpu = time.perf_counter() - self.wall, cpu_seconds() - self.cpu


def cpu_seconds():
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def clock(*words):
    """Runs a command; prints "wall user system MiB" (the peak of its memory)."""
    began = time.perf_counter()
    subprocess.run(words, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.perf_counter() - began:.3f} {used.ru_utime:.3f} {used.ru_stime:.3f} "
          f"{used.ru_maxrss / 1024:.0f}")


def read_probes(path, protocol, layer=0):
    """Row of every label as a dict: column to text."""
    header, rows = read_table(path)
    table = [dict(zip(header, row)) for row in rows]
    return {r["feature"]: r for r in table if r["protocol"] == protocol
            and r["layer"] == str(layer) and r["view"] == VIEW}
