"""Shows the calls of modules to a listener, through PyTorch's hooks for all modules.

Nothing is hung on the modules themselves. So a watched model is copied, pickled, saved and scripted
like any other, and nobody takes a copy of it for the model.
"""

import os
import sys
import warnings
import weakref
from typing import Callable, Dict, Optional, Tuple

import torch
from torch import nn
from torch.nn.modules import module as hooks_of_all

_is_compiling: Callable[[], bool] = getattr(
    getattr(torch, "compiler", None), "is_compiling", lambda: False
)


class Listener:
    """Hears of the calls of `model` and of the modules in it, in the thread that makes them."""

    model: nn.Module

    def before(self, args: tuple, kwargs: dict) -> None:
        """`model` is about to compute."""
        raise NotImplementedError

    def after(self, module: nn.Module, args: tuple) -> None:
        """Some module has computed. `args` are the positional arguments of its forward."""
        raise NotImplementedError


class Calls:
    """Tells one listener of calls from `start` to `stop`, but for those that torch.compile and
    torch.jit trace. The listener is not kept alive.

    The keys and functions of the hooks stay the same from one `start` to the next: graphs that
    torch.compile made with and without them stay valid.
    """

    def __init__(self) -> None:
        _all.add(self)
        self._listener: Callable[[], Optional[Listener]] = lambda: None
        self._hooks: Tuple[Tuple[Callable, Callable], ...] = (
            (hooks_of_all.register_module_forward_pre_hook, self._before),
            (hooks_of_all.register_module_forward_hook, self._after),
        )
        self._handles: list = []

    def start(self, listener: Listener) -> None:
        self._listener = weakref.ref(listener)
        if not self._handles:
            # PyTorch warns the user of hooks that fire twice: ours hear each call once.
            warnings.filterwarnings("ignore", message=".*there are global hooks on modules.*")
            self._handles = [register(hook) for register, hook in self._hooks]
            return
        for handle, (_, hook) in zip(self._handles, self._hooks):
            handle.hooks_dict_ref()[handle.id] = hook

    def stop(self) -> None:
        self._listener = lambda: None
        for handle in self._handles:
            handle.remove()

    def _before(self, module: nn.Module, args: tuple) -> None:
        listener = self._heard()
        if listener is not None and module is listener.model:
            listener.before(args, _keywords_of_the_call())

    def _after(self, module: nn.Module, args: tuple, _: object) -> None:
        listener = self._heard()
        if listener is not None:
            listener.after(module, args)

    def _heard(self) -> Optional[Listener]:
        if _is_compiling() or torch.jit.is_tracing():
            return None
        listener = self._listener()
        if listener is None:
            self.stop()
        return listener


def _keywords_of_the_call() -> Dict[str, object]:
    """The keyword arguments of the call that a hook was called for. PyTorch shows a hook for all
    modules only the positional ones; the others are in the frame that called the hook."""
    found = sys._getframe(2).f_locals.get("kwargs")
    return found if isinstance(found, dict) else {}


_all: "weakref.WeakSet[Calls]" = weakref.WeakSet()


def _stop_all() -> None:
    """In a forked child: its forward passes are nobody's."""
    for calls in list(_all):
        calls.stop()


os.register_at_fork(after_in_child=_stop_all)
