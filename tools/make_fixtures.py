#!/usr/bin/env python3
"""Makes the golden files under tests/golden/ again, from the reference implementations.

Run by hand, where Python has what the scripts import (transformers, tokenizers, torch, scikit-learn,
rank_bm25, pytrec-eval-terrier; Rscript with glmnet); neither the build nor the tests need it. Without arguments every
script of tools/fixtures/ runs; with arguments the named ones do:

    python3 tools/make_fixtures.py data probe
"""

import pathlib
import subprocess
import sys


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    scripts = {p.stem: p for p in sorted((root / "tools" / "fixtures").glob("*.py"))}
    names = sys.argv[1:] or list(scripts)
    for name in names:
        if name not in scripts:
            sys.exit(f"no fixtures '{name}': there are {', '.join(scripts)}")
    for name in names:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(scripts[name])], cwd=root, check=True)


if __name__ == "__main__":
    main()
