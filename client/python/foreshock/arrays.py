"""Arrays of NumPy and PyTorch as the raw bytes that travel: little-endian, row-major, a copy that
belongs to the client.

PyTorch is never imported here; its tensors are known by their methods.
"""

import sys
from typing import NamedTuple, Optional, Tuple

import numpy as np

from . import wire


class Payload(NamedTuple):
    """`data` holds the raw bytes of an array of `shape` and wire type `dtype`."""

    dtype: str
    shape: Tuple[int, ...]
    data: memoryview


def copy_of(array: object, dtype: Optional[str] = None) -> Payload:
    """A copy of a NumPy array, a PyTorch tensor (of any device; one on an accelerator is waited
    for) or anything that NumPy can read. `dtype` names the wire type of raw integers: uint16 for
    bfloat16, uint8 for float8.

    Raises ValueError for a type that cannot travel.
    """
    name, raw = _from_torch(array) if _is_torch(array) else _from_numpy(np.asarray(array), dtype)
    if dtype is not None and name != dtype:
        raise ValueError(f"dtype {name}: expected {dtype}")
    shape = raw.shape
    owned = np.array(raw, order="C", copy=True)
    return Payload(name, shape, memoryview(owned.reshape(-1).view(np.uint8)))


def _is_torch(array: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def _from_torch(tensor) -> "tuple[str, np.ndarray]":
    """The wire type and a NumPy view of the same bits (of a copy, where the tensor is on an
    accelerator)."""
    import torch

    name = str(tensor.dtype).rpartition(".")[2]
    if name not in wire.DTYPES:
        raise ValueError(f"dtype {name}: expected one of {', '.join(wire.DTYPES)}")
    host = tensor.detach().cpu()
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return name, host.view(integers[wire.DTYPES[name]]).numpy()


def _from_numpy(array: np.ndarray, dtype: Optional[str]) -> "tuple[str, np.ndarray]":
    name = array.dtype.name
    if dtype in wire.DTYPES and array.dtype in (np.dtype(np.uint16), np.dtype(np.uint8)):
        if array.dtype.itemsize == wire.DTYPES[dtype]:
            return dtype, array
    if name not in wire.DTYPES:
        raise ValueError(
            f"dtype {name}: expected one of {', '.join(wire.DTYPES)}, or raw bits with dtype="
        )
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and sys.byteorder == "big"):
        array = array.astype(array.dtype.newbyteorder("<"))
    return name, array
