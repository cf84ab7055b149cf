"""Hugging Face tokenizers doing what bench/tokenize.sh asks of it. Prints tokens and seconds.

    tokenize_peer.py TOKENIZER COLLECTION

TOKENIZER is a tokenizer.json, a vocab.txt or a BPE .model; the latter two are made into a tokenizer by
transformers. One thread (RAYON_NUM_THREADS=1), the fast batch call, which computes no offsets.
"""

import gzip
import json
import os
import shutil
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer  # noqa: E402



def load(path):
    if path.endswith(".json"):
        return Tokenizer.from_file(path)
    import transformers
    transformers.logging.set_verbosity_error()
    text = path.endswith(".txt")
    with tempfile.TemporaryDirectory() as d:
        shutil.copyfile(path, os.path.join(d, "vocab.txt" if text else "tokenizer.model"))
        with open(os.path.join(d, "config.json"), "w") as f:
            json.dump({"model_type": "bert" if text else "llama"}, f)
        return transformers.AutoTokenizer.from_pretrained(d)._tokenizer


tokenizer = load(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
with gzip.open(sys.argv[2], "rt", encoding="utf-8", newline="\n") as f:
    texts = [line.rstrip("\n").split("\t", 1)[1] for line in f]
start = time.perf_counter()
encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
seconds = time.perf_counter() - start
print(sum(len(e) for e in encodings), "%.4f" % seconds)
