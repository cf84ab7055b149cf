"""The peers of the probe benchmarks, and what is compared with them.

    probe_peer.py make DIR queries pairs width labels    small synthetic data, for probe.sh
    probe_peer.py clock command ...         runs it; prints "wall user system MiB"
    probe_peer.py protocol DIR PROTOCOL     scikit-learn on one of the three protocols
    probe_peer.py lasso DIR PEER            fixed penalty .1, labels x 5 folds
    probe_peer.py path DIR PEER             100 penalties, inner folds, labels x 5 outer folds
    probe_peer.py ridge DIR PEER WHAT       nested, fixed, permuted or naive
    probe_peer.py compare-protocol DIR PROTOCOL probes.tsv          ours against what the peer's
    probe_peer.py compare-folds DIR KIND PEER predictions           last run left in DIR
    probe_peer.py compare-objective DIR PEER coefficients           ... against a fit on all rows

A fit prints "wall CPU" in seconds ("wall CPU fit-wall" for protocol). Elsewhere the clock runs
while a peer fits, and not while data is read, scaled and laid out for it. Problems are (outer fold,
label) pairs, standardised with their training rows; SUBSET takes so many of them, spread out,
and the times are scaled up to all. JOBS (1) problems of lasso and path are fitted at a time, by
processes of one thread; wall is then the sum of the fits' over JOBS, as if they were shared out
evenly and at no cost.
"""
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

import probe_common as common

PENALTY = .1
FOLDS = 5
JOBS = int(os.environ.get("JOBS", "1"))


# ---- data of probe.sh ----

