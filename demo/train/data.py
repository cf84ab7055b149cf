"""Corpus files, tokenizer, BM25 candidates, word vectors: all that training needs, kept in WORK."""
import os
import pickle
from collections import defaultdict

import bm25s
import numpy as np
import scipy.sparse as sp
import Stemmer
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

MAX_QUERY, MAX_PASSAGE, CANDIDATES, VOCAB = 32, 164, 50, 8192
UNK, BOS, EOS = 0, 1, 2


def read_tsv(path):
    with open(path, encoding='utf-8') as f:
        return dict(line.rstrip('\n').split('\t', 1) for line in f)


def read_qrels(path):
    grades = defaultdict(dict)
    with open(path) as f:
        for line in f:
            qid, _, docid, grade = line.split()
            grades[qid][docid] = int(grade)
    return grades


def train_tokenizer(texts):
    tok = Tokenizer(models.BPE(unk_token='<unk>'))
    tok.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=['<unk>', '<s>', '</s>'], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tok.post_processor = processors.TemplateProcessing(
        single='<s> $A', pair='<s> $A <s>:1 $B:1', special_tokens=[('<s>', BOS)])
    return tok


def encode(tok, texts, prefix, limit):
    """Template rankllama-pair: <s>, then the prefixed text cut to `limit` tokens."""
    out = []
    for i in range(0, len(texts), 4096):
        batch = tok.encode_batch([prefix + t for t in texts[i:i + 4096]], add_special_tokens=False)
        out += [np.array([BOS] + e.ids[:limit], dtype=np.int32) for e in batch]
    return out


def word_vectors(lists, width=96, window=6, seed=0):
    """Rows of unit length [V, width]: truncated SVD of positive pointwise mutual information."""
    flat = np.concatenate([np.append(x[1:], [UNK] * window) for x in lists])    # gap between texts
    counts = sp.csr_matrix((VOCAB, VOCAB))
    for d in range(1, window + 1):
        a, b = flat[:-d], flat[d:]
        keep = (a != UNK) & (b != UNK)
        w = np.full(keep.sum(), 1 / d)
        counts = counts + sp.csr_matrix((w, (a[keep], b[keep])), shape=counts.shape)
    counts = (counts + counts.T).tocoo()
    total = np.asarray(counts.sum(1)).ravel()
    context = total ** 0.75
    value = np.log(counts.data * context.sum() / (total[counts.row] * context[counts.col]))
    ppmi = sp.csr_matrix((np.maximum(value, 0), (counts.row, counts.col)), shape=counts.shape)
    u, s, _ = sp.linalg.svds(ppmi, k=width, random_state=seed)
    v = torch.tensor((u * np.sqrt(s)).copy()).float()
    return torch.nn.functional.normalize(v)


def prepare(corpus, work):
    """Everything below, computed once and cached."""
    path = f'{work}/prepared.pickle'
    if os.path.exists(path):
        with open(path, 'rb') as f:
            return pickle.load(f)
    os.makedirs(work, exist_ok=True)
    docs, train, held = (read_tsv(f'{corpus}/{n}.tsv') for n in
                         ('collection', 'queries.train', 'queries.heldout'))
    demo = set(read_tsv(f'{corpus}/queries.demo.tsv'))
    qrels = read_qrels(f'{corpus}/qrels.txt')
    docids, texts = list(docs), list(docs.values())
    row = {d: i for i, d in enumerate(docids)}

    # What the model may see: descriptions of training sources only (a description whose synopsis
    # is too short to be a query is left out: its side is not known here).
    seen = np.array([d in train for d in docids])
    tok = train_tokenizer([docs[q] for q in train] + list(train.values()))
    tok.save(f'{work}/tokenizer.json')
    passages = encode(tok, texts, 'document: ', MAX_PASSAGE)
    vectors = word_vectors([passages[i] for i in np.flatnonzero(seen)])
    print('tokens per passage', np.mean([len(p) for p in passages]), flush=True)

    # BM25 over the whole collection, Anserini's settings.
    stem = Stemmer.Stemmer('porter')
    split = lambda t: bm25s.tokenize(t, stopwords='en', stemmer=stem, show_progress=False)
    index = bm25s.BM25(method='lucene', k1=0.9, b=0.4)
    index.index(split(texts), show_progress=False)

    def part(queries, depth):
        ids = list(queries)
        found, _ = index.retrieve(split([queries[q] for q in ids]), k=depth, n_threads=2,
                                  show_progress=False)
        grades = [{row[d]: g for d, g in qrels[q].items()} for q in ids]
        return dict(qid=ids, tokens=encode(tok, [queries[q] for q in ids], 'query: ', MAX_QUERY),
                    bm25=found.astype(np.int32), grades=grades)

    data = dict(passages=passages, seen=seen, vectors=vectors,
                markers=[tok.token_to_id(w) for w in ('query', 'document')],
                train=part(train, 100), heldout=part(held, CANDIDATES))
    data['demo'] = np.array([q in demo for q in data['heldout']['qid']])
    with open(path + '.new', 'wb') as f:
        pickle.dump(data, f)
    os.rename(path + '.new', path)
    return data
