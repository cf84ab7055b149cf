/*
 * Word boundaries of UAX 29 (Unicode text segmentation), in the sense in which Lucene's
 * StandardTokenizer uses them: a word is a segment that contains a letter, a number or an
 * ideograph; everything between words is dropped.
 *
 * All of WB1-WB999 that touch words are followed (WB3c ZWJ and pictographs, WB4 marks and formats
 * ride along, WB5-7c letters with an inner ' . : and the Hebrew quotes, WB8-10 letters and digits,
 * WB11-12 digits with an inner . , ; ', WB13-13b Katakana and _). Two additions, both Lucene's:
 * Thai, Lao, Khmer, Burmese and their like, which UAX 29 leaves to a dictionary, stay together in
 * runs; Han ideographs and Hiragana are words one by one. A run of _ alone is not a word, and
 * neither is an emoji. Unlike Lucene, a word of more than 255 characters is not cut.
 *
 * Bytes that are not UTF-8 separate words.
 */
#ifndef RP_RETRIEVE_WORDBREAK_H
#define RP_RETRIEVE_WORDBREAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rp_wordbreak {
    RP_WB_OTHER,
    RP_WB_ALETTER,
    RP_WB_HEBREW,
    RP_WB_NUMERIC,
    RP_WB_KATAKANA,
    RP_WB_EXTENDNUMLET,
    RP_WB_EXTEND, /* and Format */
    RP_WB_ZWJ,
    RP_WB_MIDLETTER,
    RP_WB_MIDNUM,
    RP_WB_MIDNUMLET,
    RP_WB_SINGLE,
    RP_WB_DOUBLE,
    RP_WB_COMPLEX,   /* South-East Asian letters */
    RP_WB_IDEOGRAPH, /* each a word of its own */
    RP_WB_PICTOGRAPH = 0x20
} rp_wordbreak;

extern const uint32_t rp_wordbreak_table[];
extern const size_t rp_wordbreak_table_size;

/* Class of a code point, RP_WB_PICTOGRAPH or'ed in for Extended_Pictographic. */
unsigned rp_wordbreak_class(int32_t codepoint);

typedef struct rp_word {
    size_t begin, end; /* bytes */
    bool ascii;        /* every byte is below 0x80 */
} rp_word;

/* The first word at or after byte *at of text [len]; *at moves behind it. false: no more words. */
bool rp_word_next(rp_word *word, size_t *at, const char *text, size_t len);

#endif
