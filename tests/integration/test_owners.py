"""Whose run it is: the user who opened it, as the kernel tells it, and who may take a rank over."""

import os
import signal
import time

import numpy as np
import pytest

import foreshock
from elsewhere import Elsewhere
from harness import until
from raw import Raw

EYE = np.eye(8, dtype=np.float32)
STRANGER = 65533  # a user who is not the one who runs the tests
LONG_LEASE = "limits: {lease_seconds: 60}\n"

as_root = pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")


def open_to_all(d):
    """The socket as it is for a member of the daemon's group."""
    d.folder.parent.chmod(0o755)
    for socket in d.folder.glob("in.sock*"):
        socket.chmod(0o666)


def not_owner(error):
    return error["code"] == "not_owner" and error["fatal"] and "another user" in error["expected"]


def run_of(d, run="r"):
    until(lambda: d.request(f"/api/v1/runs/{run}")[0] == 200, "the run to be committed")
    return d.api(f"/api/v1/runs/{run}")


# ---- another user ---------------------------------------------------------------------------------

@as_root
def test_nobody_else_joins_renames_or_sends_for_a_run(daemon):
    d = daemon()
    open_to_all(d)
    with Raw(d.endpoint, session="mine", world=2, name="mine") as mine, \
            Elsewhere(d.endpoint, session="theirs", rank=1, world=2, uid=STRANGER) as theirs:
        mine.hello()
        mine.declare()
        mine.scalars(500, loss=2.0)
        hello = {**mine.header, "session": "theirs", "rank": 1, "name": "PWNED", "tags": {"owner": "mallory"}}
        theirs.send(hello)  # joins as the other rank
        assert not_owner(theirs.error())
        theirs.send({**hello, "session": "mine", "rank": 0})  # resumes the session whose key it has guessed
        assert not_owner(theirs.error())
        theirs.send({**hello, "rank": 0})  # takes the rank over
        error = theirs.error()
        assert not_owner(error) and "mine" not in str(error)
        for message in ({"type": "scalars", "step": 501, "values": {"loss": float("nan")}}, {"type": "rewind", "step": 0},
                        {"type": "bye", "dropped": 0}):
            theirs.send(message)
            assert theirs.error()["code"] == "unknown_session"
        mine.tensor(EYE)
        assert mine.flush() == 0
        run = run_of(d)
        assert (run["state"], run["attempt"], run["name"], run["tags"]) == ("running", 1, "mine", {})
        assert d.series("r", "loss") == {500: 2.0} and d.alerts("r") == []


@as_root
def test_a_ticket_is_good_for_its_user_alone(daemon):
    """Whoever has seen the ticket in a core dump or a log sends nothing with it."""
    d = daemon()
    open_to_all(d)
    with Raw(d.endpoint) as mine, Elsewhere(d.endpoint, run="other", uid=STRANGER) as theirs:
        mine.hello()
        mine.declare()
        theirs.hello()
        header = mine.tensor_header(EYE)
        theirs.send_tensor(header, EYE.tobytes())
        assert theirs.error()["code"] == "unknown_ticket"
        mine.tensor(2 * EYE)
        mine.flush()
        assert d.series("r", "spectral.sigma1", "l")[0] == pytest.approx(2)


@as_root
def test_a_made_up_identity_is_nobody_else(daemon):
    """ZeroMQ hands an identity over to whoever connects with it: the user is asked of the kernel for each message."""
    d = daemon()
    open_to_all(d)
    with Raw(d.endpoint, identity=b"known") as mine:
        mine.hello()  # first: an identity is handed to whoever connects with it last
        with Elsewhere(d.endpoint, identity=b"known", uid=STRANGER) as theirs:
            theirs.send({"type": "scalars", "step": 1, "values": {"loss": float("nan")}})
            assert theirs.error()["code"] == "unknown_session"
            theirs.send({"type": "bye", "dropped": 0})
            assert theirs.error()["code"] == "unknown_session"
            assert run_of(d)["state"] == "running" and d.series("r", "loss") == {}


@as_root
def test_a_run_keeps_its_owner(daemon):
    """Ended, lost, after a restart of the daemon: it is still the run of the user who opened it."""
    d = daemon()
    open_to_all(d)
    with Elsewhere(d.endpoint, session="a", uid=STRANGER) as theirs, Raw(d.endpoint, session="b") as mine:
        theirs.hello()
        theirs.bye()
        until(lambda: run_of(d)["state"] == "ended", "the bye")
        mine.send(mine.header)
        assert not_owner(mine.error())
        d.restart()
        open_to_all(d)
        until(lambda: mine.send(mine.header) or True, "a connection")
        assert not_owner(mine.error())
        assert theirs.hello()["attempt"] == 2


