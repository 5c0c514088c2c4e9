"""Starts `serve`: a real store and HTTP server with made-up runs (tests/unit/http/serve.c)."""
import json
import pathlib
import signal
import subprocess
import urllib.error
import urllib.request
from typing import Any, Dict, Optional, Sequence, Tuple

from harness import build_folder

ADMIN_TOKEN = "admin-secret"


class Server:
    """A running `serve` in a fresh folder. `url` is its address."""

    def __init__(
        self, state_dir: pathlib.Path, token: Optional[str] = None, live_ms: int = 0, options: Sequence[object] = ()
    ) -> None:
        command = [str(build_folder() / "tests/unit/http/serve"), str(state_dir)]
        if token:
            command += ["--token", token]
        if live_ms:
            command += ["--live", str(live_ms)]
        command += map(str, options)
        self.log = open(state_dir / "serve.log", "wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        words = self.process.stdout.readline().split()
        assert words[:1] == ["port"], (state_dir / "serve.log").read_text()
        self.port = int(words[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        """Asks it to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.log.close()
        return code

    def ask(
        self, path: str, method: str = "GET", headers: Optional[Dict[str, str]] = None, body: Optional[bytes] = None
    ) -> Tuple[int, Dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one request."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers or {}, data=body)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    def get(self, path: str, **headers: str) -> Any:
        """The JSON that a GET answers; fails unless it is 200."""
        status, _, body = self.ask(path, headers=headers)
        assert status == 200, body
        return json.loads(body)

    def problem(self, path: str, method: str = "GET", **more: Any) -> Dict[str, Any]:
        """The problem document that a request answers; fails unless it is one."""
        status, headers, body = self.ask(path, method, **more)
        assert headers["content-type"] == "application/problem+json", (status, body)
        document = json.loads(body)
        assert document["status"] == status
        return document

    def change(self, path: str, method: str, **headers: str) -> Tuple[int, Dict[str, Any]]:
        """A change with the admin token: status and JSON."""
        sent = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json", **headers}
        status, _, body = self.ask(path, method, sent, b"{}")
        return status, json.loads(body)

    def post(self, path: str, body: Any) -> Tuple[int, Dict[str, Any]]:
        """A POST of JSON with the admin token: status and JSON."""
        sent = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        status, _, answer = self.ask(path, "POST", sent, json.dumps(body).encode())
        return status, json.loads(answer)
