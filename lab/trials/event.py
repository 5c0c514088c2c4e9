"""What an event is: see events.py for faults, operations.py for what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .training import Training


class Event:
    """`at` <= t < `end` is when it acts. Every method may be left as it is."""

    def __init__(self, at: int, len: int = 10**9, **options: Any) -> None:
        self.at, self.end = at, at + len
        self.options = options

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["options"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} event without {name!r}") from None

    def begin(self, training: Training) -> None:
        """Once, before step `at`."""

    def finish(self, training: Training) -> None:
        """Once, before step `end`."""

    def each(self, training: Training, t: int) -> None:
        """Before each step in which it acts."""

    def batch(self, training: Training, t: int, batch: tuple) -> tuple:
        """The batch, as it is used."""
        return batch

    def gradients(self, training: Training, t: int) -> None:
        """May change training.flat.gradients, after the backward pass and before clipping."""

    def weights(self, training: Training, t: int) -> None:
        """May change the weights, after the update."""


def only(event: Event) -> list[str]:
    """The parameters that it is about, by part of their name; []: all."""
    return event.options.get("only", [])
