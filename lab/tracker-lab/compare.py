#!/usr/bin/env python3
"""Counts what each tracker of trackers.py costs until its residual is 1e-3.

Sequences: the trainings that record.py wrote, at cadences of 1, 5, 20 and 100 steps, and synthetic
matrices with given spectra, gaps and drifts. Every tracker sees the same snapshots; its figures are
held against an exact decomposition in float64. A pass of k vectors takes the time of COST[k] plain
readings of the matrix where memory is the limit, and of SLOW[k] where arithmetic is (bfloat16
without AVX-512).
"""
import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import numpy as np

from trackers import (TARGET, Array, Chebyshev, Deflated, Krylov, Lobpcg, Power, Product,
                      Tracker)

COST = {1: 1 / 0.85, 2: 1 / 0.80, 4: 1 / 0.70, 8: 1 / 0.55, 16: 1 / 0.30, 32: 1 / 0.15}
SLOW = {1: 1 / 0.80, 2: 1 / 0.60, 4: 1 / 0.33, 8: 1 / 0.17, 16: 1 / 0.085, 32: 1 / 0.0425}
LIMIT = 40                          # passes a tracker gets here
BUDGET = {"real": 6 * COST[8], "drift": 6 * COST[8], "cold": 16 * COST[8]}  # for "met"
PASSES_WARM, PASSES_COLD = 8, 16    # budgets where a new direction appears
CADENCES = {1: (0, 300), 5: (0, 300), 20: (0, 300), 100: (0,)}
SNAPSHOTS = 13
SPIKE_SEEDS, SPIKE_SNAPSHOTS = 5, 30


def cost(widths: List[int], costs: Dict[int, float]) -> float:
    """Plain readings that passes of these widths take the time of; the kernel pads a width to the
    next of the table."""
    return sum(costs[min(k for k in costs if k >= width)] for width in widths)


class Snapshot:
    """One weight matrix [rows, cols], with its exact leading pair."""

    def __init__(self, w: Array):
        self.w = w.astype(np.float64)
        self.cols = w.shape[1]
        gram = self.w.T @ self.w if w.shape[1] <= w.shape[0] else self.w @ self.w.T
        values, vectors = np.linalg.eigh(gram)
        self.gram = gram if w.shape[1] <= w.shape[0] else None
        self.sigma = np.sqrt(np.maximum(values[::-1][:2], 0))
        v = vectors[:, -1] if self.gram is not None else self.w.T @ vectors[:, -1]
        self.v1 = v / np.linalg.norm(v)

    def multiply(self, v: Array) -> Array:
        """W^T W v."""
        return self.gram @ v if self.gram is not None else self.w.T @ (self.w @ v)


def trained(recording: Path) -> Iterator[Tuple[str, List[Snapshot]]]:
    """(group, snapshots) of every layer, cadence and starting step."""
    steps = list(np.load(recording / "steps.npy"))
    for path in sorted(recording.glob("*/*.npy")):
        layer = np.load(path, mmap_mode="r")
        for cadence, starts in CADENCES.items():
            for start in starts:
                wanted = [start + i * cadence for i in range(SNAPSHOTS)]
                yield f"real {cadence}", [Snapshot(layer[steps.index(s)])
                                          for s in wanted if s in steps]


def spectrum(kind: str, count: int, gap: float, random: np.random.Generator) -> Array:
    if kind == "gaussian":
        sigma = np.linalg.svd(random.standard_normal((count, count + 128)), compute_uv=False)
    elif kind == "power":
        sigma = np.arange(1, count + 1) ** -0.5
    else:  # five spikes on a flat floor
        sigma = np.concatenate([np.linspace(1, 0.6, 5), np.full(count - 5, 0.2)])
    sigma = sigma / sigma[0]
    sigma[1:] *= (1 - gap) / sigma[1]
    return sigma


def matrix(sigma: Array, rows: int, cols: int, random: np.random.Generator) -> Array:
    u, _ = np.linalg.qr(random.standard_normal((rows, len(sigma))))
    v, _ = np.linalg.qr(random.standard_normal((cols, len(sigma))))
    return (u * sigma) @ v.T


def synthetic() -> Iterator[Tuple[str, List[Snapshot]]]:
    """Drift by Gaussian noise, and by noise with a momentum of 0.9 made of rank-4 steps."""
    random = np.random.default_rng(2)
    for kind in ("gaussian", "power", "spiked"):
        for gap in (1e-4, 1e-2, 0.1, 0.5):
            for drift in (0, 1e-4, 1e-3, 1e-2, 5e-2):
                for smooth in (False, True):
                    w = matrix(spectrum(kind, 256, gap, random), 256, 384, random)
                    velocity, out = np.zeros_like(w), []
                    for _ in range(7):
                        out.append(Snapshot(w))
                        step = random.standard_normal((256, 4)) @ random.standard_normal((4, 384)) \
                            if smooth else random.standard_normal(w.shape)
                        velocity = 0.9 * velocity + step if smooth else step
                        w = w + velocity * (drift * np.linalg.norm(w) / np.linalg.norm(velocity))
                    yield f"drift {drift:g}", out


