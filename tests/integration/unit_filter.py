"""Runs a command as systemd would run a unit's, as far as that takes no systemd: the filters of system calls, the limits, the
environment and the umask that the unit file names, under an unprivileged user.

    python3 unit_filter.py UNIT UID COMMAND...
"""

import ctypes
import errno
import os
import re
import resource
import socket
import subprocess
import sys

import seccomp

PR_SET_NO_NEW_PRIVS = 38
CLONE_FLAGS = 0x7E020000  # CLONE_NEW*, but for CLONE_NEWTIME, which clone(2) cannot ask for
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
SCHED_OTHER, SCHED_BATCH, SCHED_IDLE = 0, 3, 5
S_ISUID, S_ISGID = 0o4000, 0o2000
# What this file knows how to do; a setting that denies something and is not here must not be passed over.
FILTERS = {"SystemCallFilter", "SystemCallErrorNumber", "SystemCallArchitectures", "MemoryDenyWriteExecute", "RestrictRealtime",
           "RestrictNamespaces", "RestrictAddressFamilies", "RestrictSUIDSGID", "LockPersonality"}


def settings(unit):
    """[(name, value)] of the section [Service], in order."""
    section = re.search(r"^\[Service\]\n(.*?)(?=^\[|\Z)", open(unit).read(), re.S | re.M).group(1)
    return re.findall(r"^([A-Za-z]+)=(.*)$", section, re.M)


def expand(group):
    """The names of the system calls of a group of systemd's."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
    names = set()
    for line in text.splitlines()[1:]:
        word = line.split("#")[0].strip()
        names |= expand(word) if word.startswith("@") else {word} if word else set()
    return names


def allowed(lines):
    """The system calls that the lines SystemCallFilter= let pass, merged as systemd.exec(5) says: the first is an allow list."""
    assert lines and not lines[0].startswith("~"), "expected an allow list first"
    names = expand("@default")
    for line in lines:
        words = line.removeprefix("~").split()
        meant = set().union(*(expand(word) if word.startswith("@") else {word} for word in words))
        names = names - meant if line.startswith("~") else names | meant
    return names


def number(name):
    """Of a system call on this machine; below 0: it has none of that name."""
    return seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)


def deny(rules, name, error, *conditions):
    if number(name) >= 0:
        rules.add_rule(seccomp.ERRNO(error), name, *conditions)


def mask(index, bits):
    return seccomp.Arg(index, seccomp.MASKED_EQ, bits, bits)


def restrictions(unit):
    """The other settings that systemd makes of seccomp, as a filter of their own."""
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    if unit.get("MemoryDenyWriteExecute") == "yes":
        deny(rules, "mmap", errno.EPERM, mask(2, PROT_WRITE | PROT_EXEC))
        deny(rules, "mprotect", errno.EPERM, mask(2, PROT_EXEC))
        deny(rules, "pkey_mprotect", errno.EPERM, mask(2, PROT_EXEC))
        deny(rules, "shmat", errno.EPERM, mask(2, SHM_EXEC))
    if unit.get("RestrictRealtime") == "yes":
        for policy in set(range(8)) - {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE}:
            deny(rules, "sched_setscheduler", errno.EPERM, seccomp.Arg(1, seccomp.EQ, policy))
    if unit.get("RestrictNamespaces") == "yes":
        for bit in (bit for bit in (1 << n for n in range(32)) if bit & CLONE_FLAGS):
            deny(rules, "unshare", errno.EPERM, mask(0, bit))
            deny(rules, "clone", errno.EPERM, mask(0, bit))
        deny(rules, "setns", errno.EPERM)
        deny(rules, "clone3", errno.ENOSYS)
    if "RestrictAddressFamilies" in unit:
        families = {getattr(socket, name).value for name in unit["RestrictAddressFamilies"].split()}
        for family in set(range(46)) - families:
            deny(rules, "socket", errno.EAFNOSUPPORT, seccomp.Arg(0, seccomp.EQ, family))
    if unit.get("RestrictSUIDSGID") == "yes":
        for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdirat", 2), ("mknodat", 2)):
            deny(rules, name, errno.EPERM, mask(argument, S_ISUID))
            deny(rules, name, errno.EPERM, mask(argument, S_ISGID))
    if unit.get("LockPersonality") == "yes":
        deny(rules, "personality", errno.EPERM, seccomp.Arg(0, seccomp.NE, 0))
    return rules


def become(uid):
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def main(path, uid, *command):
    lines = settings(path)
    unit = dict(lines)
    unknown = {name for name in unit if name.startswith(("SystemCall", "Restrict", "MemoryDeny", "Lock"))} - FILTERS - {"RestartSec"}
    assert not unknown, f"{path}: {unknown} is not understood here"
    names = allowed([value for name, value in lines if name == "SystemCallFilter"])
    refusal = unit.get("SystemCallErrorNumber")
    calls = seccomp.SyscallFilter(seccomp.ERRNO(getattr(errno, refusal)) if refusal else seccomp.KILL_PROCESS)
    for name in names:
        if number(name) >= 0:
            calls.add_rule(seccomp.ALLOW, name)
    rules = restrictions(unit)
    if "LimitNOFILE" in unit:
        files = int(unit["LimitNOFILE"])
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    environment = dict(value.split("=", 1) for name, value in lines if name == "Environment")
    become(int(uid))
    os.umask(int(unit.get("UMask", "0022"), 8))
    rules.load()
    calls.load()
    os.execve(command[0], list(command), {"PATH": "/usr/bin:/bin", **environment})


if __name__ == "__main__":
    main(*sys.argv[1:])
