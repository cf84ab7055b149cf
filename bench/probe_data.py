"""Activations of many columns with labels, for the probe benchmarks; made once, kept in DIR.

    probe_data.py DIR NAME [n=5000] [width=4096] [layers=1] [dtype=f32]

writes DIR/NAME/store (as capture does) and DIR/NAME/features.tsv.

What is real: the texts (the demo's corpus, 427 queries that demo/model never saw, BM25's first 50
candidates of each), the 1,728 columns of all layers of demo/model and, where STORIES names a
directory with it, of the 260K-parameter story model (else demo/model's alone), and the labels:
mslr.* and sim.* of the same pairs, 24 of them, and the logarithms of length and var_tfidf.

What is made up: the width. A column is a random mixture of 2 to 8 standardised real columns with a
tenth of independent noise, times a log-normal scale, plus an offset of its size; ten columns are
massive, their means 100 to 1,000 times their deviations. So columns correlate as those of real
layers do and the spectrum falls as theirs does, down to the noise. Layers beyond the first are
other mixtures of the same columns.

RANKPROBE (build/rankprobe) makes the real part: some minutes, once.
"""
import os
import subprocess
import sys

import numpy as np
import scipy.sparse

import probe_common as common

QUERY_STEP = 11     # every 11th held-out query of the demo: 427 of them, 21,350 pairs
TOP = 50
MASSIVE = 10
NOISE = .1


def run(*words):
    subprocess.run([os.environ.get("RANKPROBE", "build/rankprobe"), *words], check=True)


def make_real(path):
    """Search, features and captures of DIR/real; what is there is left alone."""
    os.makedirs(path, exist_ok=True)
    subprocess.run(["demo/corpus.sh", "out/demo/data"], check=True)
    collection = "out/demo/data/collection.tsv"
    queries, hits, features = f"{path}/queries.tsv", f"{path}/run.trec", f"{path}/features.tsv"
    if not os.path.exists(queries):
        with open("out/demo/data/queries.heldout.tsv") as lines:
            chosen = lines.readlines()[::QUERY_STEP]
        with open(queries, "w") as out:
            out.writelines(chosen)
    if not os.path.exists(hits):
        run("search", collection, queries, "-a", "english", "-o", hits)
    pairs = ["--run", hits, "--queries", queries, "--collection", collection, "--top", str(TOP)]
    if not os.path.exists(features):
        run("features", *pairs, "-o", features)
    models = {"demo": ["demo/model"]}
    if "STORIES" in os.environ:
        models["stories"] = [os.environ["STORIES"], "--no-score"]
    for name, model in models.items():
        run("capture", "--model", *model, *pairs, "-o", f"{path}/{name}")
    return [f"{path}/{name}" for name in models]


def real_columns(stores):
    """Standardised columns of all layers [n, columns], f32."""
    parts = []
    for store in stores:
        folder = f"{store}/{common.VIEW}"
        shards = [common.load_file(f"{folder}/{s}") for s in sorted(os.listdir(folder))]
        for layer in sorted(shards[0], key=lambda name: int(name.split(".")[1])):
            if layer.split(".")[2:] == []:
                parts.append(np.concatenate([s[layer] for s in shards]))
    z = np.concatenate(parts, 1).astype(float)
    sd = z.std(0)
    z = (z - z.mean(0))[:, sd > 1e-6 * sd.max()]
    return (z / z.std(0)).astype(np.float32)


def labels(path):
    """qid, docid, names, y: the features that vary, and two logarithms."""
    qid, docid, names, y = common.load_features(path)
    at = {name: k for k, name in enumerate(names)}
    kept = [n for n in names if n.startswith(("mslr.", "sim.")) and np.nanstd(y[:, at[n]]) > 0]
    logs = {"log.length": "mslr.stream_length", "log.var_tfidf": "mslr.var_tfidf"}
    columns = [y[:, at[n]] for n in kept] + [np.log1p(y[:, at[n]]) for n in logs.values()]
    return qid, docid, kept + list(logs), np.stack(columns, 1)


def choose(qid, n):
    """Rows of queries drawn at random, n in all, each query's together."""
    if n > len(qid):
        sys.exit(f"probe_data.py: {n} pairs wanted, {len(qid)} there")
    order = np.random.default_rng(0).permutation(np.unique(qid))
    place = {q: k for k, q in enumerate(order)}
    rows = np.argsort([place[q] for q in qid], kind="stable")
    return rows[:n]


def mixture(z, width, layer):
    """Sparse weights [columns, width] of unit variance, noise, scale and offset of each column."""
    rng = np.random.default_rng(layer + 1)
    count = rng.integers(2, 9, width)
    row = np.concatenate([rng.choice(z.shape[1], k, replace=False) for k in count])
    col = np.repeat(np.arange(width), count)
    w = scipy.sparse.csc_matrix((rng.normal(size=len(row)), (row, col)), (z.shape[1], width))
    sample = z[rng.choice(len(z), min(len(z), 4000), replace=False)] @ w
    w = w @ scipy.sparse.diags(1 / sample.std(0))
    scale = np.exp(rng.normal(size=width))
    offset = rng.normal(size=width) * scale
    massive = rng.choice(width, min(MASSIVE, width), replace=False)
    scale[massive] = np.minimum(scale[massive], 20)     # f16 ends at 65504
    offset[massive] = scale[massive] * 10 ** rng.uniform(2, 3, len(massive))
    return scipy.sparse.csr_matrix(w.T.astype(np.float32)), scale, offset


def main(path, name, n=5000, width=4096, layers=1, dtype="f32"):
    if os.path.exists(f"{path}/{name}/features.tsv"):
        return
    stores = make_real(f"{path}/real")
    z = real_columns(stores)
    qid, docid, names, y = labels(f"{path}/real/features.tsv")
    header, pairs = common.read_table(f"{path}/real/demo/rows.tsv")
    at = {column: k for k, column in enumerate(header)}
    assert [(r[at["qid"]], r[at["docid"]]) for r in pairs] == list(zip(qid, docid))
    rows = choose(qid, n)
    tokens = [pairs[i][at["tokens"]] for i in rows]
    score = [float(pairs[i][at["score"]]) for i in rows]
    z, qid, docid, y = z[rows], qid[rows], docid[rows], y[rows]
    mixtures = [mixture(z, width, layer) for layer in range(layers)]

    def block(layer, first, last):
        w, scale, offset = mixtures[layer]
        noise = np.random.default_rng([layer, first]).normal(size=(last - first, width))
        return ((w @ z[first:last].T).T + NOISE * noise) * scale + offset

    common.write_store(f"{path}/{name}/store", qid, docid, tokens, score, width, layers, block,
                       {"f32": np.float32, "f16": np.float16}[dtype])
    common.write_features(f"{path}/{name}/features.tsv", qid, docid, names, y)
    print(f"{path}/{name}: {n} pairs, {len(set(qid))} queries, {layers} layers of {width} from "
          f"{z.shape[1]} real columns, {len(names)} labels")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    options = dict(word.split("=", 1) for word in sys.argv[3:])
    main(*sys.argv[1:3], **{k: v if k == "dtype" else int(v) for k, v in options.items()})
