#include "retrieve/stem.h"

#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 255 /* bytes; longer words are not English and stay as they are */

struct rp_stemmer {
    struct sb_stemmer *porter;
    char scratch[LONGEST + 1];
};

size_t rp_word_possessive(const char *word, size_t len)
{
    if (len < 2 || (word[len - 1] | 0x20) != 's') return len;
    if (word[len - 2] == '\'') return len - 2;
    if (len >= 4) {
        const char *mark = word + len - 4;
        if (!memcmp(mark, "\xe2\x80\x99", 3) || !memcmp(mark, "\xef\xbc\x87", 3)) return len - 4;
    }
    return len;
}

bool rp_word_stop(const char *word, size_t len)
{
    static const char *const stop[] = {
        "a",   "an",    "and",  "are",   "as",    "at",   "be",   "but", "by",  "for",  "if",
        "in",  "into",  "is",   "it",    "no",    "not",  "of",   "on",  "or",  "such", "that",
        "the", "their", "then", "there", "these", "they", "this", "to",  "was", "will", "with"};
    if (len > 5) return false;
    for (size_t i = 0; i < sizeof stop / sizeof *stop; i++) {
        if (strlen(stop[i]) == len && !memcmp(stop[i], word, len)) return true;
    }
    return false;
}

rp_stemmer *rp_stemmer_new(void)
{
    rp_stemmer *stemmer = calloc(1, sizeof *stemmer);
    if (!stemmer) return NULL;
    stemmer->porter = sb_stemmer_new("porter", "UTF_8");
    if (!stemmer->porter) {
        free(stemmer);
        return NULL;
    }
    return stemmer;
}

void rp_stemmer_free(rp_stemmer *stemmer)
{
    if (!stemmer) return;
    sb_stemmer_delete(stemmer->porter);
    free(stemmer);
}

static bool has_measure(const char *word, size_t len)
{
    bool vowel = false;
    for (size_t i = 0; i < len; i++) {
        bool is_vowel = memchr("aeiou", word[i], 5) || (word[i] == 'y' && i > 0 && !vowel);
        if (vowel && !is_vowel) return true;
        vowel = is_vowel;
    }
    return false;
}

/* Departures in step 2: what ends in -bly or -logy stems like the same word in -ble or -log, if
 * there is a syllable before. Returns the new length, 0 if the rules do not apply. */
static size_t depart(char *out, const char *word, size_t len)
{
    static const struct {
        const char *suffix, *to;
    } rule[] = {{"blies", "ble"},  {"bly", "ble"},  {"bli", "ble"},
                {"logies", "log"}, {"logy", "log"}, {"logi", "log"}};
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
        size_t n = strlen(rule[i].suffix), m = strlen(rule[i].to);
        if (len <= n || memcmp(word + len - n, rule[i].suffix, n)) continue;
        if (!has_measure(word, len - n)) return 0;
        memcpy(out, word, len - n);
        memcpy(out + len - n, rule[i].to, m);
        return len - n + m;
    }
    return 0;
}

static size_t characters(const char *word, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) n += (word[i] & 0xc0) != 0x80;
    return n;
}

rp_status rp_stemmer_run(rp_stemmer *stemmer, const char **stem, size_t *stem_len, const char *word,
                         size_t len, rp_error *err)
{
    *stem = word;
    *stem_len = len;
    if (len > LONGEST || characters(word, len) <= 2) return RP_OK;
    size_t changed = depart(stemmer->scratch, word, len);
    if (changed) {
        word = stemmer->scratch;
        len = changed;
    }
    const sb_symbol *out = sb_stemmer_stem(stemmer->porter, (const sb_symbol *)word, (int)len);
    if (!out) return rp_fail_memory(err, len);
    *stem = (const char *)out;
    *stem_len = (size_t)sb_stemmer_length(stemmer->porter);
    return RP_OK;
}