def spike(seed: int, rank: int) -> List[Snapshot]:
    """A matrix of a rank at rest; at the third snapshot a direction orthogonal on both sides to all
    of its own appears at 1.3 sigma1."""
    random = np.random.default_rng(seed)
    u, sigma, vt = np.linalg.svd(random.standard_normal((400, 400)) / 20)
    sigma = sigma if rank == 400 else np.where(np.arange(400) < rank, 0.9 ** np.arange(400), 0)
    calm = Snapshot((u * sigma) @ vt)
    sigma[300] = 1.3 * sigma[0]
    return [calm] * 2 + [Snapshot((u * sigma) @ vt)] * SPIKE_SNAPSHOTS


def swap() -> List[Snapshot]:
    """sigma2 of a Gaussian matrix grows through sigma1 by 2 % a snapshot."""
    random = np.random.default_rng(4)
    u, sigma, vt = np.linalg.svd(random.standard_normal((512, 512)) / np.sqrt(512))
    out = []
    for i in range(13):
        grown = sigma.copy()
        grown[0], grown[1] = 1.1 * sigma[0], 1.1 * sigma[0] * (0.9 + 0.02 * i)
        out.append(Snapshot((u * grown) @ vt))
    return out


@dataclass
class Score:
    """What one tracker did, a row a snapshot."""
    group: List[str] = field(default_factory=list)
    rows: List[Tuple[float, ...]] = field(default_factory=list)

    FIELDS = ("passes", "cost", "slow", "residual", "cosine", "error1", "error2", "residual2")

    def add(self, group: str, snapshot: Snapshot, product: Product, tracker: Tracker) -> None:
        pairs = tracker.pairs
        v, theta = pairs.vectors[:, 0], pairs.theta
        truth = np.linalg.norm(snapshot.multiply(v) - theta[0] * v) / theta[0]
        sigma = np.sqrt(np.maximum(theta[:2], 0))
        error2 = abs(sigma[1] / snapshot.sigma[1] - 1) if len(sigma) > 1 else np.nan
        self.group.append(group)
        self.rows.append((len(product.widths), cost(product.widths, COST),
                          cost(product.widths, SLOW), truth,
                          abs(v @ snapshot.v1), abs(sigma[0] / snapshot.sigma[0] - 1), error2,
                          pairs.error(1)))

    def table(self, start: str) -> Dict[str, Array]:
        picked = [row for group, row in zip(self.group, self.rows) if group.startswith(start)]
        return dict(zip(self.FIELDS, np.array(picked).T))


def follow(make: Callable[[], Tracker], group: str, snapshots: List[Snapshot],
           score: Score) -> None:
    tracker = make()
    for i, snapshot in enumerate(snapshots):
        product = Product(snapshot.multiply, snapshot.cols, LIMIT)
        tracker.update(product)
        score.add(group if i else "cold " + group, snapshot, product, tracker)


def late(make: Callable[[], Tracker], snapshots: List[Snapshot], begin: int) -> int:
    """Snapshots from `begin` on until v1 is right (|cos| >= 0.99); 0: at once."""
    tracker = make()
    for i, snapshot in enumerate(snapshots):
        budget = PASSES_WARM if i else PASSES_COLD
        pairs = tracker.update(Product(snapshot.multiply, snapshot.cols, budget))
        if i >= begin and abs(pairs.vectors[:, 0] @ snapshot.v1) >= 0.99:
            return i - begin
    return len(snapshots) - begin


Makers = Dict[str, Callable[[], Tracker]]


