"""The published approach to the features of bench/features.sh. Prints wall, CPU and the seconds
without reading the files.

    features_peer.py RUN OUTPUT                (qid pid query passage)
    features_peer.py --compare TABLE TABLE     the largest relative difference of a column
"""

import collections
import csv
import math
import re
import sys
import time

import numpy as np
from rank_bm25 import BM25Okapi
from scipy.spatial.distance import jensenshannon
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import pairwise

OF, MOMENTS = ("tf", "tfl", "tfidf"), (np.sum, np.min, np.max, np.mean, np.var)
NAMES = ["covered_qt_number", "covered_qt_ratio", "stream_length"]
NAMES += [f"{m.__name__}_{of}" for of in OF for m in MOMENTS] + ["bm25", "kl"]
COLUMNS = ["paper." + n for n in NAMES]
COLUMNS += ["sim." + n for n in ("tfidf_cosine", "euclidean", "manhattan", "kl", "js")]


def words(text):
    return re.findall(r"(?u)\b\w\w+\b", text.lower())


def divergences(query, doc, background):
    """KL with epsilon, Dirichlet-smoothed KL, Jensen-Shannon."""
    q, d = collections.Counter(query), collections.Counter(doc)
    terms = list(q.keys() | d.keys())
    p = np.array([q[t] / len(query) for t in terms])
    r = np.array([d[t] / len(doc) for t in terms])
    kl = np.sum(p * (np.log(p + 1e-10) - np.log(r + 1e-10)))
    smooth = sum(
        n / len(query) * math.log(n / len(query) * (len(doc) + 2000) / (d[t] + 2000 * background(t))) for t, n in q.items()
    )
    return kl, smooth, jensenshannon(p, r) ** 2


def features(query, texts):
    counts = CountVectorizer()
    tf = counts.fit_transform(texts).toarray()
    vocabulary = counts.vocabulary_
    rows = TfidfVectorizer(smooth_idf=False, vocabulary=vocabulary).fit_transform([query] + texts).toarray()[1:]
    tokens, query_tokens = [words(t) for t in texts], words(query)
    bm25 = BM25Okapi(tokens).get_scores(query_tokens)
    weights = TfidfVectorizer().fit_transform([query] + texts)
    cosine = pairwise.cosine_similarity(weights[:1], weights[1:])[0]
    euclidean = pairwise.euclidean_distances(weights[:1], weights[1:])[0]
    manhattan = pairwise.manhattan_distances(weights[:1].toarray(), weights[1:].toarray())[0]
    covered = sum(t in vocabulary for t in set(query_tokens))
    totals, total = tf.sum(axis=0), tf.sum()
    background = lambda t: (totals[vocabulary[t]] if t in vocabulary else 0.5) / total
    for i, doc in enumerate(tokens):
        length = tf[i].sum()
        tfl = tf[i] / length
        kl, smooth, js = divergences(query_tokens, doc, background)
        yield [
            covered,
            covered / len(vocabulary),
            length,
            *(m(x) for x in (tf[i], tfl, rows[i]) for m in MOMENTS),
            bm25[i],
            kl,
            cosine[i],
            euclidean[i],
            manhattan[i],
            smooth,
            js,
        ]


def run_job(run, output):
    wall, cpu = time.perf_counter(), time.process_time()
    topics, lists = {}, collections.defaultdict(list)
    with open(run, encoding="utf-8") as f:
        for line in f:
            qid, docid, query, text = line.rstrip("\n").split("\t")
            topics[qid] = query
            lists[qid].append((docid, text))
    core = time.perf_counter()
    with open(output, "w", encoding="utf-8") as f:
        f.write("\t".join(["qid", "docid"] + COLUMNS) + "\n")
        for qid, pairs in lists.items():
            for (docid, _), row in zip(pairs, features(topics[qid], [text for _, text in pairs])):
                f.write("\t".join([qid, docid] + [f"{x:.9g}" for x in row]) + "\n")
    core = time.perf_counter() - core
    print(time.perf_counter() - wall, time.process_time() - cpu, core)


def load(path):
    with open(path, encoding="utf-8") as f:
        rows = list(csv.DictReader((line for line in f if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE))
    return {(r["qid"], r["docid"]): r for r in rows}


def compare(a, b):
    a, b = load(a), load(b)
    worst, where = 0.0, None
    for c in COLUMNS:
        scale = max(abs(float(b[k][c])) for k in b) or 1
        difference = max(abs(float(a[k][c]) - float(b[k][c])) for k in b) / scale
        if difference > worst:
            worst, where = difference, c
    print(f"{len(COLUMNS)} columns of {len(b)} pairs: largest difference {worst:.1e} of the column's maximum ({where})")


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare(*sys.argv[2:])
    else:
        run_job(*sys.argv[1:])
