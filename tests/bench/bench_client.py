"""What foreshock.watch() costs a training step: the same training with and without it, in
alternating blocks of one process, with a daemon running and with none.

    FORESHOCK_BUILD=build /usr/bin/python3 tests/bench/bench_client.py [--pairs N]

Ratios are taken within each pair of neighbouring blocks: of the mean step, which holds the samples'
cost; of the median step, which is mostly one without a sample; and of the training thread's own
processor time, which other load disturbs least and which leaves out the sending thread. The row
`unwatched twice` shows what is noise. 77: there is no PyTorch.
"""

import argparse
import logging
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from typing import List, NamedTuple, Optional

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("client/python", "tests/integration", "tools/demo"):
    sys.path.insert(0, str(ROOT / folder))

try:
    import torch
except ImportError:
    print("no PyTorch here: nothing to measure")
    sys.exit(77)

import harness  # noqa: E402
from decoder import VOCABULARY, Decoder  # noqa: E402

import foreshock  # noqa: E402

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT, BATCH = 128, 4, 4, 384, 64, 8
WARM_UP, STEPS = 5, 20  # with every=20 one sample in each block


class Training:
    """A decoder of the quickstart's kind on its text; `step` does one update."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        corpus = (ROOT / "tools" / "demo" / "corpus.txt").read_bytes()
        self.text = torch.frombuffer(bytearray(corpus), dtype=torch.uint8)
        self.model = Decoder(WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def step(self) -> torch.Tensor:
        """Returns the loss, of one element."""
        start = torch.randint(len(self.text) - CONTEXT, (BATCH, 1))
        batch = self.text[start + torch.arange(CONTEXT + 1)].long()
        logits = self.model(batch[:, :-1])
        loss = torch.nn.functional.cross_entropy(
            logits.view(-1, VOCABULARY), batch[:, 1:].reshape(-1)
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()


class Block(NamedTuple):
    mean: float  # seconds a step
    median: float
    thread: float  # seconds of the training thread's processor time a step


def run_block(training: Training, monitor: Optional[foreshock.Monitor]) -> Block:
    """Step times of one block, without its first steps: there the session opens and the first
    sample is taken, with the allocations that later ones reuse."""
    times: List[float] = []
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            thread_began = time.thread_time()
        began = time.perf_counter()
        loss = training.step()
        if monitor is not None:
            monitor.step(step, loss=loss)
        times.append(time.perf_counter() - began)
    thread = (time.thread_time() - thread_began) / STEPS
    del times[:WARM_UP]
    return Block(statistics.mean(times), statistics.median(times), thread)


def watched_block(training: Training, endpoint: Optional[str], every: Optional[int]) -> Block:
    """Without an endpoint a block like the others: unwatched."""
    if endpoint is None:
        return run_block(training, None)
    with foreshock.watch(training.model, run="bench", endpoint=endpoint, every=every) as monitor:
        return run_block(training, monitor)


def spread(ratios: List[float]) -> str:
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


def compare(
    training: Training, what: str, endpoint: Optional[str], every: Optional[int], pairs: int
) -> None:
    """Prints one row; which block of a pair comes first alternates."""
    ratios: List[Block] = []
    plain_means: List[float] = []
    for pair in range(pairs):
        if pair % 2:
            watched = watched_block(training, endpoint, every)
            plain = run_block(training, None)
        else:
            plain = run_block(training, None)
            watched = watched_block(training, endpoint, every)
        ratios.append(Block(*(a / b for a, b in zip(watched, plain))))
        plain_means.append(plain.mean)
    columns = "".join(f"{spread(list(column)):26}" for column in zip(*ratios))
    print(f"{what:26}{columns}{1e3 * statistics.median(plain_means):6.1f} ms", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=10, help="of blocks, at least 2")
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    logging.getLogger("foreshock").setLevel(logging.ERROR)  # that no daemon is there is wanted here
    training = Training()
    matrices = sum(p.numel() for p in training.model.parameters() if p.dim() == 2)
    print(f"PyTorch {torch.__version__}, one thread; a decoder with {matrices / 1e6:.1f} million "
          f"weights in matrices, {BATCH} x {CONTEXT} tokens a step, blocks of {STEPS} steps")
    print("time with watch() / without it: medians and quartiles over the pairs")
    print(f"{'':26}{'mean step':26}{'median step':26}{'processor time':26}unwatched")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fs-"))
    daemon = harness.Daemon(folder).start()
    try:
        compare(training, "unwatched twice", None, None, pairs)
        for every in (20, None):
            compare(training, f"every={every}, daemon runs", daemon.endpoint, every, pairs)
            absent = f"ipc://{folder}/none"
            compare(training, f"every={every}, no daemon", absent, every, pairs)
        problems = daemon.close()
    finally:
        daemon.close()
        shutil.rmtree(folder)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
