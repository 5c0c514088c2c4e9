"""Layers whose matrix several processes hold together: what is whole gives the figures of the whole matrix, what stays
incomplete is dropped and counted."""

import contextlib
import multiprocessing
import random

import numpy as np
import pytest

import foreshock
import reference
from harness import until
from raw import Raw
from test_figures import Errors, Stored, check_alignment, check_neurons, check_rotation, check_spectrum

OUT, IN = 96, 60
TILE = 64  # rows that the kernels take at a time where they are so short: sums are the same to the bit
STEPS = range(0, 12, 3)
DEADLINE = "limits: {shard_deadline_seconds: 0.4}\n"


def drifting(shape, seed, steps=STEPS):
    """{step: W}: a matrix whose leading direction is clear, on its way."""
    draw = np.random.default_rng(seed)
    W = draw.standard_normal(shape) + 3 * np.outer(draw.standard_normal(shape[0]), draw.standard_normal(shape[1])) / 8
    matrices = {}
    for step in steps:
        matrices[step] = W
        W = W + 0.02 * draw.standard_normal(shape)
    return matrices


def as_sent(W, dtype):
    """What travels, and the float64 numbers that it stands for."""
    if dtype == "bfloat16":
        return reference.bfloat16(W)
    sent = W.astype(dtype)
    return sent, sent.astype(np.float64)


def spans_of(size, ends):
    return list(zip([0, *ends], [*ends, size]))


def part(W, axis, begin, end, transposed=False):
    shard = W[begin:end] if axis == "rows" else W[:, begin:end]
    return np.ascontiguousarray(shard.T if transposed else shard)


class Rank(Raw):
    """A session that holds one shard of layer 0, and sends it of a step."""

    def __init__(self, daemon, rank, world, session=None, **more):
        super().__init__(daemon.endpoint, session=session or f"rank-{rank}", rank=rank, world=world, **more)
        self.hello()

    def hold(self, axis, begin, end, shape=(OUT, IN), dtype="float32", number=0, name="l", transposed=False, **more):
        self.held = (axis, begin, end, transposed)
        self.dtype = dtype
        self.declare(number, name, shape, dtype, shard=[axis, begin, end], transposed=transposed, **more)
        assert self.errors() == []

    def give(self, W, step, **more):
        """Sends its shard of a whole matrix as it travels."""
        axis, begin, end, transposed = self.held
        shard = part(W, axis, begin, end, transposed)
        shape = shard.shape[::-1] if transposed else shard.shape
        self.tensor(shard, step=step, dtype=self.dtype, shape=list(shape), **more)

    def dropped(self):
        return self.pulse()["dropped"]


@contextlib.contextmanager
def ranks(daemon, count, **more):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Rank(daemon, rank, count, **more)) for rank in range(count)]


def flush_all(*sessions):
    """Of several sessions at once: one's shards may wait for those of another."""
    for raw in sessions:
        raw.token += 1
        raw.send({"type": "flush", "token": raw.token})
        raw.send_tensor({"type": "flush", "ticket": raw.welcome["ticket"], "token": raw.token})
    return [raw.receive("flushed", lambda m: m["token"] == raw.token)["dropped"] for raw in sessions]


def check_layer(stored, errors, matrices, layer="l", narrow=False):
    first, previous = next(iter(matrices.values())), None
    for step, W in matrices.items():
        check_spectrum(errors, stored, layer, step, W)
        check_rotation(errors, stored, layer, step, W, first, previous, narrow)
        previous = W


