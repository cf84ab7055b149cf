#!/bin/bash
# corpus.sh OUTDIR: a retrieval collection from the Debian package descriptions that apt can fetch.
#
# Synopsis = query, long description = passage. Writes into OUTDIR (and leaves files that are there
# already alone, so a second run needs no network):
#   collection.tsv       docid TAB text        docid is the package's name
#   queries.train.tsv    qid TAB synopsis      what demo/model was trained on
#   queries.heldout.tsv  qid TAB synopsis      about 8 % of the sources, never trained on
#   queries.demo.tsv     qid TAB synopsis      100 of the held-out queries, each of another source
#   qrels.txt            qid 0 docid grade     2 the package itself, 1 others of its source package
#
# The split is a hash of the source package's name without digits (gcc-12 and gcc-13 are one), so
# a demo query of tomorrow's archive still belongs to a source that the model has never seen.
# apt works in a private directory: no root needed, and the machine's own lists stay as they are.
set -euo pipefail
export LC_ALL=C

fail() { echo "corpus.sh: $*" >&2; exit 1; }

[ $# -eq 1 ] && [ -n "$1" ] || { echo "usage: corpus.sh OUTDIR" >&2; exit 2; }
out=$1
files="collection.tsv queries.train.tsv queries.heldout.tsv queries.demo.tsv qrels.txt"
missing=
for f in $files; do [ -s "$out/$f" ] || missing=$f; done
[ -n "$missing" ] || { echo "corpus.sh: '$out' is complete, nothing to do" >&2; exit 0; }

awk=${AWK:-awk}     # mawk, gawk or "busybox awk": the same bytes come out of each
helper=${APT_HELPER:-/usr/lib/apt/apt-helper}
command -v apt-get >/dev/null || fail "apt-get not found: the demo corpus needs Debian or a relative of it"
[ -x "$helper" ] || fail "'$helper' not found: it reads apt's lists (package apt)"

mkdir -p "$out" || fail "cannot create '$out'"
new=$(mktemp -d "$out/.corpus.XXXXXX") || fail "cannot write into '$out'"
tmp=$(mktemp -d) || fail "cannot create a temporary directory"
trap 'rm -rf "$tmp" "$new"' EXIT
trap 'exit 130' INT TERM HUP

# ---- 1. apt's lists: Packages (names, synopses) and Translation-en (long descriptions) ----
# The file is read after the machine's own settings and undoes what would get in the way: update
# hooks that want root, languages switched off (containers), further index files.
chmod 755 "$tmp"    # apt downloads as another user when run by root
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
cat > "$tmp/apt.conf" <<EOF
#clear APT::Update;
#clear Acquire::Languages;
Acquire::Languages "en";
#clear Acquire::IndexTargets::deb;
Acquire::IndexTargets::deb::Packages { MetaKey "\$(COMPONENT)/binary-\$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages"; ShortDescription "Packages"; Optional "0"; };
Acquire::IndexTargets::deb::Translations { MetaKey "\$(COMPONENT)/i18n/Translation-\$(LANGUAGE)";
  flatMetaKey "\$(LANGUAGE)"; ShortDescription "Translation-\$(LANGUAGE)"; };
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::State::Lists "$tmp/lists";
Dir::Cache "$tmp/cache";
EOF
echo "corpus.sh: downloading package lists (about 16 MB)" >&2
# A third-party source that fails is no reason to stop: what counts is Debian's own lists, below.
apt-get -q -c "$tmp/apt.conf" update > "$tmp/update.log" 2>&1 || true

targets() {   # the files of Debian's main archive (or, on its relatives, of theirs) that arrived
    apt-get -c "$tmp/apt.conf" indextargets --format '$(FILENAME)' \
        "Created-By: $1" "Origin: $origin" 'Component: main' 2>> "$tmp/update.log"
}
for origin in Debian Ubuntu Raspbian Devuan; do
    packages=$(targets Packages) texts=$(targets Translations)
    [ -z "$packages" ] || [ -z "$texts" ] || break
done
if [ -z "$packages" ] || [ -z "$texts" ]; then
    grep -E '^(E|W|Err)' "$tmp/update.log" | head -5 >&2 || true
    fail "could not download the package lists: is there a network, and a Debian archive in apt's sources?"
fi

# ---- 2. One row a package: name, source, hash, synopsis, text ----
{
    echo "@texts";    while read -r f; do "$helper" cat-file "$f"; echo; done <<< "$texts"
    echo "@packages"; while read -r f; do "$helper" cat-file "$f"; echo; done <<< "$packages"
} | $awk '
    function hash(s,    i, h) {     # exact in doubles: always below 2^53
        h = 7
        for (i = 1; i <= length(s); i++) {
            h = (h * 131 + index(letters, substr(s, i, 1))) % 16777213
        }
        return h
    }
    function end_of_stanza(    s) {
        if (part == "@texts") {
            if (md5 != "" && !(md5 in text)) text[md5] = long
        } else if (name != "" && !(name in seen) && (md5 in text)) {
            seen[name] = 1          # the first version in the order of the sources; one is enough
            if (source == "") source = name
            s = tolower(short " " text[md5])
            if (s !~ /transitional|dummy package|empty package/ && split(text[md5], w, " ") >= 8) {
                s = source
                gsub(/[0-9.]+/, "", s)
                print name "\t" source "\t" hash(s) "\t" hash(name) "\t" short "\t" text[md5]
            }
        }
        name = source = md5 = short = long = ""
        in_long = 0
    }
    BEGIN { letters = "abcdefghijklmnopqrstuvwxyz0123456789+-." }
    /^@(texts|packages)$/ { part = $0; next }
    /^$/ { end_of_stanza(); next }
    /^ / {
        if (!in_long) next
        sub(/^ +\.$/, "")           # an empty line of the description
        sub(/^ +[*+o-] +/, " ")     # a bullet
        gsub(/[ \t\r]+/, " ")
        sub(/^ /, ""); sub(/ $/, "")
        if ($0 != "") long = long == "" ? $0 : long " " $0
        next
    }
    { in_long = 0 }
    /^Package: / { name = $2 }
    /^Source: / { source = $2 }
    /^Description-md5: / { md5 = $2 }
    /^Description(-en)?: / {
        in_long = 1
        sub(/^[^ ]+ +/, ""); gsub(/[ \t\r]+/, " "); sub(/ $/, "")
        short = $0
    }
' | sort -t "$(printf '\t')" -k1,1 > "$tmp/rows.tsv"

# ---- 3. The collection, the queries, the grades ----
# Demo candidates leave through a file of their own: sorting by hash is a fair draw that every
# machine repeats.
$awk -F '\t' -v dir="$new" '
    $6 in known { next }            # the same description under a later name
    {
        known[$6] = 1
        print $1 "\t" $6 > (dir "/collection.tsv")
        n++
        name[n] = $1; source[n] = $2
        members[$2] = members[$2] " " n
        asks[n] = split($5, w, " ") >= 3
        if (!asks[n]) next
        if ($3 % 100 < 8) {
            print $1 "\t" $5 > (dir "/queries.heldout.tsv")
            print $4 "\t" $2 "\t" $1 "\t" $5 > (dir "/demo.candidates")
        } else {
            print $1 "\t" $5 > (dir "/queries.train.tsv")
        }
    }
    END {
        for (i = 1; i <= n; i++) {
            if (!asks[i]) continue
            print name[i] " 0 " name[i] " 2" > (dir "/qrels.txt")
            m = split(members[source[i]], w, " ")
            for (j = 1; j <= m; j++) {
                if (w[j] != i) print name[i] " 0 " name[w[j]] " 1" > (dir "/qrels.txt")
            }
        }
    }
' "$tmp/rows.tsv"

[ -s "$new/demo.candidates" ] || fail "apt's lists hold no package descriptions"
sort -n -k1,1 "$new/demo.candidates" | $awk -F '\t' '!($2 in seen) && n < 100 {
    seen[$2] = 1; n++; print $3 "\t" $4 }' | sort > "$new/queries.demo.tsv"
rm "$new/demo.candidates"

for f in $files; do [ -s "$new/$f" ] || fail "'$f' came out empty"; done
for f in $files; do mv -f "$new/$f" "$out/$f"; done
echo "corpus.sh: '$out': $(wc -l < "$out/collection.tsv") descriptions," \
     "$(wc -l < "$out/queries.train.tsv") training and" \
     "$(wc -l < "$out/queries.heldout.tsv") held-out queries" >&2
