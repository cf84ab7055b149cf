"""bm25s doing what bench/search.sh asks of it. Prints wall, CPU and index + search seconds.

    search_peer.py COLLECTION QUERIES RUN
    search_peer.py --compare RUN RUN      how far the scores at every rank agree
"""

import gzip
import sys
import time

import bm25s


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t", 1) for line in f]
    return [r[0] for r in rows], [r[1] for r in rows]


def search(collection, queries, run):
    wall, cpu = time.perf_counter(), time.process_time()
    docids, texts = read(collection)
    qids, topics = read(queries)
    tokens = bm25s.tokenize(texts, stopwords=None, show_progress=False)
    query_tokens = bm25s.tokenize(topics, stopwords=None, return_ids=False, show_progress=False)
    core = time.perf_counter()
    model = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    model.index(tokens, show_progress=False)
    hits, scores = model.retrieve(query_tokens, k=100, n_threads=-1, show_progress=False)
    core = time.perf_counter() - core
    with open(run, "w", encoding="utf-8") as f:
        for qid, row, values in zip(qids, hits, scores):
            for rank, (i, score) in enumerate(zip(row, values), 1):
                f.write(f"{qid} Q0 {docids[i]} {rank} {score} bm25s\n")
    print(time.perf_counter() - wall, time.process_time() - cpu, core)


def load(path):
    run = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            qid, _, docid, _, score, _ = line.split()
            run.setdefault(qid, []).append((docid, float(score)))
    return run


def compare(a, b):
    a, b = load(a), load(b)
    worst = max(abs(x[1] - y[1]) / y[1] for q in b for x, y in zip(a[q], b[q]) if y[1] > 0)
    same = sum(x[0] == y[0] for q in b for x, y in zip(a[q], b[q]))
    total = sum(len(v) for v in b.values())
    print(f"scores rank by rank: largest relative difference {worst:.1e}; same document at {same} of {total} ranks")


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare(*sys.argv[2:])
    else:
        search(*sys.argv[1:])
