"""Tasks of tokens that a rule makes: brackets, sorting, reversing, sums, looking up, counting."""

from __future__ import annotations

import numpy as np
import torch

from .settings import Settings
from .task import IGNORED, Batch, Task


class Sequence(Task):
    """The next token of rows [size, tokens + 1] that `rows` makes; those before `self.asked`
    (an index of a target) do not count."""

    causal = True
    inputs = outputs = 24
    asked = 0

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.tokens = s.context

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        raise NotImplementedError

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        both = torch.from_numpy(self.rows(rng, size).astype(np.int64))
        target = both[:, 1:].clone()
        target[:, : self.asked] = IGNORED
        return both[:, :-1].contiguous(), target


class Brackets(Sequence):
    """Four kinds of brackets, nested to a depth of up to 6 and closed in their order."""

    inputs = outputs = 8

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        rows = np.zeros((size, self.tokens + 1), dtype=np.int64)
        opens = rng.random(rows.shape) < 0.55
        kinds = rng.integers(0, 4, rows.shape)
        for row, opening, kind in zip(rows, opens, kinds):
            stack: list[int] = []
            for i in range(len(row)):
                if not stack or (opening[i] and len(stack) < 6):
                    stack.append(int(kind[i]))
                    row[i] = stack[-1]
                else:
                    row[i] = 4 + stack.pop()
        return rows


class Halves(Sequence):
    """Random symbols, then a function of them; only the second half counts."""

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.half = s.context // 2
        self.asked = self.half - 1

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        first = rng.integers(0, self.inputs, (size, self.half))
        return np.concatenate([first, self.answer(first), first[:, :1]], axis=1)[
            :, : self.tokens + 1
        ]

    def answer(self, first: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class Sorting(Halves):
    """The symbols in their order."""

    def answer(self, first: np.ndarray) -> np.ndarray:
        return np.sort(first, axis=1)


class Reversal(Halves):
    """The symbols from the last to the first."""

    def answer(self, first: np.ndarray) -> np.ndarray:
        return first[:, ::-1]


class RunningSum(Halves):
    """The sums of the first symbols up to each place, modulo 24."""

    def answer(self, first: np.ndarray) -> np.ndarray:
        return np.cumsum(first, axis=1) % self.outputs


class Addition(Sequence):
    """Two numbers of three digits, +, =, and their sum from its last digit on; 10: +, 11: =."""

    inputs = outputs = 12

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.tokens, self.asked = 11, 7

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        a, b = rng.integers(0, 1000, (2, size))
        digits = [a % 10, a // 10 % 10, a // 100, np.full(size, 10)]
        digits += [b % 10, b // 10 % 10, b // 100, np.full(size, 11)]
        digits += [(a + b) // 10**i % 10 for i in range(4)]
        return np.stack(digits, axis=1)


class Recall(Sequence):
    """Pairs of a key (0 … 11) and a value (12 … 23); then keys again, each with its value."""

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.asked = s.context // 2

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x, target = super().batch(rng, size)
        target[:, 1::2] = IGNORED  # which key comes next nobody can know
        return x, target

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        pairs = self.tokens // 4
        values = rng.integers(12, 24, (size, 12))
        order = np.argsort(rng.random((size, 12)), axis=1)[:, :pairs]
        asked = np.take_along_axis(order, rng.integers(0, pairs, (size, pairs + 1)), axis=1)
        keys = np.concatenate([order, asked], axis=1)
        both = np.stack([keys, np.take_along_axis(values, keys, axis=1)], axis=2)
        return both.reshape(size, -1)[:, : self.tokens + 1]


class Counting(Sequence):
    """How often the symbol of each place has been there before it, up to 23."""

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x = rng.integers(0, 5, (size, self.tokens))
        same = x[:, :, None] == x[:, None, :]
        count = np.tril(same, -1).sum(axis=2)
        return torch.from_numpy(x), torch.from_numpy(np.minimum(count, 23))


SEQUENCES: dict[str, type[Task]] = {
    "brackets": Brackets,
    "sorting": Sorting,
    "reversal": Reversal,
    "running_sum": RunningSum,
    "addition": Addition,
    "recall": Recall,
    "counting": Counting,
}
