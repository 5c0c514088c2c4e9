"""Clients that do what is allowed in an order that nobody expects, and ranks that come and go at awkward moments."""

import threading

import numpy as np

import foreshock
from harness import until
from raw import Raw

E = np.eye(8, dtype=np.float32)
SMALL_BUDGET = "limits: {memory_bytes: 64MiB, tensor_bytes: 64MiB}\n"


def test_dtypes_alternate_within_a_session(daemon):
    d = daemon()
    with Raw(d.endpoint) as r:
        r.hello()
        r.declare(0, "a", (8, 8))
        r.declare(1, "b", (8, 8), "bfloat16")
        for step in range(1, 4):
            r.tensor(E, step, 0)
            r.tensor(np.full((8, 8), 0x3F80, np.uint16), step, 1, dtype="bfloat16")
            r.flush()
        assert not r.errors()
    assert set(d.series("r", "weights.norm", "a")) == set(d.series("r", "weights.norm", "b")) == {1, 2, 3}


def test_a_number_stays_with_its_layer(daemon):
    d = daemon()
    with Raw(d.endpoint) as r:
        r.hello()
        r.declare(0, "a", (8, 8))
        header, data = r.tensor_header(E, 1, 0), E.tobytes()
        r.send_tensor({**header, "offset": 0}, data[:128])
        until(lambda: d.metric("foreshock_ingest_bytes") == len(data), "the first half")
        r.declare(0, "big", (512, 512))
        assert r.error("layer_conflict")["field"] == "layer"
        r.send_tensor({**header, "offset": 128}, data[128:])
        r.flush()
    assert set(d.series("r", "weights.norm", "a")) == {1}


def test_the_last_waiting_tensor_of_a_block_is_dropped_with_its_sample(daemon):
    """While a worker is busy, the budget drops the second half of a sample whose first half waits in line."""
    d = daemon(config="workers: 1\n" + SMALL_BUDGET)
    random = np.random.default_rng(0)
    matrix = lambda shape: random.standard_normal(shape, dtype=np.float32)
    with Raw(d.endpoint) as r:
        r.hello()
        r.declare(0, "busy", (4096, 1024))
        r.declare(1, "in", (1024, 512), role="mlp.in", block="B")
        r.declare(2, "out", (512, 1024), role="mlp.out", block="B")
        r.declare(3, "fill", (11776, 1024))
        for layer, shape in ((0, (4096, 1024)), (3, (11776, 1024)), (1, (1024, 512)), (2, (512, 1024))):
            r.tensor(matrix(shape), 1, layer)
        r.flush()
        r.tensor(matrix((1024, 512)), 2, 1)
        r.flush()
    assert 2 in d.series("r", "weights.norm", "in")


def test_a_tensor_under_way_when_another_rank_goes_back_is_not_of_the_new_attempt(daemon):
    d = daemon()
    with Raw(d.endpoint, session="a", rank=0, world=2) as a, Raw(d.endpoint, session="b", rank=1, world=2) as b:
        a.hello()
        b.hello()
        a.declare()
        b.declare()
        a.tensor(E, 100)
        a.flush()
        header, data = a.tensor_header(E, 105), E.tobytes()
        a.send_tensor({**header, "offset": 0}, data[:128])
        until(lambda: d.metric("foreshock_ingest_bytes") == len(data), "the first half")
        b.send({"type": "rewind", "step": 10})
        b.pulse()
        a.send_tensor({**header, "offset": 128}, data[128:])
        a.flush()
        for step in range(10, 20):
            b.tensor(E, step)
            b.flush()
    newest = d.api("/api/v1/runs/r/series?metric=weights.norm&attempt=2")["series"]
    assert [s["step"] for s in newest] == [list(range(10, 20))]


def test_neurons_are_of_one_attempt(daemon):
    d = daemon()
    with Raw(d.endpoint) as r:
        r.hello()
        r.declare(1, "in", (8, 8), role="mlp.in", block="B")
        r.declare(2, "out", (8, 8), role="mlp.out", block="B")
        r.tensor(E, 10, 1)
        r.tensor(E, 10, 2)
        r.flush()
        r.send({"type": "rewind", "step": 10})
        r.pulse()
        r.tensor(-E, 10, 1)
        r.flush()
        r.tensor(-E, 10, 2)
        r.flush()
    series = d.api("/api/v1/runs/r/series?metric=gate.in_out.mean&attempt=2")["series"]
    assert [s["last"] for s in series] == [[1.0]]


def test_a_lossless_block_as_large_as_the_budget_goes_through(daemon):
    d = daemon(config=SMALL_BUDGET)
    with Raw(d.endpoint, lossless=True) as r:
        r.hello()
        r.declare(1, "in", (10000, 1024), role="mlp.in", block="B")
        r.declare(2, "out", (1024, 10000), role="mlp.out", block="B")
        for number, shape in ((1, (10000, 1024)), (2, (1024, 10000))):
            W = np.zeros(shape, np.float32)
            W[0, 0] = 1
            r.send({"type": "want", "tensor": number - 1, "bytes": W.nbytes})
            r.receive("grant")
            r.tensor(W, 1, number)
            r.flush()
    assert d.series("r", "gate.undefined", "B") == {1: 9999}


def test_every_flush_is_answered(daemon):
    d = daemon()
    with Raw(d.endpoint) as r:
        welcome = r.hello()
        for token in (1, 2, 3):
            r.send({"type": "flush", "token": token})
        for token in (1, 2, 3):
            r.send_tensor({"type": "flush", "ticket": welcome["ticket"], "token": token})
        assert {r.receive("flushed")["token"] for _ in range(3)} == {1, 2, 3}


