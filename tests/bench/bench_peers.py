"""The tracker against its peers on snapshots of real trainings, at equal accuracy.

For each snapshot a peer gets as many iterations (as loose a tolerance) as it takes until |cos(v1)| >=
0.999 and sigma1 is right to 1e-4, and only that run counts: none of them would know in practice. SciPy's
svds starts from the previous v1; torch.svd_lowrank takes no start. The tracker gets one target residual
for the whole sequence. One thread each. Prints Markdown: the time of each, and how many times faster the tracker is.

    FORESHOCK_BUILD=BUILDDIR python3 tests/bench/bench_peers.py [--large]
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import scipy.sparse.linalg  # noqa: E402
import torch  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab/tracker-lab"))
import record  # noqa: E402

COSINE = 0.999
SIGMA = 1e-4
WARM_UP = 20  # steps that are not recorded
GATE, DOWN, FIRST = "layers.1.mlp.gate_proj", "layers.1.mlp.down_proj", "0"
CLOCK = pathlib.Path(os.environ["FORESHOCK_BUILD"]) / "tests/bench/tracker_clock"


def text_model():
    """The demo's decoder with MLP matrices 3072x768 and 768x3072, trained on text with AdamW."""
    return record.TextModel(768, 3072, 6e-4, False, [GATE, DOWN])


def classifier(rows):
    """A network of one hidden layer [rows, 4096] that learns labels by SGD with momentum."""
    model = torch.nn.Sequential(
        torch.nn.Linear(4096, rows), torch.nn.ReLU(), torch.nn.Linear(rows, 10))
    return record.Classifier(model, [FIRST], [4096], 0.05, False)


def train(make, layers, snapshots, every):
    """{layer: its weights every `every` steps after a warm-up, float32 [snapshots, rows, cols]}."""
    torch.manual_seed(1)
    training, kept = make(), {layer: [] for layer in layers}
    for step in range(WARM_UP + (snapshots - 1) * every + 1):
        if step >= WARM_UP and (step - WARM_UP) % every == 0:
            weights = training.weights()
            for layer in layers:
                kept[layer].append(weights[layer].numpy().copy())
        training.step(step)
    return {layer: np.stack(weights) for layer, weights in kept.items()}


