"""Daemons that do not start: what they are told, and with which exit code."""

import os
import shutil
import socket
import subprocess

import pytest

import harness
from raw import Raw, goes_on


def fails(*args, config="", folder=None):
    """Exit code and stderr of a foreshockd that must end by itself."""
    path = folder / "fails.yaml"
    path.write_text(config)
    done = subprocess.run([harness.foreshockd(), "--config", str(path), *args], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def endpoint(folder, name="x"):
    return f"ipc://{folder}/{name}"


def test_a_state_directory_that_cannot_be_used(daemon, folder):
    (folder / "file").write_text("")
    for path, what in ((folder / "file", "opened"), (folder / "file" / "state", "made")):
        code, text = fails("--state-dir", str(path), "--ingest", endpoint(folder), "--http", "127.0.0.1:0", folder=folder)
        assert code == 3 and f"state directory {path}: cannot be {what}: Not a directory" in text
    os.mkdir(folder / "blocked")
    os.mkdir(folder / "blocked" / "lock")
    code, text = fails("--state-dir", str(folder / "blocked"), "--ingest", endpoint(folder), "--http", "127.0.0.1:0",
                       folder=folder)
    assert code == 3 and "the file `lock` cannot be written: Is a directory" in text


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="becoming another user takes root and setpriv")
def test_a_state_directory_of_somebody_else(folder):
    # Neither the program nor a file that a sanitizer reads need be within the other user's reach where they lie.
    os.chmod(folder, 0o755)
    os.mkdir(folder / "state", 0o755)
    (folder / "c.yaml").write_text("")
    shutil.copy(harness.foreshockd(), folder / "foreshockd")
    env = {name: value for name, value in os.environ.items() if name != "TSAN_OPTIONS"}
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(folder / "foreshockd"), "--config",
         str(folder / "c.yaml"), "--state-dir", str(folder / "state"), "--ingest", endpoint(folder), "--http", "off"],
        capture_output=True, text=True, timeout=30, env=env)
    assert done.returncode == 3
    assert f"state directory {folder}/state: the file `lock` cannot be written: Permission denied" in done.stderr


def test_a_second_daemon_on_the_same_state_directory(daemon, folder):
    d = daemon()
    code, text = fails("--state-dir", str(d.state_dir), "--ingest", endpoint(folder), "--http", "127.0.0.1:0", folder=folder)
    assert code == 3 and f"state directory {d.state_dir} is in use by process {d.pid}" in text
    with Raw(d.endpoint) as raw:
        raw.hello()
        goes_on(d, raw)


def test_a_busy_port_and_a_busy_socket(daemon, folder):
    d = daemon()
    port = d.url.rpartition(":")[2]
    code, text = fails("--state-dir", str(folder / "s2"), "--ingest", endpoint(folder), "--http", f"127.0.0.1:{port}",
                       folder=folder)
    assert code == 4 and port in text and "Address already in use" in text
    code, text = fails("--state-dir", str(folder / "s2"), "--ingest", d.endpoint, "--http", "127.0.0.1:0", folder=folder)
    assert code == 4 and f"ingest endpoint {d.endpoint}: another process listens there" in text
    with socket.create_server(("127.0.0.1", 0)) as busy:
        tcp = f"tcp://127.0.0.1:{busy.getsockname()[1]}"
        code, text = fails("--state-dir", str(folder / "s2"), "--ingest", tcp, "--http", "127.0.0.1:0", folder=folder)
        assert code == 4 and f"ingest endpoint {tcp}: cannot be bound: Address already in use" in text
    with Raw(d.endpoint) as raw:  # the sockets are still those of the first
        raw.hello()
        goes_on(d, raw)


def test_a_socket_that_nobody_listens_on_is_taken_over(daemon):
    d = daemon()
    d.kill()
    d.start()
    with Raw(d.endpoint) as raw:
        raw.hello()
        goes_on(d, raw)


@pytest.mark.parametrize("text,where,what", [
    ("limits:\n  lease_seconds: -1\n", ":2:", "-1"),
    ("limits:\n  leese_seconds: 1\n", ":2:", "leese_seconds"),
    ("workers: [1\n", ":2:", ""),
    ("rules:\n  loss_high:\n    mode: perhaps\n", ":3:", "on, observe or off"),
    ("log_level: info\nlog_level: debug\n", ":2:", "log_level"),
])
def test_a_bad_configuration(folder, text, where, what):
    for check in ((), ("--check-config",)):
        code, said = fails(*check, "--state-dir", str(folder / "s"), "--ingest", endpoint(folder), config=text,
                           folder=folder)
        assert code == 2
        assert said.startswith(f"foreshockd: {folder}/fails.yaml{where}") and what in said and said.count("\n") == 1, said
    assert not (folder / "s").exists()


def test_check_config(folder):
    (folder / "good.yaml").write_text("limits: {lease_seconds: 2}\n")
    args = [harness.foreshockd(), "--config", str(folder / "good.yaml"), "--state-dir", str(folder / "s"), "--ingest",
            endpoint(folder), "--check-config"]
    done = subprocess.run(args, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "the configuration is good" in done.stdout
    assert not (folder / "s").exists()  # nothing is begun


@pytest.mark.parametrize("args,what", [(["--nonsense"], "--nonsense"), (["--http", "here"], "here"),
                                       (["--ingest", "ipc://relative"], "relative"), (["--log-level", "loud"], "loud")])
def test_a_bad_command_line(folder, args, what):
    code, text = fails("--state-dir", str(folder / "s"), *args, folder=folder)
    assert code == 2 and what in text and text.count("\n") == 1, text
