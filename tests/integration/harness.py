"""Starts, asks, kills and stops a real foreshockd; waits for conditions with a deadline."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = float(os.environ.get("FORESHOCK_TEST_DEADLINE", "30"))


def build_folder():
    """The build under test."""
    if "FORESHOCK_BUILD" in os.environ:
        return pathlib.Path(os.environ["FORESHOCK_BUILD"]).resolve()
    for name in ("build/plain", "build"):
        if (ROOT / name / "daemon" / "foreshockd").exists():
            return ROOT / name
    raise RuntimeError("no foreshockd: build first, or name a build folder in FORESHOCK_BUILD")


def foreshockd():
    return str(build_folder() / "daemon" / "foreshockd")


def cli():
    return str(build_folder() / "client" / "cli" / "foreshock")


def until(condition, what, deadline=None):
    """Calls `condition` until it returns something true, and returns that. Fails after the deadline, saying `what`."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}; last: {value!r}")
        time.sleep(0.02)


class Daemon:
    """One foreshockd and its folder. `config`: a text for the YAML file. `args`: more of the command line."""

    def __init__(self, folder, config="", args=(), env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state_dir = self.folder / "state"
        self.endpoint = f"ipc://{self.folder}/in.sock"
        self.config = self.folder / "foreshock.yaml"
        self.config.write_text(config)
        self.args = list(args)
        self.env = {**os.environ, **(env or {})}
        self.log_path = self.folder / "log"
        self.process = None
        self.url = None
        self.expected_codes = {0, -signal.SIGKILL}

    def command(self):
        return [foreshockd(), "--config", str(self.config), "--state-dir", str(self.state_dir), "--ingest", self.endpoint,
                "--http", "127.0.0.1:0", *self.args]

    def start(self):
        """Starts it, and returns when its endpoints are bound."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, env=self.env)
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                raise AssertionError(f"foreshockd did not start ({self.process.wait()}):\n{self.log()}")
            found = re.match(r"foreshockd: http (http://\S+)/$", line)
            if found:
                self.url = found.group(1)
                return self

    @property
    def admin_token(self):
        return (self.state_dir / "admin.token").read_text().strip()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(DEADLINE)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Stops what runs, and returns what was wrong."""
        problems = []
        if self.process and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
                problems.append("foreshockd did not stop on SIGTERM")
        if self.process:
            self.process.stdout.close()
            if self.process.returncode not in self.expected_codes:
                problems.append(f"foreshockd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        if re.search(r"Sanitizer|runtime error:", self.log()):
            problems.append("a sanitizer spoke up:\n" + self.log()[-8000:])
        return problems

    def request(self, path, method="GET", headers=None, body=None, timeout=30):
        """(status, headers, bytes) of an HTTP request, whatever the status."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers or {}, data=body)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def api(self, path):
        """JSON of a GET that must succeed."""
        status, _, body = self.request(path)
        assert status == 200, f"{path}: {status} {body[:500]!r}"
        return json.loads(body)

    def change(self, path, method="POST", body=b"{}"):
        """(status, JSON) of a request that changes state, with the admin token."""
        headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"}
        status, _, answer = self.request(path, method, headers, body)
        return status, json.loads(answer) if answer else None

    def metric(self, name, labels=""):
        """The value of one line of /metrics; 0 when it is not there."""
        text = self.request("/metrics")[2].decode()
        found = re.search(rf"^{re.escape(name)}{re.escape(labels)} (\S+)$", text, re.M)
        return float(found.group(1)) if found else 0.0

    def series(self, run, metric, layer=""):
        """{step: last} of one series of the newest attempts, not bucketed."""
        from urllib.parse import quote
        answer = self.api(f"/api/v1/runs/{run}/series?metric={quote(metric)}&layer={quote(layer)}&points=100000")
        return {step: last for s in answer["series"] for step, last in zip(s["step"], s["last"])}

    def alerts(self, run, **where):
        """Alerts of a run as the API tells them, newest first, filtered by equal members."""
        alerts = self.api(f"/api/v1/alerts?run={run}")["alerts"]
        return [a for a in alerts if all(a[k] == v for k, v in where.items())]
