"""tools/fresh-machine around a base system of a few programs: what it makes is like a machine."""

import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from harness import ROOT

pytestmark = [
    pytest.mark.packaging,
    pytest.mark.skipif(os.getuid() != 0, reason="chroot and mounts take root"),
]

PROGRAMS = ("sh", "true", "stat", "chroot", "cat")


def libraries(program):
    """The files that a program is linked with."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


@pytest.fixture
def base(folder):
    """A tarball of a root that its maker alone may enter, as `mktemp -d` makes it."""
    root = folder / "base"
    for part in ("bin", "etc/apt/apt.conf.d", "etc/apt/sources.list.d", "usr/local/share", "proc", "dev", "root"):
        (root / part).mkdir(parents=True)
    for name in PROGRAMS:
        program = shutil.which(name)
        shutil.copy(program, root / "bin" / name)
        for library in libraries(program):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    root.chmod(0o700)
    with tarfile.open(folder / "base.tar", "w") as tar:
        tar.add(root, ".")
    return folder / "base.tar"


def run(base, folder, *command):
    tool = pathlib.Path(ROOT, "tools", "fresh-machine")
    return subprocess.run([tool, "--base", base, "--dir", folder / "machine", *command], capture_output=True, text=True)


def test_programs_of_other_users_run_there(base, folder):
    ended = run(base, folder, "chroot", "--userspec=65533:65533", "/", "/bin/sh", "-c", "/bin/stat -c %a / && /bin/true")
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "755"), ended


def test_nothing_is_left(base, folder):
    ended = run(base, folder, "sh", "-c", "cat README.md >/dev/null && exit 7")
    assert ended.returncode == 7, ended
    assert not (folder / "machine").exists()
    assert str(folder) not in pathlib.Path("/proc/mounts").read_text()