def test_a_rank_that_comes_after_the_end_is_watched(daemon):
    d = daemon()
    with Raw(d.endpoint, world=2) as r, Raw(d.endpoint, session="t", rank=1, world=2) as t:
        r.hello()
        r.bye()
        # Until the run is committed, its own page is a 404.
        until(lambda: [run["state"] for run in d.api("/api/v1/runs")["runs"]] == ["ended"], "the end")
        assert t.hello()["attempt"] == 2
        t.scalars(5, loss=float("nan"))
        t.flush()
        assert d.alerts("r", rule="nonfinite", state="firing")


def test_an_overtaken_session_that_comes_back_is_heard(daemon):
    d = daemon(config="limits: {lease_seconds: 1.0}\n")
    with Raw(d.endpoint, session="a") as a, Raw(d.endpoint, session="b") as b:
        a.hello()
        a.flush()
        until(lambda: d.api("/api/v1/runs/r")["state"] == "lost", "the end of its lease")
        assert b.hello()["attempt"] == 2
        b.flush()
        until(lambda: d.api("/api/v1/runs/r")["state"] == "lost", "the end of the other's lease")
        assert a.hello()["attempt"] == 3
        a.scalars(7, loss=1.0)
        a.flush()
        assert d.series("r", "loss") == {7: 1.0}


def test_what_a_client_dropped_is_counted_once_across_a_kill(daemon):
    d = daemon()
    with Raw(d.endpoint) as r:
        r.hello()
        r.pulse(100)
        r.flush()
        until(lambda: d.api("/api/v1/runs/r")["dropped"] == 100, "the count")
        d.kill()
        d.start()
        r.hello()
        r.pulse(100)
        r.flush()
        assert d.api("/api/v1/runs/r")["dropped"] == 100


def test_who_said_bye_is_not_lost_after_a_restart(daemon):
    d = daemon(config="limits: {lease_seconds: 1.0}\n")
    with Raw(d.endpoint, session="b", rank=1, world=2) as b:
        with Raw(d.endpoint, session="a", rank=0, world=2) as a:
            a.hello()
            b.hello()
            a.bye()
        until(lambda: d.request("/api/v1/runs/r")[0] == 200, "the run in the store")
        until(lambda: d.alerts("r", rule="run_lost", state="firing"), "the loss of rank 1")
        d.restart()
        b.hello()
        until(lambda: b.pulse() and d.alerts("r", rule="run_lost", state="resolved"), "its return")
        b.bye()
        # Until the run is committed, its own page is a 404.
        until(lambda: [run["state"] for run in d.api("/api/v1/runs")["runs"]] == ["ended"], "the end")


def test_replaced_initializations_do_not_pile_up(daemon):
    d = daemon()
    with Raw(d.endpoint) as r:
        r.hello()
        r.declare()
        for step in range(1, 11):
            r.tensor(E, step, initial=True)
        r.flush()
        until(lambda: len(list((d.state_dir / "baselines").iterdir())) == 1, "one file a layer")


def test_stopping_while_runs_are_deleted(daemon):
    d = daemon()
    for i in range(100):
        with Raw(d.endpoint, run=f"r{i}") as r:
            r.hello()
            r.bye()
    until(lambda: all(run["state"] == "ended" for run in d.api("/api/v1/runs")["runs"]), "the ends")
    token, answers = d.admin_token, []

    def delete(numbers):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        for i in numbers:
            try:
                answers.append(d.request(f"/api/v1/runs/r{i}", "DELETE", headers, b"{}")[0])
            except OSError:
                return

    threads = [threading.Thread(target=delete, args=(range(k, 100, 4),)) for k in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: answers, "the first deletion")
    assert d.stop() == 0
    for thread in threads:
        thread.join()


def test_grants_that_nobody_uses_lapse(daemon):
    """A client that asks for room and sends nothing holds it from others no longer than a tensor may take."""
    d = daemon(config="limits: {memory_bytes: 64MiB, tensor_bytes: 64MiB, sample_deadline_seconds: 1}\n")
    W = np.ones((1024, 1024), np.float32)
    with Raw(d.endpoint, run="idle") as idle, Raw(d.endpoint) as raw:
        idle.hello()
        raw.hello()
        raw.declare(shape=W.shape)
        for tensor in range(4):
            idle.send({"type": "want", "tensor": tensor, "bytes": 16 << 20})
            idle.receive("grant")
        raw.tensor(W, step=0)
        assert raw.error()["code"] == "budget"
        until(lambda: idle.pulse() and d.metric("foreshock_ingest_bytes") == 0, "the room")
        raw.tensor(W, step=1)
        raw.flush()
        assert set(d.series("r", "spectral.sigma1", "l")) == {1}


def test_a_limit_of_a_hello_is_of_the_moment(daemon):
    """A training that finds all sessions taken is watched once one is free."""
    d = daemon(config="limits: {sessions: 1}\n")
    with Raw(d.endpoint, run="first") as first:
        first.hello()
        with foreshock.Run("second", endpoint=d.endpoint) as second:
            second.log(1, loss=1.0)
            until(lambda: second.errors, "the refusal")
            assert (second.errors[0].code, second.errors[0].fatal) == ("limit", False)
            first.bye()
            assert second.flush(20)
    assert d.series("second", "loss") == {1: 1.0}


def test_a_daemon_is_stopped_while_it_works(daemon):
    """It turns its loop until the workers have finished what is in hand, and does nothing else meanwhile."""
    d = daemon()
    with Raw(d.endpoint) as r:
        r.hello()
        weights = np.random.default_rng(0).standard_normal((2048, 2048)).astype(np.float32)
        for layer in range(4):
            r.declare(layer, f"l{layer}", weights.shape)
        for step in range(2):
            for layer in range(4):
                r.tensor(weights, step, layer)
        r.pulse()
        assert d.stop() == 0