def candidates() -> Makers:
    out: Makers = {}
    for k in (1, 2, 4, 8, 16):
        out[f"power {k}"] = lambda k=k: Power(k)
    for k in (4, 8):
        out[f"power {k} + momentum"] = lambda k=k: Power(k, momentum=True)
    for k in (4, 8):
        out[f"chebyshev {k}, degree 3"] = lambda k=k: Chebyshev(k, 3)
    for k in (2, 4, 8):
        out[f"lobpcg {k}"] = lambda k=k: Lobpcg(k)
    out["krylov 7+1, 2 passes, sigma1 1e-6"] = lambda: Krylov(7, least=2, sigma1=1e-6)
    out["krylov 7+1, 2 passes"] = lambda: Krylov(7, least=2)
    for stored in (1, 3, 7, 15):
        out[f"krylov {stored}+1"] = lambda s=stored: Krylov(s)
    for stored, grow in ((3, 2), (7, 1), (7, 2), (7, 4), (15, 2)):
        out[f"krylov {stored}+1 grow {grow}"] = lambda s=stored, g=grow: Krylov(s, grow=g)
    two = {"grow": 2, "polish": 1.0}
    out["krylov 7+1 grow 2 polish, mu 0"] = lambda: Krylov(7, grow=2, polish=0.0)
    out["krylov 7+1 grow 2 polish"] = lambda: Krylov(7, **two)
    out["krylov 7+1 ... predict"] = lambda: Krylov(7, predict=1.0, **two)
    out["krylov 6+1 ... history 1"] = lambda: Krylov(6, history=(1,), **two)
    for history in ((1, 1), (1, 2)):
        out[f"krylov 5+1 ... history {history}"] = lambda h=history: Krylov(5, history=h, **two)
    full = {"explorer": 0.3, "history": (1,), **two}
    out["  6+1, + explorer"] = lambda: Krylov(6, **full)
    for sigma1 in (1e-6, 1e-5, 1e-4):
        out[f"  6+1, + explorer, sigma1 {sigma1:g}"] = lambda s=sigma1: Krylov(6, sigma1=s, **full)
    for stored in (2, 14):
        out[f"  the same, {stored}+1"] = lambda s=stored: Krylov(s, sigma1=1e-4, **full)
    for stored in (4, 6):
        out[f"  the same, {stored}+1, 2 at a time"] = \
            lambda s=stored: Krylov(s, first=2, join=2, sigma1=1e-4, **full)
    for first, known in ((6, 12), (2, 8), (2, 16)):
        out[f"  the same, {first}+1, {known} known"] = \
            lambda f=first, k=known: Deflated(f, k, sigma1=1e-4, **full)
    return out


def summary(scores: Dict[str, Score], start: str) -> None:
    budget = BUDGET[start]
    print(f"\n{start}: cost, slow: plain readings of W by COST, by SLOW; met: residual {TARGET:g} "
          f"at a cost of {budget:.1f} at most; missed: residual met, sigma1 off by > 1e-3")
    print(f"{'tracker':36} {'cost':>5} {'slow':>5} {'passes':>6} {'p50':>3} {'p99':>3} {'max':>3} "
          f"{'met %':>6} {'cos %':>6} {'sigma1 max':>10} {'sigma2 99%':>10} {'resid2 50%':>10} "
          "missed")
    for name, score in scores.items():
        t = score.table(start)
        met = t["residual"] <= TARGET * 1.0001
        print(f"{name:36} {t['cost'].mean():5.2f} {t['slow'].mean():5.1f} "
              f"{t['passes'].mean():6.2f} {np.percentile(t['passes'], 50):3.0f} "
              f"{np.percentile(t['passes'], 99):3.0f} {t['passes'].max():3.0f} "
              f"{100 * (met & (t['cost'] <= budget)).mean():6.2f} "
              f"{100 * (t['cosine'] >= 0.999).mean():6.2f} {t['error1'].max():10.1e} "
              f"{np.percentile(t['error2'], 99):10.1e} {np.median(t['residual2']):10.1e} "
              f"{(met & (t['error1'] > 1e-3)).sum():6d}")


def by_group(scores: Dict[str, Score]) -> None:
    groups = list(dict.fromkeys(g for score in scores.values() for g in score.group
                                if not g.startswith("cold")))
    groups.sort(key=lambda group: (group[:4], float(group.split()[1])))
    print(f"\nmean cost a snapshot, plain readings\n{'tracker':36} "
          + " ".join(f"{g:>11}" for g in groups))
    for name, score in scores.items():
        means = [np.mean([row[1] for g, row in zip(score.group, score.rows) if g == group])
                 for group in groups]
        print(f"{name:36} " + " ".join(f"{mean:11.2f}" for mean in means))


def new_directions(makers: Makers) -> None:
    print(f"\nsnapshots until a new direction is followed ({SPIKE_SNAPSHOTS}: never), mean and "
          "most: out of rank 12, out of full rank; sigma2 overtaking")
    kinds = [[spike(seed, rank) for seed in range(SPIKE_SEEDS)] for rank in (12, 400)]
    swapped = swap()
    for name, make in makers.items():
        waits = [[late(make, snapshots, 2) for snapshots in kind] for kind in kinds]
        print(f"{name:36} " + " ".join(f"{np.mean(w):6.1f} {max(w):3d}" for w in waits)
              + f" {late(make, swapped, 6):6d}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path, help="folder that record.py wrote")
    parser.add_argument("--only", default="", help="trackers whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="take every n-th sequence only")
    options = parser.parse_args()
    makers = {name: make for name, make in candidates().items() if options.only in name}
    scores = {name: Score() for name in makers}
    begin = time.monotonic()
    for source in (trained(options.recording), synthetic()):
        for i, (group, snapshots) in enumerate(source):
            if i % options.every == 0:
                for name, make in makers.items():
                    follow(make, group, snapshots, scores[name])
    for start in BUDGET:
        summary(scores, start)
    by_group(scores)
    new_directions(makers)
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
