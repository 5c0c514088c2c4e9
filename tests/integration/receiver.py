"""Receivers of alerts: an HTTP server that answers what a test tells it to, and a real Alertmanager."""

import contextlib
import http.server
import json
import pathlib
import socket
import subprocess
import threading
import urllib.request

import harness


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what is POSTed. `answer(number, message)`, of the how-manieth request from 0, returns a status, or a status,
    headers and perhaps a body; it may take its time. A receiver that is stopped can be started again on its port."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer=lambda number, message: 200, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        self.lock = threading.Lock()
        self.requests = []  # (headers, body, status), in order of arrival
        self.released = threading.Event()  # ends answers that hang
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"

    def taken(self):
        """The messages that were answered with 2xx, in order."""
        with self.lock:
            return [body for _, body, status in self.requests if status // 100 == 2]

    def events(self):
        """(event, severity, id) of what was taken."""
        return [(m["event"], m["severity"], m["id"]) for m in self.taken()]

    def keys(self):
        with self.lock:
            return [headers["Idempotency-Key"] for headers, _, _ in self.requests]

    def stop(self):
        self.released.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def __exit__(self, *_):
        self.stop()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = len(server.requests)
            server.requests.append((dict(self.headers), body, 0))
        answer = server.answer(number, body)
        status, headers, text = (*answer, b"")[:3] if isinstance(answer, tuple) else (answer, {}, b"")
        with server.lock:
            server.requests[number] = (dict(self.headers), body, status)
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Alertmanager:
    """A real prometheus-alertmanager on a port of its own. What it notifies goes to `hook`, an address, at once."""

    def __init__(self, folder, hook=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        receiver = {"name": "all", "webhook_configs": [{"url": hook, "send_resolved": True}] if hook else []}
        route = {"receiver": "all", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        (self.folder / "am.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
        self.lives = 0
        self.process = None

    def start(self):
        """Starts it without any data of an earlier life."""
        self.lives += 1
        command = ["/usr/bin/prometheus-alertmanager", f"--config.file={self.folder}/am.yml", f"--storage.path={self.folder}/{self.lives}",
                   f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]  # fmt: skip
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        harness.until(self.is_ready, "Alertmanager")
        return self

    def is_ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).status == 200

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def alerts(self):
        """The alerts that fire there."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            return json.load(answer)

    def labels(self):
        return [alert["labels"] for alert in self.alerts()]
