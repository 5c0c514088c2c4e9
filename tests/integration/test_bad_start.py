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


def start(folder, state_dir=None, ingest=None):
    """As `fails`, with these two and no HTTP port that could be busy."""
    return fails("--state-dir", str(state_dir or folder / "state"), "--ingest", ingest or endpoint(folder), "--http",
                 "127.0.0.1:0", folder=folder)


def lie(path, kind, precious):
    """Puts something of a kind at a path. A link leads to the file (or folder) `precious`."""
    if kind == "link":
        path.symlink_to(precious)
    elif kind == "hard link":
        os.link(precious, path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("precious")
    elif kind == "file of another":
        path.write_text("precious")
        os.chown(path, 65534, 65534)


AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="giving a file away takes root")
OBJECTIONS = {
    "link": "is a symbolic link",
    "hard link": "has a second name (a hard link)",
    "pipe": "is no regular file",
    "folder": "is no regular file",
    "file of another": "belongs to another user",
}


@pytest.mark.parametrize("name", ["lock", "foreshock.db", "foreshock.db-wal", "foreshock.db-shm", "foreshock.db-journal"])
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=AS_ROOT if "another" in kind else ()) for kind in OBJECTIONS])
def test_a_file_in_the_state_directory_that_is_not_its_own(folder, name, kind):
    precious = folder / "precious"
    precious.write_text("precious")
    (folder / "state").mkdir(mode=0o700)
    lie(folder / "state" / name, kind, precious)
    code, text = start(folder)
    assert code == 3 and text.count("\n") == 1, text
    assert f"state directory {folder}/state: `{name}` {OBJECTIONS[kind]}; expected" in text
    assert precious.read_text() == "precious"
    assert os.path.lexists(folder / "state" / name)


@pytest.mark.parametrize("kind,what", [("link", "is a symbolic link"), ("file", "is no folder"), ("pipe", "is no folder")])
def test_baselines_that_are_no_folder_of_its_own(folder, kind, what):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("thesis.tmp", "1-1-0.w0", "1-1-0.w0.tmp"):
        (elsewhere / name).write_text("precious")
    (folder / "state").mkdir(mode=0o700)
    lie(folder / "state" / "baselines", kind, elsewhere)
    code, text = start(folder)
    assert code == 3 and f"`baselines` {what}; expected" in text and text.count("\n") == 1, text
    assert len(os.listdir(elsewhere)) == 3


def test_only_its_own_leftovers_are_swept(daemon, folder):
    baselines = folder / "d0" / "state" / "baselines"
    baselines.mkdir(parents=True, mode=0o700)
    baselines.parent.chmod(0o700)
    for name in ("thesis.tmp", "notes.w0", "1-1-0.w0.txt", "1-1-0.w0", "2-1-0.w0.tmp"):
        (baselines / name).write_text("precious")
    daemon()
    assert sorted(os.listdir(baselines)) == ["1-1-0.w0.txt", "notes.w0", "thesis.tmp"]


def test_a_token_file_that_is_a_link_is_replaced_and_not_followed(daemon, folder):
    precious = folder / "precious"
    precious.write_text("precious")
    state = folder / "d0" / "state"
    state.mkdir(parents=True, mode=0o700)
    for name in ("admin.token", "admin.token.tmp"):
        (state / name).symlink_to(precious)
    d = daemon()
    assert precious.read_text() == "precious"
    assert not (state / "admin.token").is_symlink() and len(d.admin_token) == 64
    assert (state / "admin.token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_state_directory_that_others_may_write_to(folder, mode):
    (folder / "state").mkdir()
    (folder / "state").chmod(mode)
    code, text = start(folder)
    assert code == 3 and "may be written to by other users (chmod go-w)" in text and text.count("\n") == 1, text
    assert os.listdir(folder / "state") == []


@AS_ROOT
def test_a_state_directory_of_another_user(folder):
    (folder / "state").mkdir(mode=0o700)
    os.chown(folder / "state", 65534, 65534)
    code, text = start(folder)
    assert code == 3 and f"state directory {folder}/state: belongs to another user; expected one of the daemon's" in text
    assert os.listdir(folder / "state") == []


@AS_ROOT
def test_a_link_to_a_state_directory(daemon, folder):
    (folder / "disk").mkdir(mode=0o700)
    (folder / "foreign").symlink_to(folder / "disk")
    os.chown(folder / "foreign", 65534, 65534, follow_symlinks=False)
    code, text = start(folder, state_dir=folder / "foreign")
    assert code == 3 and "is a symbolic link of another user" in text
    assert os.listdir(folder / "disk") == []
    (folder / "d0").mkdir()
    (folder / "d0" / "state").symlink_to(folder / "disk")  # one of ours: another disk
    daemon()
    assert "foreshock.db" in os.listdir(folder / "disk")


NO_SOCKET = "something that is no socket lies there"


@pytest.mark.parametrize("suffix", ["", ".tensors"])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "hard link", "pipe"])
def test_an_endpoint_where_something_else_lies(folder, kind, suffix):
    precious = folder / "precious"
    precious.write_text("precious")
    path = folder / f"x{suffix}"
    lie(path, kind, precious)
    before = os.lstat(path)
    code, text = start(folder)
    assert code == 4 and text.count("\n") == 1, text
    assert f"ingest endpoint {endpoint(folder)}{suffix}: {NO_SOCKET}" in text
    assert os.lstat(path).st_ino == before.st_ino and os.lstat(path).st_size == before.st_size
    assert precious.read_text() == "precious"


