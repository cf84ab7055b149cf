#!/usr/bin/env python3
"""Writes src/retrieve/wordbreak_table.c: the word break class of every code point.

Run by hand when Unicode moves on: pip install regex; tools/make_wordbreak.py > FILE. The properties
are those of PyPI's `regex`, which carries its own Unicode database.
"""

import regex

CLASSES = [  # in the order of rp_wordbreak
    ("OTHER", None),
    ("ALETTER", r"\p{WB=ALetter}"),
    ("HEBREW", r"\p{WB=Hebrew_Letter}"),
    ("NUMERIC", r"\p{WB=Numeric}"),
    ("KATAKANA", r"\p{WB=Katakana}"),
    ("EXTENDNUMLET", r"\p{WB=ExtendNumLet}"),
    ("EXTEND", r"[\p{WB=Extend}\p{WB=Format}]"),
    ("ZWJ", r"\p{WB=ZWJ}"),
    ("MIDLETTER", r"\p{WB=MidLetter}"),
    ("MIDNUM", r"\p{WB=MidNum}"),
    ("MIDNUMLET", r"\p{WB=MidNumLet}"),
    ("SINGLE", r"\p{WB=Single_Quote}"),
    ("DOUBLE", r"\p{WB=Double_Quote}"),
    # Letters without a word break property of their own: South-East Asian scripts without spaces
    # (runs stay together, as in Lucene) and ideographs, Hiragana and the like (each is a word).
    ("COMPLEX", r"(?V1)[\p{LineBreak=SA}&&\p{L}&&\p{WB=Other}]"),
    ("IDEOGRAPH", r"(?V1)[[\p{L}\p{Script=Han}\p{Script=Hiragana}]&&\p{WB=Other}&&[\p{L}\p{Nl}]]"),
]
PICTOGRAPH = 0x20


def main():
    patterns = [(i, regex.compile(p)) for i, (_, p) in enumerate(CLASSES) if p]
    pictograph = regex.compile(r"\p{Extended_Pictographic}")
    ranges, last = [], None
    for cp in range(0x110000):
        ch = chr(cp)
        value = next((i for i, p in patterns if p.match(ch)), 0)
        if pictograph.match(ch):
            value |= PICTOGRAPH
        if value != last:
            ranges.append(cp << 8 | value)
            last = value
    print("/* Written by tools/make_wordbreak.py: first code point << 8 | class, up to the next row. */")
    print("// clang-format off")
    print('#include "retrieve/wordbreak.h"\n')
    print(f"const uint32_t rp_wordbreak_table[{len(ranges)}] = {{")
    for i in range(0, len(ranges), 9):
        print("    " + " ".join(f"0x{r:x}," for r in ranges[i : i + 9]))
    print("};")
    print(f"const size_t rp_wordbreak_table_size = {len(ranges)};")


if __name__ == "__main__":
    main()