# ---- figures ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("axis, ends", [("rows", [TILE]), ("rows", [1, 31]), ("cols", [17, 40])])
def test_shards_in_any_order_give_the_figures_of_the_whole(daemon, axis, ends, dtype, transposed):
    d, other = daemon(), daemon()
    matrices = {step: as_sent(W, dtype) for step, W in drifting((OUT, IN), 3).items()}
    spans = spans_of(OUT if axis == "rows" else IN, ends)
    shuffle = random.Random(7)
    with ranks(d, len(spans), lossless=True) as senders:
        for raw, (begin, end) in zip(senders, spans):
            raw.hold(axis, begin, end, dtype=dtype, transposed=transposed)
        # A sender goes on by one to three steps before it is another's turn.
        rest = {raw: list(matrices.items()) for raw in senders}
        while any(rest.values()):
            raw = shuffle.choice([raw for raw in senders if rest[raw]])
            for step, (sent, _) in rest[raw][:shuffle.randint(1, 3)]:
                raw.give(sent, step)
                rest[raw].pop(0)
        assert flush_all(*senders) == [0] * len(spans)
    with ranks(other, 1, lossless=True) as (whole,):
        whole.hold("rows", 0, OUT, dtype=dtype, transposed=transposed)
        for step, (sent, _) in matrices.items():
            whole.give(sent, step)
        assert whole.flush() == 0
    got, expected, errors = Stored(d, "r"), Stored(other, "r"), Errors()
    check_layer(got, errors, {step: W for step, (_, W) in matrices.items()}, narrow=dtype == "bfloat16")
    assert got.values.keys() == expected.values.keys()
    for key, value in expected.values.items():
        exact = axis == "cols" or ends == [TILE]  # columns are put together before anybody computes
        assert got.values[key] == (value if exact else pytest.approx(value, rel=1e-11, abs=1e-13)), key
    assert d.metric("foreshock_dropped_shards_total") == d.metric("foreshock_shard_bytes") == 0


@pytest.mark.parametrize("out_axis", ["cols", "rows"])  # tensor parallel; or every parameter by its rows
def test_a_sharded_mlp_gives_neurons(daemon, out_axis):
    d = daemon()
    ff, hidden, step = 120, 32, 4
    draw = np.random.default_rng(2)
    W_in, W_gate, W_out = (draw.standard_normal(shape) for shape in ((ff, hidden), (ff, hidden), (hidden, ff)))
    W_out[:, :50] += 1.5 * W_in[:50].T
    layers = [("gate", W_gate, "rows"), ("in", W_in, "rows"), ("out", W_out, out_axis)]
    spans = {ff: spans_of(ff, [40, 81]), hidden: spans_of(hidden, [5, 6])}
    with ranks(d, 3) as senders:
        for number, (name, W, axis) in enumerate(layers):
            for raw, span in zip(senders, spans[W.shape[0 if axis == "rows" else 1]]):
                raw.hold(axis, *span, W.shape, "float64", number, name, role=f"mlp.{name}", block="mlp")
        for number, (name, W, axis) in enumerate(layers):
            for raw, span in zip(senders, spans[W.shape[0 if axis == "rows" else 1]]):
                raw.tensor(part(W, axis, *span), step=step, layer=number)
        assert flush_all(*senders) == [0, 0, 0]
        stored, errors = Stored(d, "r"), Errors()
        check_neurons(errors, stored, "mlp", step, W_in, W_out, W_gate)
        for name, W, _ in layers:
            check_spectrum(errors, stored, name, step, W)


def test_activations_wait_for_the_weights_of_their_step(daemon):
    d = daemon()
    matrices = drifting((OUT, IN), 8, steps=(0, 5))
    X = np.random.default_rng(4).standard_normal((2, 2, 50, IN))
    with ranks(d, 2) as senders:
        for raw, (begin, end) in zip(senders, ((0, 32), (32, OUT))):
            raw.hold("rows", begin, end, dtype="float64")
        for at, (step, W) in enumerate(matrices.items()):
            for rank, raw in enumerate(senders):
                raw.give(W, step)
                raw.tensor(X[at, rank], step=step, kind="activations")
        assert flush_all(*senders) == [0, 0]
        stored, errors = Stored(d, "r"), Errors()
        for at, (step, W) in enumerate(matrices.items()):
            v1, slack = check_spectrum(errors, stored, "l", step, W)
            check_alignment(errors, stored, "l", step, np.concatenate(X[at]), v1, slack)


def test_activations_are_those_of_the_whole_input(daemon):
    d = daemon()
    with Rank(d, 0, 2) as raw:
        raw.hold("cols", 0, 20)
        raw.tensor(np.ones((4, 20), np.float32), step=0, kind="activations")
        error = raw.error()
        assert (error["code"], error["field"], error["value"], error["expected"]) == (
            "tensor_mismatch", "shape", "[4, 20]", f"[tokens, {IN}], as the layer was declared")


# ---- late, never, twice -------------------------------------------------------------------------------