def test_a_link_to_a_socket_is_no_endpoint(folder):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "left"))
    (folder / "x").symlink_to(folder / "left")
    code, text = start(folder)
    assert code == 4 and NO_SOCKET in text
    assert (folder / "x").is_symlink() and os.path.lexists(folder / "left")


@AS_ROOT
def test_a_socket_of_another_user(folder):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "x"))
    os.chown(folder / "x", 65534, 65534)
    code, text = start(folder)
    assert code == 4 and f"ingest endpoint {endpoint(folder)}: a socket of another user lies there" in text
    assert os.path.lexists(folder / "x")


def test_a_socket_that_is_busy_or_of_another_kind_is_in_use(folder):
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waits:
        busy.bind(str(folder / "x"))
        busy.listen(0)
        waits.setblocking(False)
        waits.connect(str(folder / "x"))  # nobody accepts: the next one would wait
        code, text = start(folder)
        assert code == 4 and "another process listens there" in text
    os.unlink(folder / "x")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(folder / "x"))
        code, text = start(folder)
        assert code == 4 and "another process listens there" in text
        assert os.path.lexists(folder / "x")


def test_the_folder_of_the_default_endpoint_is_no_link(folder):
    (folder / "elsewhere").mkdir()
    (folder / "foreshock").symlink_to(folder / "elsewhere")
    code, text = start(folder, ingest=f"ipc://{folder}/foreshock/ingest.sock")
    assert code == 4 and "its folder is a symbolic link or a file" in text and text.count("\n") == 1, text
    assert os.listdir(folder / "elsewhere") == []
    os.unlink(folder / "foreshock")
    (folder / "foreshock").mkdir()
    (folder / "foreshock").chmod(0o777)
    code, text = start(folder, ingest=f"ipc://{folder}/foreshock/ingest.sock")
    assert code == 4 and "its folder may be written to by everybody" in text
    assert os.listdir(folder / "foreshock") == []


@pytest.mark.parametrize("option", ["token_file", "admin_token_file"])
def test_a_token_file_that_is_a_pipe_is_not_waited_for(folder, option):
    os.mkfifo(folder / "pipe")
    code, text = fails("--state-dir", str(folder / "s"), "--ingest", endpoint(folder), "--check-config",
                       config=f"http: {{{option}: {folder}/pipe}}\n", folder=folder)
    assert code == 2 and f"http.{option}: {folder}/pipe: is no file that can be read" in text, text


@pytest.mark.parametrize("option", ["url_file", "bearer_file"])
def test_a_notifiers_file_that_is_a_pipe_is_not_waited_for(folder, option):
    os.mkfifo(folder / "pipe")
    url = "" if option == "url_file" else "url: 'http://127.0.0.1:1/', "
    code, text = fails("--state-dir", str(folder / "s"), "--ingest", endpoint(folder), "--check-config",
                       config=f"notifiers:\n  n: {{type: webhook, {url}{option}: {folder}/pipe}}\n", folder=folder)
    assert code == 2 and f"{option}: {folder}/pipe: is no file that can be read" in text, text


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
    assert f"state directory {folder}/state: belongs to another user; expected one of the daemon's user (uid 65534)" in done.stderr


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
    ("log_level: info\nlog_level: warning\n", ":2:", "log_level"),
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