def make(path, queries, pairs, width, labels):
    """Shaped like activations: factors shared within a query, log-normal scales, massive units."""
    rng = np.random.default_rng(0)
    n, rank = queries * pairs, 24
    query = np.repeat(np.arange(queries), pairs)
    factor = rng.normal(size=(n, rank)) + rng.normal(size=(queries, rank))[query]
    y = factor @ rng.normal(size=(rank, labels)) / 5
    y += rng.normal(size=y.shape) * np.exp(rng.normal(size=labels))
    loading = rng.normal(size=(rank, width)) * np.exp(-np.arange(rank) / 8)[:, None]
    x = factor @ loading + rng.normal(size=(n, width)) * .5
    x *= np.exp(rng.normal(size=width))
    x[:, :max(1, width // 400)] = x[:, :max(1, width // 400)] * 100 + 2000
    qid, docid = [f"q{q}" for q in query], [f"d{i}" for i in range(n)]
    common.write_store(f"{path}/store", qid, docid, 60 + np.arange(n) % 100, y[:, 0], width, 1,
                       lambda _, first, last: x[first:last])
    common.write_features(f"{path}/features.tsv", qid, docid, [f"f{k}" for k in range(labels)], y)


# ---- the three protocols, small ----

def fit_sound(x, y, qid):
    """Ridge, 17 penalties, 5 x 5 folds, all labels as one right-hand side."""
    outer, inner = common.fold_labels(qid)
    sse, sst = np.zeros(y.shape[1]), np.zeros(y.shape[1])
    for o in range(FOLDS):
        tr, te = outer != o, outer == o
        _, guess, _ = nested_fold(x, y, tr, te, inner, ridge_sklearn)
        sse += ((y[te] - guess) ** 2).sum(0)
        sst += ((y[te] - y[tr].mean(0)) ** 2).sum(0)
    return 1 - sse / sst


def fit_text(x, y, qid, docid):
    """Lasso a = .1, five folds of cross-validation in the 60 %, scored on the last 20 %."""
    from sklearn.linear_model import Lasso
    order, n = common.pair_order(qid, docid), len(y)
    fifth = -(-n // 5)
    tr, te = order[:n - 2 * fifth], order[n - fifth:]
    for part in [*range(5), None]:
        held = np.array_split(tr, 5)[part] if part is not None else te
        rows = np.setdiff1d(tr, held) if part is not None else tr
        z, t, sx, sy = common.scaled(x[rows], y[rows])
        zb, zf, guess = sx(x[held]), np.asfortranarray(z), np.empty((len(held), y.shape[1]))
        for p in range(y.shape[1]):
            m = Lasso(alpha=PENALTY, fit_intercept=False, precompute=False, copy_X=False)
            guess[:, p] = m.fit(zf, t[:, p]).predict(zb)
        e = ((y[held] - sy(guess)) ** 2).sum(0)
    return 1 - e / ((y[te] - y[tr].mean(0)) ** 2).sum(0)


def fit_code(x, y, qid, docid):
    from sklearn.linear_model import Ridge
    order, n = common.pair_order(qid, docid), len(y)
    test = -(-n // 4)
    tr, te = order[:n - test], order[n - test:]
    guess = Ridge(alpha=10, solver="cholesky").fit(x[tr].astype(float), y[tr]).predict(x[te])
    return 1 - ((y[te] - guess) ** 2).sum(0) / ((y[te] - y[tr].mean(0)) ** 2).sum(0)


def protocol(path, name):
    import sklearn.linear_model     # noqa: F401  not on the clock
    began, before = time.perf_counter(), common.cpu_seconds()
    qid, docid, x, y = common.load(path)
    started = time.perf_counter()
    if name == "sound":
        r2 = fit_sound(x, y, qid)
    else:
        r2 = (fit_text if name == "paper-text" else fit_code)(x, y, qid, docid)
    now = time.perf_counter()
    print(f"{now - began:.3f} {common.cpu_seconds() - before:.3f} {now - started:.3f}")
    np.savez(f"{path}/peer.{name}.npz", r2=r2)


# ---- lasso: fixed penalty, and paths ----

def subset(count):
    """Indices of the problems that are fitted: SUBSET of them, spread over folds and labels."""
    wanted = min(int(os.environ.get("SUBSET", "0")) or count, count)
    step = next(s for s in range(int(.618 * count), count + 2) if math.gcd(s, count) == 1)
    return np.sort(np.arange(wanted) * step % count)


def lasso_model(peer):
    """A peer's estimator at the fixed penalty: NAME, or NAME-tight."""
    name, _, tight = peer.partition("-")
    if name.startswith("sklearn"):
        from sklearn.linear_model import Lasso
        return Lasso(alpha=PENALTY, fit_intercept=False, copy_X=False,
                     **({"tol": 1e-9, "max_iter": 200000} if tight else {}))
    if name == "celer":
        from celer import Lasso
        return Lasso(alpha=PENALTY, fit_intercept=False, **({"tol": 1e-9} if tight else {}))
    from skglm import Lasso
    return Lasso(alpha=PENALTY, fit_intercept=False, **({"tol": 1e-9} if tight else {}))


def path_model(peer, folds):
    """NAME is what its users call; celer's LassoCV does not get on with scikit-learn 1.9, so its
    path is followed as NAME-stop's is, but to the end."""
    cv = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in np.unique(folds)]
    if peer == "sklearn":
        from sklearn.linear_model import LassoCV
        return LassoCV(alphas=100, eps=1e-3, fit_intercept=False, cv=cv)
    return StopCV(peer.partition("-")[0], cv, 15 if peer.endswith("-stop") else 100)


class StopCV:
    """rankprobe's procedure with a peer's solver: every inner fold standardised anew, all folds
    side by side, warm starts, left when the held-out error has been above its minimum for
    `patience` values."""

    def __init__(self, peer, cv, patience):
        self.peer, self.cv, self.patience = peer, cv, patience

    def solver(self, z):
        model = lasso_model(self.peer).set_params(warm_start=True)
        if self.peer == "sklearn" and len(z) > z.shape[1]:      # LassoCV's rule
            model.set_params(precompute=z.T @ z)
        return model

    def fit(self, z, t):
        alphas = abs(z.T @ t).max() / len(z) * np.geomspace(1, 1e-3, 100)
        parts, solvers = [], []
        for train, held in self.cv:
            part, right, sx, sy = common.scaled(z[train], t[train])
            parts.append((np.asfortranarray(part), right, sx(z[held]), t[held], sy))
            solvers.append(self.solver(part))
        error = np.full(len(alphas), np.inf)
        for k, alpha in enumerate(alphas):
            error[k] = 0
            for solver, (part, right, zb, tb, sy) in zip(solvers, parts):
                w = solver.set_params(alpha=alpha).fit(part, right).coef_
                error[k] += ((tb - sy(zb @ w)) ** 2).sum()
            if k - error.argmin() > self.patience:
                break
        self.alpha_ = alphas[error.argmin()]
        self.coef_ = self.solver(z).set_params(alpha=self.alpha_).fit(z, t).coef_
        return self


def warm(peer, what, z):
    """A small fit before the clock runs: imports are made, numba compiles."""
    some = np.linspace(0, len(z) - 1, 100).astype(int)
    small = np.asfortranarray(z[some, :50])
    t = np.random.default_rng(0).normal(size=100).astype(z.dtype)
    warnings.filterwarnings("ignore")
    model = lasso_model(peer) if what == "lasso" else path_model(peer, np.arange(100) % FOLDS)
    model.fit(small, t)


def fit_all(model, ready, z, targets):
    """Coefficients [problems, D], penalties, wall and CPU seconds.

    model() makes an estimator; ready() is called in a process before its first fit.
    """
    warnings.filterwarnings("ignore")
    global fit_one

    def fit_one(t):
        m = model()
        with common.Clock() as clock:
            m.fit(z, t)
        return np.ravel(m.coef_), getattr(m, "alpha_", PENALTY), clock.wall, clock.cpu

    ready()     # before the processes part: what numba compiles they have in common
    if JOBS == 1:
        found = [fit_one(t) for t in targets]
    else:
        with multiprocessing.get_context("fork").Pool(JOBS, ready) as pool:
            found = pool.map(call_fit_one, targets, chunksize=1)
    w, penalty, wall, cpu = map(np.array, zip(*found))
    return w, penalty, wall.sum() / JOBS, cpu.sum()


def call_fit_one(t):
    return fit_one(t)


def fit_glmnet(peer, what, z, targets, folds):
    """The same by glmnet: everything through files, R's own clock around the fits."""
    with tempfile.TemporaryDirectory() as work:
        z.ravel(order="F").tofile(f"{work}/x")
        np.asarray(targets).tofile(f"{work}/y")
        (folds + 1).astype(np.int32).tofile(f"{work}/folds")
        done = subprocess.run(
            ["Rscript", "--vanilla", f"{os.path.dirname(__file__)}/probe_glmnet.R", work, what,
             *map(str, z.shape), str(len(targets)), "1e-14" if "tight" in peer else "1e-7",
             str(JOBS)], check=True, capture_output=True, text=True)
        wall, cpu = map(float, done.stdout.split())
        w = np.fromfile(f"{work}/w").reshape(len(targets), z.shape[1])
        return w, np.fromfile(f"{work}/penalty"), wall, cpu


def lasso(path, peer, what="lasso"):
    """Problems outer fold by outer fold; leaves held-out R2 and coefficients of each in DIR."""
    qid, _, x, y = common.load(path)
    outer, inner = common.fold_labels(qid)
    labels = y.shape[1]
    chosen = subset(FOLDS * labels)
    wall = cpu = 0
    r2, found, penalties = [], [], []
    for o in range(FOLDS):
        mine = chosen[chosen // labels == o] % labels
        if not len(mine):
            continue
        tr, te = outer != o, outer == o
        z, t, sx, _ = common.scaled(x[tr], y[tr])
        z = np.asfortranarray(z, dtype=np.float32 if peer.startswith("sklearn32") else float)
        targets = [np.ascontiguousarray(t[:, p], dtype=z.dtype) for p in mine]
        def ready():
            warm(peer, what, z)
        if peer.startswith("glmnet"):
            w, a, *spent = fit_glmnet(peer, what, z, targets, inner[tr])
        elif what == "lasso":
            w, a, *spent = fit_all(lambda: lasso_model(peer), ready, z, targets)
        else:
            w, a, *spent = fit_all(lambda: path_model(peer, inner[tr]), ready, z, targets)
        wall, cpu = wall + spent[0], cpu + spent[1]
        guess = (sx(x[te]) @ w.T) * y[tr].std(0)[mine] + y[tr].mean(0)[mine]
        r2 += list(held_out(y[te][:, mine], guess, y[tr].mean(0)[mine]))
        found += list(w)
        penalties += list(a)
    scale = FOLDS * labels / len(chosen)
    print(f"{wall * scale:.3f} {cpu * scale:.3f}")
    np.savez(f"{path}/peer.{what}.{peer}.npz", problems=chosen, r2=r2, w=np.array(found),
             penalty=penalties)


def held_out(y, guess, mean):
    return 1 - ((y - guess) ** 2).sum(0) / ((y - mean) ** 2).sum(0)


# ---- ridge ----

GRID = 10. ** (4 - .5 * np.arange(17))


def ridge_sklearn(z, t, penalties):
    """Coefficients [D, labels] for each penalty, as scikit-learn makes them."""
    from sklearn.linear_model import Ridge
    for lam in penalties:
        m = Ridge(alpha=len(z) * lam, fit_intercept=False, solver="cholesky", copy_X=False)
        yield np.atleast_2d(m.fit(z, t).coef_).T


def ridge_eigh(z, t, penalties):
    """The same from one eigendecomposition: what a careful user of numpy writes."""
    m = len(z)
    kernel = z.shape[1] > m
    value, vector = np.linalg.eigh((z @ z.T if kernel else z.T @ z) / m)
    turned = vector.T @ (t if kernel else z.T @ t / m)
    for lam in penalties:
        w = vector @ (turned / (value + lam)[:, None])
        yield z.T @ w / m if kernel else w


def nested_fold(x, y, tr, te, inner, solve):
    """Penalties chosen on the inner folds, held-out predictions, clock of solving and scoring."""
    error = np.zeros((len(GRID), y.shape[1]))
    wall = cpu = 0
    for f in range(FOLDS):
        a, b = tr & (inner != f), tr & (inner == f)
        z, t, sx, sy = common.scaled(x[a], y[a])
        zb = sx(x[b])
        with common.Clock() as clock:
            for k, w in enumerate(solve(z, t, GRID)):
                error[k] += ((y[b] - sy(zb @ w)) ** 2).sum(0)
        wall, cpu = wall + clock.wall, cpu + clock.cpu
    z, t, sx, sy = common.scaled(x[tr], y[tr])
    zb, best, guess = sx(x[te]), error.argmin(0), np.empty((te.sum(), y.shape[1]))
    with common.Clock() as clock:
        used = np.unique(best)
        for k, w in zip(used, solve(z, t, GRID[used])):
            guess[:, best == k] = sy(zb @ w)[:, best == k]
    return best, guess, (wall + clock.wall, cpu + clock.cpu)


def permuted(t, qid, draws, seed):
    """A label's values [m, draws], drawn anew within each query."""
    rng = np.random.default_rng(seed)
    order = np.argsort(qid, kind="stable")
    keys = np.unique(qid, return_inverse=True)[1][order]
    out = np.empty((len(t), draws))
    for b in range(draws):
        out[order, b] = t[order][np.lexsort((rng.random(len(t)), keys))]
    return out


def ridge(path, peer, what, penalty=1.):
    """Of outer folds OUTER (all); labels of permuted and naive: LABELS (all)."""
    qid, _, x, y = common.load(path)
    outer, inner = common.fold_labels(qid)
    solve = {"sklearn": ridge_sklearn, "eigh": ridge_eigh}[peer]
    list(solve(np.eye(9), np.ones((9, 1)), [1.]))      # imports
    folds = range(int(os.environ.get("OUTER", FOLDS)))
    labels = y.shape[1]
    wall = cpu = 0
    r2 = []
    for o in folds:
        tr, te = outer != o, outer == o
        if what == "nested":
            _, guess, spent = nested_fold(x, y, tr, te, inner, solve)
            r2.append(held_out(y[te], guess, y[tr].mean(0)))
        else:
            z, t, sx, sy = common.scaled(x[tr], y[tr])
            zb = sx(x[te])
            if what == "fixed":
                with common.Clock() as clock:
                    w, = solve(z, t, [penalty])
                    guess = sy(zb @ w)
                r2.append(held_out(y[te], guess, y[tr].mean(0)))
                spent = clock.wall, clock.cpu
            else:
                spent = ridge_permuted(z, t, zb, qid[tr], solve, what, penalty)
        wall, cpu = wall + spent[0], cpu + spent[1]
    scale = FOLDS / len(folds)
    print(f"{wall * scale:.3f} {cpu * scale:.3f}")
    if r2:
        problems = np.arange(len(folds) * labels)
        np.savez(f"{path}/peer.{what}.{peer}.npz", problems=problems, r2=np.ravel(r2))


def ridge_permuted(z, t, zb, qid, solve, what, penalty):
    """2 x DRAWS (1,000) permutations of every label, held-out predictions made, not scored.

    permuted: a label's draws are one right-hand side, one factorisation a label (eigh: one in all).
    naive: a fit a draw; NAIVE (3) fits are timed.
    """
    draws, labels = 2 * int(os.environ.get("DRAWS", "1000")), t.shape[1]
    some = np.linspace(0, labels - 1, int(os.environ.get("LABELS", labels))).round().astype(int)
    if what == "naive":
        count = int(os.environ.get("NAIVE", "3"))
        right = permuted(t[:, some[0]], qid, count, 0)
        with common.Clock() as clock:
            for b in range(count):
                w, = solve(z, right[:, b:b + 1], [penalty])
                zb @ w
        scale = labels * draws / count
        return clock.wall * scale, clock.cpu * scale
    wall = cpu = 0
    if solve is ridge_eigh:
        with common.Clock() as clock:
            m, kernel = len(z), z.shape[1] > len(z)
            value, vector = np.linalg.eigh((z @ z.T if kernel else z.T @ z) / m)
        wall, cpu = clock.wall, clock.cpu
    for p in some:
        right = permuted(t[:, p], qid, draws, p)
        with common.Clock() as clock:
            if solve is ridge_eigh:
                turned = vector.T @ (right if kernel else z.T @ right / m)
                w = vector @ (turned / (value + penalty)[:, None])
                w = z.T @ w / m if kernel else w
            else:
                w, = solve(z, right, [penalty])
            zb @ w
        wall, cpu = wall + clock.wall * labels / len(some), cpu + clock.cpu * labels / len(some)
    return wall, cpu


# ---- comparisons ----

def read_tensors(path):
    """Tensors and metadata of a safetensors file."""
    from safetensors import safe_open
    with safe_open(path, "np") as file:
        return {k: file.get_tensor(k) for k in file.keys()}, file.metadata()


def rows_of(names, metadata):
    """Where our file has the labels of features.tsv."""
    ours = metadata["labels"].splitlines()
    return [ours.index(name) for name in names]


def fold_r2(path, predictions):
    """Our held-out R2 of every (outer fold, label), from --predictions."""
    qid, _, names, y = common.load_features(f"{path}/features.tsv")
    tensors, metadata = read_tensors(predictions)
    guess = tensors[f"{common.VIEW}/0/sound"][rows_of(names, metadata)].T
    outer, _ = common.fold_labels(qid)
    return np.array([held_out(y[outer == o], guess[outer == o], y[outer != o].mean(0))
                     for o in range(FOLDS)]).ravel()


def compare_folds(path, what, peer, predictions):
    peers = np.load(f"{path}/peer.{what}.{peer}.npz")
    difference = fold_r2(path, predictions)[peers["problems"]] - peers["r2"]
    print(f"{what} {peer}: held-out R2 of {len(difference)} problems differs by at most "
          f"{abs(difference).max():.1e}, {difference.mean():+.1e} on average (ours - peer)")


def compare_objective(path, peer, coefficients):
    """Our fits on all rows (--coefficients) against the peer's: which minimum is lower."""
    qid, _, names, y = common.load_features(f"{path}/features.tsv")
    x = common.load_layer(f"{path}/store")
    tensors, metadata = read_tensors(coefficients)
    some = np.unique(subset(FOLDS * len(names)) % len(names))
    w = tensors[f"{common.VIEW}/0/sound"][rows_of(names, metadata)].astype(float)
    z, t, _, _ = common.scaled(x, y)
    ours = w * x.std(0, dtype=float) / y.std(0)[:, None]
    z = np.asfortranarray(z)
    targets = [np.ascontiguousarray(t[:, p]) for p in some]
    if peer.startswith("glmnet"):
        theirs, *_ = fit_glmnet(peer, "lasso", z, targets, np.zeros(len(z)))
    else:
        theirs, *_ = fit_all(lambda: lasso_model(peer), lambda: None, z, targets)
    mine, other = (((np.stack(targets, 1) - z @ v.T) ** 2).sum(0) / (2 * len(z))
                   + PENALTY * abs(v).sum(1) for v in (ours[some], theirs))
    worse = (mine - other) / other
    print(f"objective on all rows, {len(some)} labels, (ours - {peer}) / peer: "
          f"{worse.min():+.1e} to {worse.max():+.1e}")


def compare_protocol(path, name, probes):
    want = np.load(f"{path}/peer.{name}.npz")["r2"]
    got = common.read_probes(probes, name)
    print(f"{max(abs(float(got[f'f{k}']['r2']) - w) for k, w in enumerate(want)):.1e}")


COMMANDS = {"make": lambda path, *sizes: make(path, *map(int, sizes)), "clock": common.clock,
            "protocol": protocol, "lasso": lasso, "ridge": ridge,
            "path": lambda path, peer: lasso(path, peer, "path"),
            "compare-folds": compare_folds, "compare-objective": compare_objective,
            "compare-protocol": compare_protocol}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