def test_one_late_and_one_never(daemon):
    d = daemon(config=DEADLINE)
    matrices = drifting((OUT, IN), 1, steps=range(4))
    with Rank(d, 0, 2) as a, Rank(d, 1, 2) as b:
        a.hold("rows", 0, 40, dtype="float64")
        b.hold("rows", 40, OUT, dtype="float64")
        a.give(matrices[0], 0)
        until(lambda: a.pulse() and d.metric("foreshock_shard_bytes") == 40 * IN * 8, "the shard")
        assert d.metric("foreshock_tensors_analysed_total") == 0
        b.give(matrices[0], 0)  # late, but in time
        assert flush_all(a, b) == [0, 0]
        a.give(matrices[1], 1)  # the other's will come too late, ...
        until(lambda: (b.pulse(), a.dropped())[1] == 1, "the deadline")
        told = a.error("stale")
        assert (told["field"], told["value"], told["about"], told["fatal"]) == ("step", "1", "tensor", False)
        assert told["expected"] == "rows [40, 96) of this step in time, of layer l"
        b.give(matrices[1], 1)
        b.give(matrices[2], 2)  # ... and this one's never
        until(lambda: (a.pulse(), b.dropped())[1] == 2, "the deadline")
        assert d.metric("foreshock_dropped_shards_total") == 3 and d.metric("foreshock_shard_bytes") == 0
        for raw in (a, b):
            raw.give(matrices[3], 3)
        assert flush_all(a, b) == [1, 2]
        assert d.api("/api/v1/runs/r")["dropped"] == 3
    check_layer(Stored(d, "r"), Errors(), {step: matrices[step] for step in (0, 3)})


def test_a_newer_whole_step_drops_the_older_ones(daemon):
    d = daemon()
    matrices = drifting((OUT, IN), 1, steps=range(3))
    with Rank(d, 0, 2) as a, Rank(d, 1, 2) as b:
        a.hold("cols", 0, 40, dtype="float64")
        b.hold("cols", 40, IN, dtype="float64")
        a.give(matrices[0], 0)
        a.give(matrices[1], 1)
        a.give(matrices[2], 2)
        b.give(matrices[2], 2)
        assert flush_all(a, b) == [2, 0]
        assert a.error("stale")["value"] == "0"
        assert d.metric("foreshock_dropped_shards_total") == 2
    assert set(d.series("r", "weights.norm", "l")) == {2}


def test_a_replica_late_for_a_step_that_was_overtaken_is_told(daemon):
    d = daemon()
    matrices = drifting((OUT, IN), 1, steps=range(4))
    with ranks(d, 3, lossless=True) as (a, b, replica):
        a.hold("rows", 0, 40, dtype="float64")
        for raw in (b, replica):
            raw.hold("rows", 40, OUT, dtype="float64")
        for step in (0, 2, 3):
            a.give(matrices[step], step)
            b.give(matrices[step], step)
        flush_all(a, b)
        for step in (0, 1, 2):
            replica.give(matrices[step], step)
        assert flush_all(a, b, replica) == [0, 0, 1]
        told = replica.error("stale")
        assert (told["field"], told["value"]) == ("step", "1")
        assert d.metric("foreshock_dropped_shards_total") == 1
    check_layer(Stored(d, "r"), Errors(), {step: matrices[step] for step in (0, 2, 3)})


def test_of_steps_that_wait_the_newest_stay(daemon):
    d = daemon()
    matrices = drifting((OUT, IN), 1, steps=range(20))
    with Rank(d, 0, 2) as a, Rank(d, 1, 2) as b:
        a.hold("rows", 0, 40, dtype="float64")
        b.hold("rows", 40, OUT, dtype="float64")
        for step, W in matrices.items():
            a.give(W, step)
        until(lambda: a.dropped() == 12, "all but eight")
        for step in (0, 13, 14):  # the first, which may be w(0), stays too
            b.give(matrices[step], step)
            flush_all(b)
        assert set(d.series("r", "weights.norm", "l")) == {0, 13, 14}
        assert b.dropped() == 0


