"""A bare client in a process of its own, perhaps of another user: for what the daemon learns from the kernel, not from messages."""

import multiprocessing
import os

from harness import DEADLINE
from raw import Raw


def _serve(pipe, uid, args, more):
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    raw = Raw(*args, **more)
    pipe.send("ready")
    while True:
        name, args, more = pipe.recv()
        try:
            pipe.send((True, getattr(raw, name)(*args, **more)))
        except AssertionError as error:
            pipe.send((False, str(error)))


class Elsewhere:
    """Takes Raw's arguments, and has its methods: each runs in the other process, and returns what it returned there."""

    def __init__(self, *args, uid=None, **more):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, uid, args, more), daemon=True)
        self.process.start()
        # Leases are short, and a new interpreter is slow to come on a busy machine.
        assert self._pipe.poll(2 * DEADLINE) and self._pipe.recv() == "ready", "a client elsewhere does not start"

    def __getattr__(self, name):
        def call(*args, **more):
            self._pipe.send((name, args, more))
            assert self._pipe.poll(2 * DEADLINE), f"{name} of a client elsewhere does not return"
            good, value = self._pipe.recv()
            assert good, value
            return value

        return call

    def kill(self):
        """As by kill -9: without a word, and back when it is gone."""
        self.process.kill()
        self.process.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
