"""Hugging Face tokenizers doing what bench/tokenize.sh asks of it. Prints tokens and seconds.

    tokenize_peer.py TOKENIZER COLLECTION

One thread (RAYON_NUM_THREADS=1), the fast batch call, which computes no offsets.
"""

import gzip
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer  # noqa: E402

tokenizer = Tokenizer.from_file(sys.argv[1])
with gzip.open(sys.argv[2], "rt", encoding="utf-8", newline="\n") as f:
    texts = [line.rstrip("\n").split("\t", 1)[1] for line in f]
start = time.perf_counter()
encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
seconds = time.perf_counter() - start
print(sum(len(e) for e in encodings), "%.4f" % seconds)