def test_of_two_senders_of_one_shard_the_first_is_believed(daemon):
    d = daemon()
    matrices = drifting((OUT, IN), 5, steps=range(3))
    spans = [("rows", 0, 40), ("rows", 0, 40), ("rows", 40, OUT), ("rows", 40, OUT)]
    with ranks(d, 4) as senders:
        for raw, span in zip(senders, spans):
            raw.hold(*span, dtype="float64")
        first, replica, other, late = senders
        for step, W in matrices.items():
            first.give(W, step)
            until(lambda: first.pulse() and d.metric("foreshock_shard_bytes") > 0, "the first")
            replica.give(np.zeros_like(W), step)
            other.give(W, step)
            flush_all(first, replica, other)
            late.give(np.zeros_like(W), step)
        assert flush_all(*senders) == [0, 0, 0, 0]
        assert d.metric("foreshock_tensors_analysed_total") == 6
        check_layer(Stored(d, "r"), Errors(), matrices)


def test_shards_that_overlap_are_refused_and_those_that_leave_a_gap_wait(daemon):
    d = daemon(config=DEADLINE)
    W = drifting((OUT, IN), 6, steps=(0, 1))
    with Rank(d, 0, 3) as a, Rank(d, 1, 3) as b, Rank(d, 2, 3) as c:
        a.hold("rows", 0, 40, dtype="float64")
        for shard, value in ((["rows", 39, 80], "rows [39, 80)"), (["rows", 0, 39], "rows [0, 39)"),
                             (["cols", 0, 20], "cols [0, 20)"), (None, "rows [0, 96)")):
            more = {} if shard is None else {"shard": shard}
            b.declare(0, "l", (OUT, IN), "float64", **more)
            (told,) = b.errors()
            assert (told["code"], told["field"], told["value"]) == ("layer_conflict", "shard", value)
            assert told["expected"] == "rows [0, 40), which another holds, or one beside it"
        b.declare(0, "l", (OUT, IN + 1), "float64", shard=["rows", 40, 80])
        assert b.error("layer_conflict")["field"] == "shape"
        b.hold("rows", 40, 80, dtype="float64")
        for raw in (a, b):
            raw.give(W[0], 0)
        until(lambda: (a.pulse(), b.pulse(), d.metric("foreshock_dropped_shards_total"))[2] == 2, "the deadline")
        assert a.error("stale")["expected"].startswith("rows [80, 96) ")
        c.hold("rows", 80, OUT, dtype="float64")
        for raw in (a, b, c):
            raw.give(W[1], 1)
        assert flush_all(a, b, c) == [1, 1, 0]
    assert set(d.series("r", "weights.norm", "l")) == {1}


# ---- sessions, attempts, restarts -------------------------------------------------------------------------

def test_a_sender_that_is_lost_costs_its_steps_and_nothing_else(daemon):
    d = daemon(config="limits: {shard_deadline_seconds: 0.4, lease_seconds: 1}\n")
    matrices = drifting((OUT, IN), 9, steps=range(4))
    with ranks(d, 2) as (a, b):
        a.hold("rows", 0, 40, dtype="float64")
        b.hold("rows", 40, OUT, dtype="float64")
        a.give(matrices[0], 0)
        b.give(matrices[0], 0)
        flush_all(a, b)
        b.give(matrices[1], 1)
        until(lambda: b.pulse() and d.metric("foreshock_shard_bytes") > 0, "its last shard")
        b.close()
        a.give(matrices[1], 1)  # it is there, though its sender is not
        flush_all(a)
        a.give(matrices[2], 2)
        until(lambda: a.dropped() == 1, "the deadline")
        until(lambda: a.pulse() and d.metric("foreshock_leases_lost_total") == 1, "the lease")
        with Rank(d, 1, 2) as back:  # the same session
            back.hold("rows", 40, OUT, dtype="float64")
            for raw in (a, back):
                raw.give(matrices[3], 3)
            assert flush_all(a, back) == [1, 0]
            assert d.api("/api/v1/runs/r")["attempt"] == 1
        assert set(d.series("r", "weights.norm", "l")) == {0, 1, 3}


def test_what_waits_when_the_last_session_ends_is_dropped(daemon):
    d = daemon()
    with Rank(d, 0, 2) as a:
        a.hold("rows", 0, 40)
        a.give(np.ones((OUT, IN), np.float32), 0)
        until(lambda: a.pulse() and d.metric("foreshock_shard_bytes") > 0, "the shard")
        a.bye()
        until(lambda: d.api("/api/v1/runs/r")["state"] == "ended", "the bye")
        assert d.metric("foreshock_shard_bytes") == 0 and d.metric("foreshock_dropped_shards_total") == 1
        until(lambda: d.change("/api/v1/runs/r", "DELETE")[0] == 200, "the run can be deleted")


