"""Who sends: the run id, the session id of this process, rank and world size."""

import os
import secrets
import socket
import sys
import time
from dataclasses import dataclass
from typing import Optional

from . import wire

_generated: Optional[str] = None


@dataclass(frozen=True)
class Identity:
    """What a hello says of its sender."""

    run: str
    session: str
    rank: int
    world: int


def identify(run: Optional[str] = None, rank: Optional[int] = None) -> Identity:
    """The identity of this process; ValueError names what does not fit.

    Run id: argument, FORESHOCK_RUN_ID, SLURM_JOB_ID.SLURM_STEP_ID, TORCHELASTIC_RUN_ID, else one
    generated once per job. The ranks of one job share a generated id through `torch.distributed`
    where it is initialised (rank 0 sends its own to the others: `watch` must then be called by
    every rank); ranks without it must be given an id.
    """
    found_rank, world = _rank_and_world(rank)
    found = run or _from_environment() or _generate(found_rank, world)
    if not wire.valid_run(found):
        raise ValueError(f"run {found!r}: expected [A-Za-z0-9][A-Za-z0-9._:-]{{0,127}}")
    session = f"{os.getpid()}-{secrets.token_hex(8)}"
    return Identity(found, session, found_rank, world)


def _from_environment() -> Optional[str]:
    named = os.environ.get("FORESHOCK_RUN_ID")
    if named:
        return named
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    if job:
        return f"{job}.{step}" if step else job
    elastic = os.environ.get("TORCHELASTIC_RUN_ID")
    return elastic if elastic and elastic != "none" else None


def _generate(rank: int, world: int) -> str:
    """One id for this process's life, the same on every rank that `torch.distributed` connects."""
    global _generated
    if _generated is None:
        host = (
            "".join(c if c.isalnum() else "-" for c in socket.gethostname())[:40].strip("-")
            or "host"
        )
        _generated = f"{host}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        if world > 1 and _distributed() is not None:
            _generated = _from_rank_zero(_generated)
    return _generated


def _distributed():
    """`torch.distributed` if torch is loaded and a process group is initialised, else None."""
    torch = sys.modules.get("torch")
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed


def _from_rank_zero(text: str) -> str:
    box = [text]
    _distributed().broadcast_object_list(box, src=0)
    return box[0]


def _rank_and_world(rank: Optional[int]) -> "tuple[int, int]":
    """Rank and world size: the argument, torch.distributed, RANK and WORLD_SIZE, else 0 of 1."""
    distributed = _distributed()
    if distributed is not None:
        found, world = distributed.get_rank(), distributed.get_world_size()
    else:
        found, world = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if rank is not None:
        if isinstance(rank, bool) or not isinstance(rank, int):
            raise ValueError(f"rank {rank!r}: expected a whole number")
        found, world = rank, max(world, rank + 1)
    if not 0 <= found < world <= 65536:
        raise ValueError(f"rank {found} of {world}: expected 0 <= rank < world <= 65536")
    return found, world


def _number(name: str, default: int) -> int:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}={text!r}: expected a whole number") from None