@as_root
def test_the_client_says_whose_run_it_is(daemon, caplog):
    d = daemon()
    open_to_all(d)
    with Elsewhere(d.endpoint, uid=STRANGER) as theirs:
        theirs.hello()
        with foreshock.Run("r", endpoint=d.endpoint) as run:
            until(lambda: run.errors, "the refusal")
            assert run.errors[0].code == "not_owner" and run.errors[0].fatal
            run.log(1, loss=1.0)  # and training goes on
        assert "another user has opened this run" in caplog.text
        assert "no foreshock daemon" not in caplog.text


@as_root
def test_nobody_is_a_user_too(daemon):
    """65534, as which squashed and unmapped users appear: others stay out of its runs."""
    d = daemon()
    open_to_all(d)
    with Elsewhere(d.endpoint, uid=65534) as nobody, Elsewhere(d.endpoint, session="t", rank=1, world=2, uid=STRANGER) as other:
        nobody.hello()
        assert not_owner(other.answer({"type": "hello", "version": 1, "run": "r", "session": "t", "rank": 1, "world": 2}))


# ---- the same user --------------------------------------------------------------------------------

def test_a_killed_trainer_is_followed_at_once(daemon):
    """Nobody is lost: the start after a kill takes the rank, whatever the lease."""
    d = daemon(config=LONG_LEASE)
    with Elsewhere(d.endpoint, session="first") as first, Elsewhere(d.endpoint, session="second") as second:
        first.hello()
        first.declare()
        first.scalars(1, loss=1.0)
        first.flush()
        first.kill()
        assert second.hello()["attempt"] == 2
        second.declare()
        second.scalars(0, loss=2.0)
        second.flush()
        run = run_of(d)
        assert (run["state"], run["attempt"]) == ("running", 2)
        assert d.alerts("r") == [] and d.metric("foreshock_sessions") == 1
        assert d.metric("foreshock_leases_lost_total") == 0


def test_a_closed_connection_frees_the_rank_of_a_process_that_lives(daemon):
    d = daemon(config=LONG_LEASE)
    with Elsewhere(d.endpoint, session="first") as first, Elsewhere(d.endpoint, session="second") as second:
        first.hello()
        first.close()
        # ZeroMQ needs a moment to see it: until then the rank is taken, and the client asks again.
        until(lambda: asks(second).get("attempt") == 2, "the rank")


def asks(client):
    return client.answer({"type": "hello", "version": 1, "run": "r", "session": "second", "rank": 0, "world": 1})


def test_a_cell_that_is_run_again_takes_over_in_its_process(daemon):
    d = daemon(config=LONG_LEASE)
    with Raw(d.endpoint, session="cell") as cell, Raw(d.endpoint, session="again") as again:
        cell.hello()
        assert again.hello()["attempt"] == 2
        error = cell.error("rank_taken")
        assert error["fatal"] and "newer session" in error["expected"]
        cell.send({"type": "scalars", "step": 1, "values": {"loss": 1.0}})
        assert cell.error("unknown_session")
        again.scalars(0, loss=2.0)
        again.flush()
        assert d.series("r", "loss") == {0: 2.0} and d.metric("foreshock_sessions") == 1


def test_a_trainer_that_lives_keeps_its_rank_through_a_restart_of_the_daemon(daemon):
    """It has a few seconds to come back before a newer start may have its rank."""
    d = daemon(config=LONG_LEASE)
    with Elsewhere(d.endpoint, session="first") as first, Elsewhere(d.endpoint, session="second") as second:
        first.hello()
        os.kill(first.process.pid, signal.SIGSTOP)
        d.restart()
        until(lambda: asks(second)["type"] == "error", "a refusal")
        os.kill(first.process.pid, signal.SIGCONT)
        assert first.hello()["attempt"] == 1


def test_a_trainer_that_died_with_the_daemon_is_followed_within_seconds(daemon):
    d = daemon(config=LONG_LEASE)
    with Elsewhere(d.endpoint, session="first") as first, Elsewhere(d.endpoint, session="second") as second:
        first.hello()
        first.kill()
        d.kill()
        d.start()
        began = time.monotonic()
        until(lambda: asks(second).get("attempt") == 2, "the rank")
        assert time.monotonic() - began < 15
        assert d.alerts("r") == []


# ---- numbers from outside -------------------------------------------------------------------------

def test_counts_of_dropped_samples_are_bounded(daemon):
    d = daemon()
    with Raw(d.endpoint) as raw:
        raw.hello()
        raw.send({"type": "heartbeat", "dropped": 2**63})
        error = raw.error()
        assert (error["code"], error["field"]) == ("bad_field", "dropped")
        raw.pulse(dropped=2**53 - 1)
        with Raw(d.endpoint, session="t", rank=1, world=2) as other:
            other.hello()
            other.pulse(dropped=2**53 - 1)
            until(lambda: run_of(d)["dropped"] == 2**53 - 1, "the sum")