def test_a_new_attempt_begins_with_nothing_and_may_cut_the_matrix_otherwise(daemon):
    d = daemon()
    matrices = drifting((OUT, IN), 10, steps=range(3))
    with Rank(d, 0, 2) as a, Rank(d, 1, 2) as b:
        a.hold("rows", 0, 40, dtype="float64")
        b.hold("rows", 40, OUT, dtype="float64")
        for raw in (a, b):
            raw.give(matrices[0], 0)
        flush_all(a, b)
        a.give(matrices[2], 2)
        until(lambda: a.pulse() and d.metric("foreshock_shard_bytes") > 0, "the shard")
        b.send({"type": "rewind", "step": 1})
        b.pulse()
        assert d.metric("foreshock_shard_bytes") == 0 and d.metric("foreshock_dropped_shards_total") == 1
        a.send({"type": "rewind", "step": 1})
        assert a.dropped() == 1
        for raw in (b, a):
            raw.give(matrices[1], 1)
        assert flush_all(a, b) == [1, 0]
        for raw in (a, b):
            raw.bye()
    with Rank(d, 0, 1, session="again") as c:
        c.declare(0, "l", (OUT, IN), "float64")
        c.tensor(matrices[2], step=2)
        assert c.flush() == 0
    errors, stored = Errors(), Stored(d, "r")
    for step in range(3):
        check_spectrum(errors, stored, "l", step, matrices[step])
        expected = reference.rotation(matrices[step], matrices[0])["rotation.from_init"]
        assert stored.values["l", "rotation.from_init", step] == pytest.approx(expected, rel=0.01, abs=1e-12)
    assert d.api("/api/v1/runs/r")["attempt"] == 3


@pytest.mark.parametrize("axis, ends, transposed", [("rows", [40], False), ("rows", [40], True), ("cols", [24], True)])
def test_killed_while_a_shard_waits(daemon, axis, ends, transposed):
    d = daemon()
    matrices = drifting((OUT, IN), 11, steps=range(3))
    spans = spans_of(OUT if axis == "rows" else IN, ends)
    with ranks(d, 2, lossless=True) as senders:
        a, b = senders

        def come():
            for raw, span in zip(senders, spans):
                raw.hold(axis, *span, dtype="float64", transposed=transposed)

        come()
        for raw in senders:
            raw.give(matrices[0], 0)
        flush_all(a, b)
        a.give(matrices[1], 1)
        until(lambda: a.pulse() and d.metric("foreshock_shard_bytes") > 0, "the shard")
        d.kill()
        d.start()
        for raw in senders:
            raw.hello()
        come()
        a.give(matrices[0], 0)  # sent again, and known
        for raw in (b, a):
            raw.give(matrices[1], 1)
        for raw in senders:
            raw.give(matrices[2], 2)
        assert flush_all(a, b) == [0, 0]
        stored, errors = Stored(d, "r"), Errors()
        for step, W in matrices.items():
            check_spectrum(errors, stored, "l", step, W)
            for figure, value in reference.rotation(W, matrices[0]).items():
                assert stored.values["l", figure, step] == pytest.approx(value, rel=0.01, abs=1e-12)
        assert stored.values["l", "rotation.step", 2] == pytest.approx(
            reference.one_minus_cos(matrices[2], matrices[1]), rel=0.01)
        assert ("l", "spectral.break", 1) not in stored.values


# ---- real clients ------------------------------------------------------------------------------------------

MLP = {"up": ("mlp.in", "rows"), "down": ("mlp.out", "cols")}


def mlp(steps):
    return {"up": drifting((96, 40), 21, steps), "down": drifting((40, 96), 22, steps)}


def train(endpoint, rank, begin, end, steps):
    """One rank of a tensor-parallel training, in a process of its own."""
    W = mlp(steps)
    names = list(MLP) if rank % 2 else list(MLP)[::-1]
    with foreshock.Run("tp", endpoint=endpoint, rank=rank, wait=60) as run:
        for name, (role, axis) in MLP.items():
            run.declare(name, W[name][0].shape, role=role, block="mlp", dtype="float64", shard=(axis, begin, end))
        for step in steps:
            for name in names:
                run.weights(step, name, part(W[name][step], MLP[name][1], begin, end))
            run.log(step, loss=1.0)
        assert run.flush(timeout=60)
        assert run.dropped.daemon == run.dropped.client == 0 and run.errors == []


