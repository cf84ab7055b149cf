"""Encoder similarities by transformers, for bench/encoder.sh. Prints wall, CPU and the seconds without
reading and tokenising.

    encoder_peer.py BERT RUN OUTPUT           (qid pid query passage)
    encoder_peer.py --compare TABLE TABLE     the largest difference of every column
"""

import csv
import sys
import time

COLUMNS = ["paper.euclidean_bert", "paper.manhattan_bert", "sim.bert_cosine"]
BATCH = 32


def embed(model, tokenizer, texts):
    """{text: embedding}; the seconds of the model."""
    import torch

    order = sorted(texts, key=len)
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    inputs = [tokenizer(b, truncation=True, max_length=512, padding=True, return_tensors="pt") for b in batches]
    out, start = {}, time.perf_counter()
    with torch.inference_mode():
        for batch, x in zip(batches, inputs):
            hidden, mask = model(**x).last_hidden_state, x["attention_mask"].unsqueeze(-1).float()
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            out.update(zip(batch, pooled))
    return out, time.perf_counter() - start


def run_job(bert, run, output):
    from transformers import AutoModel, AutoTokenizer
    import torch

    model, tokenizer = AutoModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)
    wall, cpu = time.perf_counter(), time.process_time()
    with open(run, encoding="utf-8") as f:
        pairs = [line.rstrip("\n").split("\t") for line in f]
    vectors, core = embed(model, tokenizer, {t for p in pairs for t in p[2:]})
    with open(output, "w", encoding="utf-8") as f:
        f.write("\t".join(["qid", "docid"] + COLUMNS) + "\n")
        for qid, docid, query, text in pairs:
            q, d = vectors[query].double(), vectors[text].double()
            values = (q - d).norm(), (q - d).abs().sum(), torch.cosine_similarity(q, d, 0)
            f.write("\t".join([qid, docid] + [f"{float(v):.9g}" for v in values]) + "\n")
    print(time.perf_counter() - wall, time.process_time() - cpu, core)


def load(path):
    with open(path, encoding="utf-8") as f:
        rows = list(csv.DictReader((line for line in f if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE))
    return {(r["qid"], r["docid"]): r for r in rows}


def compare(a, b):
    a, b = load(a), load(b)
    assert a.keys() == b.keys()
    for c in COLUMNS:
        values = [(abs(float(a[k][c]) - float(b[k][c])), float(b[k][c])) for k in b]
        low, high = min(v for _, v in values), max(v for _, v in values)
        print(f"{c}: largest difference {max(d for d, _ in values):.1e} of {len(values)} pairs; values {low:.4g} ... {high:.4g}")


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare(*sys.argv[2:])
    else:
        run_job(*sys.argv[1:])
