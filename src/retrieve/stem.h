/*
 * English words as Lucene's EnglishAnalyzer (and so Anserini) prepares them: possessive removed,
 * 33 stop words removed, Porter stemmer.
 */
#ifndef RP_RETRIEVE_STEM_H
#define RP_RETRIEVE_STEM_H

#include "base/error.h"

/* Length of the word without a trailing 's ('S, and with U+2019 or U+FF07 as apostrophe). */
size_t rp_word_possessive(const char *word, size_t len);
/* Is the lower-case word one of Lucene's 33 English stop words? */
bool rp_word_stop(const char *word, size_t len);

typedef struct rp_stemmer rp_stemmer; /* one per thread */
rp_stemmer *rp_stemmer_new(void);     /* NULL: no memory */
void rp_stemmer_free(rp_stemmer *stemmer);
/* Stem of a lower-case word: libstemmer's "porter" with the three departures of Porter's own later
 * code, which Lucene has too: -bli and -logi for -abli in step 2, words of one or two letters stay.
 * *stem (not NUL-terminated) is valid until the next call or the end of `word`. */
rp_status rp_stemmer_run(rp_stemmer *stemmer, const char **stem, size_t *stem_len, const char *word,
                         size_t len, rp_error *err);

#endif