def test_processes_of_the_python_client(daemon):
    d, steps = daemon(), range(25)
    context = multiprocessing.get_context("spawn")
    spans = spans_of(96, [30, 31])
    processes = [context.Process(target=train, args=(d.endpoint, rank, *span, steps)) for rank, span in enumerate(spans)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    stored, errors, W = Stored(d, "tp"), Errors(), mlp(steps)
    for name in MLP:
        check_layer(stored, errors, W[name], layer=name)
    for step in steps:
        expected, _ = reference.neurons(W["up"][step], W["down"][step])
        for figure, value in expected.items():
            errors.check(figure, stored.values["mlp", figure, step], value, 1e-5, step)
    assert d.api("/api/v1/runs/tp")["dropped"] == 0


def test_what_waits_for_others_does_not_keep_them_out(daemon):
    """One rank sends far more than the budget holds before the other sends anything; nothing is lost."""
    d = daemon(config="limits: {memory_bytes: 64MiB, tensor_bytes: 64MiB, shard_deadline_seconds: 60}\n")
    layers, shape = 24, (1024, 2048)
    W = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    with foreshock.Run("big", endpoint=d.endpoint, rank=0, wait=60, memory=2**30) as a, \
            foreshock.Run("big", endpoint=d.endpoint, rank=1, wait=60, memory=2**30) as b:
        for run, shard in ((a, ("rows", 0, 512)), (b, ("rows", 512, 1024))):
            for layer in range(layers):
                run.declare(f"l{layer}", shape, dtype="float32", shard=shard)
        for layer in range(layers):
            a.weights(0, f"l{layer}", W[:512])
        until(lambda: d.metric("foreshock_shard_bytes") >= 60 * 2**20, "as much as may wait")
        for layer in range(layers):
            b.weights(0, f"l{layer}", W[512:])
        assert b.flush(60) and a.flush(60)
        assert a.dropped.daemon == b.dropped.daemon == 0
    norm = np.linalg.norm(W.astype(np.float64))
    for layer in range(layers):
        assert d.series("big", "weights.norm", f"l{layer}")[0] == pytest.approx(norm, rel=1e-6)
    assert d.metric("foreshock_shard_bytes") == 0


def test_ranks_that_send_in_opposite_orders_do_not_keep_each_other_out(daemon):
    d = daemon(config="limits: {memory_bytes: 64MiB, tensor_bytes: 64MiB, shard_deadline_seconds: 60}\n")
    layers, shape = range(24), (1024, 2048)
    W = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    with foreshock.Run("r", endpoint=d.endpoint, rank=0, wait=60, memory=2**30) as a, \
            foreshock.Run("r", endpoint=d.endpoint, rank=1, wait=60, memory=2**30) as b:
        for run, begin, order in ((a, 0, layers), (b, 512, layers[::-1])):
            for layer in order:
                run.declare(f"l{layer}", shape, dtype="float32", shard=("rows", begin, begin + 512))
        for layer in layers:
            a.weights(0, f"l{layer}", W[:512])
            b.weights(0, f"l{23 - layer}", W[512:])
        assert a.flush(20) and b.flush(20)
        assert a.dropped.daemon == b.dropped.daemon == 0
    assert all(0 in d.series("r", "weights.norm", f"l{layer}") for layer in layers)


def test_a_lossless_session_that_does_not_ask_gets_no_more_than_the_budget(daemon):
    d = daemon(config="limits: {memory_bytes: 64MiB, tensor_bytes: 64MiB}\n")
    shape, shard = (4096, 2048), np.ones((2048, 2048), np.float32)  # 16 MiB
    with Rank(d, 0, 2, lossless=True) as raw:
        raw.hold("rows", 0, 2048, shape)
        for step in range(10):
            raw.tensor(shard, step=step)
        told = raw.error("budget")
        assert (told["field"], told["about"]) == ("total", "tensor")
        until(lambda: raw.dropped() == 6, "the last of them")
        assert d.metric("foreshock_shard_bytes") == 4 * shard.nbytes
