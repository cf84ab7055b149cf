"""A store of one tall layer, for probe_tall.sh: PATH ROWS WIDTH.

x is f32: 24 factors, loadings that fall off, noise; a query has 100 pairs and a share of its own in
the factors. Three labels are mixtures of the factors and noise. Written shard by shard.
"""
import json
import os
import sys

import numpy as np
import xxhash
from safetensors.numpy import save

VIEW, SHARD, EACH, RANK, LABELS = "resid_post.all.mean", 16384, 100, 24, 3


def main(path, n, width):
    rng = np.random.default_rng(0)
    loading = rng.normal(size=(RANK, width)) * np.exp(-np.arange(RANK) / 8)[:, None]
    loading = (loading * np.exp(rng.normal(size=width))).astype(np.float32)
    weight = rng.normal(size=(RANK, LABELS))
    query = rng.normal(size=((n - 1) // EACH + 1, RANK)).astype(np.float32)
    os.makedirs(f"{path}/store/{VIEW}")
    shards, sums = [], xxhash.xxh3_64()
    with open(f"{path}/store/rows.tsv", "w") as rows, open(f"{path}/features.tsv", "w") as labels:
        print("row\tqid\tdocid\ttokens\tscore", file=rows)
        print("qid\tdocid\t" + "\t".join(f"y{k}" for k in range(LABELS)), file=labels)
        for s, first in enumerate(range(0, n, SHARD)):
            at = np.arange(first, min(first + SHARD, n))
            factor = rng.standard_normal((len(at), RANK), np.float32) + query[at // EACH]
            x = factor @ loading + rng.standard_normal((len(at), width), np.float32)
            y = factor @ weight / 5 + rng.normal(size=(len(at), LABELS))
            data = save({"layer.0": x})
            with open(f"{path}/store/{VIEW}/{s:05d}.safetensors", "wb") as out:
                out.write(data)
            shards.append({"rows": len(at), "files": [
                {"bytes": len(data), "checksum": xxhash.xxh3_64_hexdigest(data)}]})
            rows.writelines(f"{i}\tq{i // EACH}\td{i}\t60\t{v[0]:.6g}\n" for i, v in zip(at, y))
            labels.writelines(f"q{i // EACH}\td{i}\t" + "\t".join(f"{u:.7g}" for u in v) + "\n"
                              for i, v in zip(at, y))
    with open(f"{path}/store/rows.tsv", "rb") as rows:
        while block := rows.read(1 << 24):
            sums.update(block)
    settings = {"views": [{"name": VIEW, "width": width, "layer_first": 0, "layer_last": 0}],
                "dtype": "f32", "rows": n, "shard_rows": SHARD, "score": True}
    with open(f"{path}/store/store.json", "w") as out:
        json.dump({"format": "rankprobe-store", "format_version": 1, "version": "bench",
                   "command": None, "settings": settings,
                   "rows_file": {"bytes": os.path.getsize(f"{path}/store/rows.tsv"),
                                 "checksum": sums.hexdigest()}, "shards": shards}, out)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
