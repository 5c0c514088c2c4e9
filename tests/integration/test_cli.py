"""The command `foreshock`: what it shows, what it says when something is wrong, and its exit codes.

How answers are shown is tested against a server that answers what a test tells it to; the rest against the real daemon.
"""

import csv
import http.server
import io
import json
import os
import pty
import socket
import subprocess
import threading
import urllib.parse

import numpy as np
import pytest

import foreshock
import harness


def cli(url, *arguments, code=0, env=None):
    """Runs the command; its output as (stdout, stderr)."""
    settings = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "FORESHOCK_URL": url, **(env or {})}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            settings[name] = os.environ[name]
    done = subprocess.run([harness.cli(), *arguments], env=settings, capture_output=True, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout.decode(), done.stderr.decode()


class Answers(http.server.ThreadingHTTPServer):
    """Answers each path with what `answers` holds for it: (status, content type, body)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests = {}, []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def put(self, path, body, status=200, kind="application/json"):
        self.answers[path] = (status, kind, body if isinstance(body, bytes) else json.dumps(body).encode())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Authorization")))
        status, kind, body = self.server.answers[self.path.split("?")[0]]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = Answers()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def a_run(**changes):
    return {
        "id": "r1", "name": "r1", "state": "running", "started_at": 1.0, "last_step": 20, "last_seen_at": 1.0,
        "layers": 2, "alerts_firing": 0, "tags": {}, "clients": 1, "dropped": 0, **changes,
    }  # fmt: skip


def an_alert(**changes):
    return {
        "id": 7, "run": "r1", "attempt": 1, "rule": "loss_high", "severity": "warning", "state": "firing",
        "observed": False, "title": "Loss", "summary": "the loss is high", "layers": ["a", "b"], "started_step": 12,
        "started_at": 1.0, "last_step": 14, "resolved_at": None, "evidence": [], "acknowledged": False, **changes,
    }  # fmt: skip


def test_names_from_outside_cannot_steer_the_terminal(server):
    name = "\x1b[31mred\x07 \u202eevil\u009b5m\nnext"
    server.put("/api/v1/runs", {"runs": [a_run(name=name)]})
    out, _ = cli(server.url, "runs")
    assert len(out.splitlines()) == 2
    assert not any(ord(c) < 0x20 and c != "\n" or 0x7F <= ord(c) < 0xA0 or c == "\u202e" for c in out)
    assert r"\x1B[31mred\x07" in out


def test_columns_stand_by_what_a_terminal_shows(server):
    server.put("/api/v1/runs", {"runs": [a_run(name="層層"), a_run(name="abcd"), a_run(name="é")]})
    out, _ = cli(server.url, "runs")
    head, wide, plain, accent = out.splitlines()
    at = head.index("STATE")
    assert plain.index("running") == at and accent.index("running") == at
    assert wide.index("running") == at - 2  # two characters that take four columns


def test_colours_only_on_a_terminal_that_wants_them(server):
    server.put("/api/v1/runs", {"runs": [a_run(state="lost")]})

    def on_a_terminal(**env):
        master, slave = pty.openpty()
        settings = {"FORESHOCK_URL": server.url, "LC_ALL": "C.UTF-8", **env}
        subprocess.run([harness.cli(), "runs"], env=settings, stdout=slave, timeout=60, check=True)
        os.close(slave)
        text = os.read(master, 65536)
        os.close(master)
        return text

    assert "\x1b[" not in cli(server.url, "runs")[0]
    assert b"\x1b[31mlost" in on_a_terminal()
    assert b"\x1b[" not in on_a_terminal(NO_COLOR="1")


def test_json_is_the_answer_as_it_came(server):
    body = b'{"runs": [ {"id" : "r1"} ], "more":1}'
    server.put("/api/v1/runs", body)
    assert cli(server.url, "runs", "--json")[0] == body.decode() + "\n"


@pytest.mark.parametrize(
    "alerts, code",
    [
        ([], 0),
        ([an_alert()], 3),
        ([an_alert(state="resolved")], 0),
        ([an_alert(observed=True)], 0),
        ([an_alert(observed=True), an_alert(severity="critical")], 3),
    ],
)
def test_check_tells_by_its_exit_code_whether_something_fires(server, alerts, code):
    server.put("/api/v1/alerts", {"alerts": alerts})
    cli(server.url, "alerts", "--check", code=code)
    cli(server.url, "alerts", "r1", "--check", "--json", code=code)
    assert urllib.parse.parse_qs(server.requests[-1][0].split("?")[1]) == {"run": ["r1"], "state": ["firing"]}
    cli(server.url, "alerts")


def test_series_as_csv(server):
    layer = 'odd, "name"\r\n&layer=*'
    series = {
        "layer": layer, "metric": "sa.mean", "attempt": 1, "step": [5, 9], "time": [1.5, 2.25], "min": [0.1, None],
        "mean": [0.30000000000000004, None], "max": [1, None], "last": [0.2, None], "nonfinite": [0, 3],
    }  # fmt: skip
    server.put("/api/v1/runs/r1/series", {"run": "r1", "series": [series]})
    out, _ = cli(server.url, "series", "r1", "--csv", "--metric", "sa.*", "--layer", layer, "--from", "5", "--points", "9")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert rows[0] == ["layer", "metric", "attempt", "step", "time", "min", "mean", "max", "last", "nonfinite"]
    assert rows[1][:4] == [layer, "sa.mean", "1", "5"] and float(rows[1][6]) == 0.30000000000000004
    assert rows[2][3:] == ["9", "2.25", "", "", "", "", "3"]
    asked = urllib.parse.parse_qs(server.requests[-1][0].split("?")[1])
    assert asked == {"metric": ["sa.*"], "layer": [layer], "from": ["5"], "points": ["9"]}


@pytest.mark.parametrize(
    "status, kind, body, said",
    [
        (404, "application/problem+json", {"title": "Not found", "detail": 'run is "x"\x1b'}, 'run is "x"\\x1B (HTTP 404)'),
        (503, "application/problem+json", {"title": "Not available"}, "Not available (HTTP 503)"),
        (401, "application/problem+json", {"title": "Token wanted"}, "wants a token: set FORESHOCK_TOKEN"),
        (500, "text/html", b"<html>", "answered HTTP 500, without a reason; is it foreshockd?"),
        (200, "text/html", b"<html>", "no JSON object; is it foreshockd?"),
        (200, "application/json", [], "no JSON object; is it foreshockd?"),
    ],
)
def test_an_answer_that_is_none_is_one_line(server, status, kind, body, said):
    server.put("/api/v1/runs/x", body, status, kind)
    out, err = cli(server.url, "layers", "x", code=1)
    assert out == "" and err.startswith("foreshock: ") and len(err.splitlines()) == 1
    assert said in err


def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        _, err = cli(url, "runs", code=1)
    assert url in err and "Is foreshockd running?" in err and len(err.splitlines()) == 1


def test_the_token_travels(server, tmp_path):
    server.put("/api/v1/runs", {"runs": []})
    cli(server.url, "runs", env={"FORESHOCK_TOKEN": "from-the-environment"})
    path = tmp_path / "token"
    path.write_text("from-a-file\n")
    cli(server.url, "--token-file", str(path), "runs", env={"FORESHOCK_TOKEN": "from-the-environment"})
    assert [token for _, token in server.requests] == ["Bearer from-the-environment", "Bearer from-a-file"]
    _, err = cli(server.url, "runs", code=2, env={"FORESHOCK_TOKEN": "a\r\nX-Evil: 1"})
    assert "the token holds a character" in err
    server.put("/api/v1/runs", {"title": "Token wanted"}, 401, "application/problem+json")
    _, err = cli(server.url, "--token-file", str(path), "runs", code=1)
    assert "this token was refused" in err and len(err.splitlines()) == 1
    server.requests.pop()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "a command is missing"),
        (["nonsense"], "'nonsense' is no command"),
        (["runs", "--nonsense"], "--nonsense: unknown option"),
        (["runs", "--csv"], "runs: no option --csv"),
        (["runs", "more"], 'runs: unexpected argument "more"'),
        (["layers"], "layers: RUN is missing"),
        (["series", "r1"], "series: --metric M is missing"),
        (["series", "r1", "--metric"], "--metric wants a value"),
        (["--token-file", "/nonexistent", "runs"], "--token-file: /nonexistent: No such file or directory"),
    ],
)
def test_bad_usage(arguments, said):
    out, err = cli("http://127.0.0.1:1", *arguments, code=2)
    assert out == "" and said in err and len(err.splitlines()) == 1


def test_help_and_version():
    assert "Exit codes:" in cli("", "--help")[0]
    assert cli("", "--version")[0].startswith("foreshock ")
    assert "Exit codes:" in cli("", "runs", "--help")[0]


@pytest.fixture
def trained(daemon):
    """A daemon that has seen one short run; (daemon, run id)."""
    served = daemon()
    rng = np.random.default_rng(1)
    with foreshock.Run("cli-run", endpoint=served.endpoint, wait=20) as run:
        run.declare("mlp.gate", shape=(24, 16))
        for step in range(0, 30, 10):
            run.weights(step, "mlp.gate", rng.standard_normal((24, 16)).astype(np.float32))
            run.activations(step, "mlp.gate", rng.standard_normal((8, 16)).astype(np.float32))
            run.log(step, loss=2.0 - step / 100)
        assert run.flush(timeout=20)
    return served, "cli-run"


def test_the_real_daemon(trained):
    served, run = trained
    out, _ = cli(served.url, "status")
    assert "is ready" in out
    assert json.loads(cli(served.url, "status", "--json")[0])["ready"] is True
    assert run in cli(served.url, "runs")[0]
    (listed,) = json.loads(cli(served.url, "runs", "--json")[0])["runs"]
    assert (listed["id"], listed["last_step"], listed["layers"]) == (run, 20, 1)
    layers = cli(served.url, "layers", run)[0]
    assert "mlp.gate" in layers and "24x16" in layers
    assert cli(served.url, "alerts")[0] == "no alerts\n"
    cli(served.url, "alerts", "--check")


def test_series_of_the_real_daemon(trained):
    served, run = trained
    out, _ = cli(served.url, "series", run, "--metric", "loss", "--csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [(row["layer"], int(row["step"]), float(row["last"])) for row in rows] == [("", 0, 2.0), ("", 10, 1.9), ("", 20, 1.8)]
    out, _ = cli(served.url, "series", run, "--metric", "spectral.*", "--layer", "mlp.gate", "--from", "20")
    assert "spectral.sigma1" in out and "loss" not in out


def test_errors_of_the_real_daemon(trained):
    served, run = trained
    _, err = cli(served.url, "layers", "nobody", code=1)
    assert "nobody" in err and "HTTP 404" in err
    _, err = cli(served.url, "series", run, "--metric", "loss", "--points", "many", code=1)
    assert "points" in err and "many" in err and "HTTP 400" in err