class Tracker:
    """tracker_clock on a file of snapshots."""

    def __init__(self, path, shape, target):
        self.path = path
        self.process = subprocess.Popen(
            [CLOCK, path, str(shape[0]), str(shape[1]), str(target)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def update(self, i):
        """(seconds, passes, sigma1, v1) of snapshot i."""
        seconds, passes, sigma1, _ = self.ask(f"update {i}")
        return seconds, passes, sigma1, np.fromfile(f"{self.path}.v1", np.float32).astype(float)

    def passing(self, i):
        """Seconds of one fused pass over snapshot i and its baseline with 8 vectors."""
        return self.ask(f"pass {i}")[0]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def exact(w, start):
    """sigma1 and v1 of float64 w by a Lanczos iteration to 1e-12."""
    _, sigma, vt = scipy.sparse.linalg.svds(w, k=1, tol=1e-12, v0=start, maxiter=20000)
    return sigma[0], vt[0]


def good(truth, sigma1, v1):
    sigma, v = truth
    cosine = abs(v1 @ v) / np.linalg.norm(v1)
    return cosine >= COSINE and abs(sigma1 / sigma - 1) <= SIGMA


def timed(function):
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def lowrank(w, truth):
    """Seconds of torch.svd_lowrank with the fewest iterations that do."""
    tensor = torch.from_numpy(w)
    for iterations in range(512):
        seconds, (_, s, v) = timed(
            lambda: torch.svd_lowrank(tensor, q=6, niter=iterations))
        if good(truth, float(s[0]), v[:, 0].double().numpy()):
            return seconds
    return float("inf")


def lanczos(w, truth, start):
    """Seconds of SciPy's svds in float32 from `start` with the loosest tolerance that does."""
    for tolerance in (1, 0.5, 0.2, 1e-1, 5e-2, 2e-2, 1e-2, 1e-3, 1e-4, 1e-6):
        seconds, (_, s, vt) = timed(lambda: scipy.sparse.linalg.svds(
            w, k=1, tol=tolerance, v0=start.astype(np.float32), maxiter=20000))
        if good(truth, float(s[0]), vt[0].astype(float)):
            return seconds
    return float("inf")


def start_for(w, v):
    """What svds starts from: v, or W v where W has fewer rows than columns."""
    return w @ v if w.shape[0] < w.shape[1] else v


def follow_tracker(path, weights, truths):
    """Of the tracker with the loosest target that is accurate at every snapshot after the first: the target,
    the seconds and passes of each, and its fused pass against PyTorch."""
    for target in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4):
        tracker = Tracker(path, weights.shape[1:], target)
        updates = [tracker.update(i) for i in range(len(weights))]
        accurate = all(good(truth, sigma1, v1)
                       for truth, (_, _, sigma1, v1) in zip(truths[1:], updates[1:]))
        faster = compare_pass(tracker, weights) if accurate else None
        tracker.close()
        if accurate:
            return target, [u[0] for u in updates[1:]], [u[1] for u in updates[1:]], faster
    raise SystemExit("no target makes the tracker accurate")


def follow(layer, weights):
    """One row of the table."""
    _, rows, cols = weights.shape
    drift = np.linalg.norm(weights[-1] - weights[-2]) / np.linalg.norm(weights[-1])
    truths, times, v = [], {"svd_lowrank": [], "svds": []}, np.ones(cols)
    for i, w in enumerate(weights):
        start = start_for(w, v)
        truths.append(exact(w.astype(float), start.astype(float)))
        v = truths[-1][1]
        if i > 0:  # the first is a cold start
            times["svd_lowrank"].append(lowrank(w, truths[-1]))
            times["svds"].append(lanczos(w, truths[-1], start))
    full, _ = timed(lambda: torch.linalg.svd(torch.from_numpy(weights[-1]), full_matrices=False))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "snapshots"
        weights.tofile(path)
        target, seconds, passes, one = follow_tracker(path, weights, truths)
    tracker = statistics.median(seconds)
    median = {name: statistics.median(values) for name, values in times.items()}
    best = min(median["svd_lowrank"], median["svds"], full)
    print(f"| {layer} {rows}x{cols} | {drift:.1e} | {target:g} | {statistics.mean(passes):.1f} | "
          f"{1e3 * tracker:.2f} | {1e3 * median['svd_lowrank']:.1f} | {1e3 * median['svds']:.1f} | "
          f"{1e3 * full:.0f} | **{best / tracker:.1f}x** | **{one:.1f}x** |", flush=True)


def compare_pass(tracker, weights):
    """How many times faster one fused pass with 8 vectors (both products, the lengths of W, W0 and their
    difference) is than PyTorch's dot product, two norms and one product; median of pairs."""
    w0 = torch.from_numpy(weights[0])
    vectors = torch.randn(w0.shape[1], 8)
    ratios = []
    for i in range(1, len(weights)):
        w = torch.from_numpy(weights[i])

        def separately():
            return torch.dot(w.flatten(), w0.flatten()), w.norm(), (w - w0).norm(), w @ vectors

        seconds, _ = timed(separately)
        ratios.append(seconds / tracker.passing(i))
    return statistics.median(ratios)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="11008x4096 too: some minutes more")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| layer | drift | target | passes | tracker ms | svd_lowrank ms | svds ms | full SVD ms | "
          "faster than the best | a pass, faster than PyTorch |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for layer, weights in train(text_model, [GATE, DOWN], 10, 10).items():
        follow(layer, weights)
    follow("classifier", train(lambda: classifier(4096), [FIRST], 8, 10)[FIRST])
    if args.large:
        follow("classifier", train(lambda: classifier(11008), [FIRST], 5, 5)[FIRST])


if __name__ == "__main__":
    main()
