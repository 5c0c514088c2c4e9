"""Float64 models of trackers of the leading right singular pair of a drifting matrix W.

A tracker keeps state between snapshots; update() sees W only through products A V, A = W^T W, and
decides from its own Ritz values and residuals when to stop. A pass is one such product; its width
is the number of columns of V.
"""
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np

Array = np.ndarray
TARGET = 1e-3


class Budget(Exception):
    """No pass is left."""


class Product:
    """A V for one snapshot. `widths` lists the passes taken."""

    def __init__(self, multiply: Callable[[Array], Array], cols: int, limit: int):
        self.multiply, self.cols, self.limit = multiply, cols, limit
        self.widths: List[int] = []

    def __call__(self, v: Array) -> Array:
        if len(self.widths) == self.limit:
            raise Budget
        self.widths.append(v.shape[1])
        return self.multiply(v)


@dataclass
class Pairs:
    """Ritz pairs, descending: theta [k], vectors [n, k], residuals A v - theta v [n, k]."""
    theta: Array
    vectors: Array
    residuals: Array

    def floors(self) -> Array:
        """theta + |r|^2 / theta of every pair: the Rayleigh quotient of A^(1/2) v, so the largest
        eigenvalue is not below any of them."""
        theta = np.maximum(self.theta, 1e-300)
        return theta + np.linalg.norm(self.residuals, axis=0) ** 2 / theta

    def sigma1_error(self) -> float:
        """Relative error of sqrt(theta_1): what the residuals of the leading pairs and their
        distance to the first Ritz value outside bound, or what a floor above theta_1 proves."""
        norm, theta = np.linalg.norm(self.residuals, axis=0), self.theta
        best = np.inf
        for i in range(len(theta) - 1):
            away = theta[0] - theta[i + 1] - norm[i + 1]
            if away > 0:
                best = min(best, float(norm[:i + 1] @ norm[:i + 1] / (2 * theta[0] * away)))
        return max(best, float(self.floors().max() / theta[0] - 1) / 2)

    def error(self, pair: int = 0) -> float:
        """|A v - theta v| / theta of a pair, 0-based."""
        if pair >= len(self.theta) or not self.theta[pair] > 0:
            return np.inf
        return float(np.linalg.norm(self.residuals[:, pair]) / self.theta[pair])


def orthonormal(new: Array, basis: Optional[Array] = None) -> Array:
    """The columns of `new` made orthonormal to `basis` [n, b] and to each other; dependent ones are
    dropped."""
    kept = [] if basis is None else [basis]
    out: List[Array] = []
    for column in new.T:
        before = np.linalg.norm(column)
        if not before > 0:
            continue
        column = column / before
        for _ in range(2):
            for q in kept + out:
                q = q.reshape(len(column), -1)
                column = column - q @ (q.T @ column)
        length = np.linalg.norm(column)
        if length > 1e-8:
            out.append((column / length)[:, None])
    return np.concatenate(out, axis=1) if out else new[:, :0]


def ritz(q: Array, aq: Array, count: int) -> Tuple[Pairs, Array]:
    """Rayleigh-Ritz on the orthonormal columns of q. Returns the `count` leading pairs and their
    coefficients [columns of q, count]."""
    h = q.T @ aq
    theta, c = np.linalg.eigh((h + h.T) / 2)
    theta, c = theta[::-1][:count], c[:, ::-1][:, :count]
    vectors = q @ c
    return Pairs(theta, vectors, aq @ c - vectors * theta), c


class Tracker:
    """Common parts. `stored` Ritz vectors are kept between snapshots; the first block is made of
    them and of `fresh` random vectors."""

    def __init__(self, stored: int, fresh: int = 0, least: int = 1, seed: int = 0):
        self.stored, self.fresh, self.least = stored, fresh, least
        self.random = np.random.default_rng(seed)
        self.block: Optional[Array] = None

    def first_block(self, cols: int) -> Array:
        width = min(self.stored + self.fresh, cols)
        old = np.zeros((cols, 0)) if self.block is None else self.block[:, :width]
        gauss = self.random.standard_normal((cols, width - old.shape[1]))
        return orthonormal(np.concatenate([old, gauss], axis=1))

    def done(self, pairs: Pairs, product: Product) -> bool:
        return len(product.widths) >= self.least and pairs.error() <= TARGET

    def update(self, product: Product) -> Pairs:
        """Takes a snapshot in; the last pairs of a run that the budget cut short."""
        self.pairs: Optional[Pairs] = None
        try:
            self.iterate(product)
        except Budget:
            pass
        assert self.pairs is not None
        self.remember(self.pairs)
        return self.pairs

    def iterate(self, product: Product) -> None:
        raise NotImplementedError

    def remember(self, pairs: Pairs) -> None:
        self.block = pairs.vectors[:, :self.stored]


class Power(Tracker):
    """Block power iteration, a Rayleigh-Ritz step each pass. `momentum`: the heavy ball with
    beta = (theta_k / 2)^2, theta_k the least Ritz value of the block."""

    def __init__(self, stored: int, momentum: bool = False, **kwargs: int):
        super().__init__(stored, **kwargs)
        self.momentum = momentum

    def iterate(self, product: Product) -> None:
        x = self.first_block(product.cols)
        before = np.zeros_like(x)
        while True:
            y = product(x)
            self.pairs, c = ritz(x, y, x.shape[1])
            if self.done(self.pairs, product):
                return
            beta = (self.pairs.theta[-1] / 2) ** 2 if self.momentum else 0.0
            step = y @ c - beta * (before @ c)
            q, r = np.linalg.qr(step)
            before = np.linalg.solve(r.T, (x @ c).T).T
            x = q


class Chebyshev(Tracker):
    """Filter of a degree on [0, theta_k], then a Rayleigh-Ritz step whose product begins the next
    filter."""

    def __init__(self, stored: int, degree: int, **kwargs: int):
        super().__init__(stored, **kwargs)
        self.degree = degree

    def iterate(self, product: Product) -> None:
        x = self.first_block(product.cols)
        while True:
            y = product(x)
            self.pairs, c = ritz(x, y, x.shape[1])
            if self.done(self.pairs, product):
                return
            half = max(self.pairs.theta[-1] / 2, 1e-300)
            before, now = x @ c, (y @ c) / half - x @ c
            for _ in range(self.degree - 1):
                length = np.linalg.norm(now, axis=0)
                before, now = before / length, now / length
                before, now = now, 2 * (product(now) / half - now) - before
            x = orthonormal(now)


class Lobpcg(Tracker):
    """LOBPCG without a preconditioner: Rayleigh-Ritz on [X, residuals, last step]."""

    def iterate(self, product: Product) -> None:
        x = self.first_block(product.cols)
        ax = product(x)
        k = x.shape[1]
        self.pairs, c = ritz(x, ax, k)
        x, ax = x @ c, ax @ c
        p, ap = x[:, :0], x[:, :0]
        while not self.done(self.pairs, product):
            r = orthonormal(self.pairs.residuals, np.concatenate([x, p], axis=1))
            ar = product(r)
            q, aq = np.concatenate([x, p, r], axis=1), np.concatenate([ax, ap, ar], axis=1)
            self.pairs, c = ritz(q, aq, k)
            step = c.copy()
            step[:k] = 0
            step = orthonormal(step, c)
            x, ax, p, ap = q @ c, aq @ c, q @ step, aq @ step


class Krylov(Tracker):
    """Growing basis: the first block, then residuals of leading pairs, the basis kept whole.

    grow: of how many pairs a further pass takes the residuals; 0: as many as the first block has.
    A cold start takes blocks of `cold` vectors throughout.
    first: of the stored vectors only so many are in the first block; each further pass takes the
    next `join`.
    polish: the stored vectors are v + r / (theta - mu), a power step that costs no pass, shifted by
    mu = polish * (the least Ritz value) / 2.
    explorer: the random vector is not fresh in every first block: it is the residual of the last
    pair with this much fresh random in it.
    sigma1: the end waits for sigma1_error <= residual^2 + sigma1 too, and the second residual of a
    pass is that of the largest floor.
    history: the ages of stored blocks whose leading vectors join the first block, one entry a
    vector: (1, 1) are two of the snapshot before last, (1, 2) one each of that and the one before.
    predict: the leading stored vector goes on by this part of its last step.
    """

    def __init__(self, stored: int, fresh: int = 1, grow: int = 0, cold: int = 8,
                 first: Optional[int] = None, join: int = 0, polish: Optional[float] = None,
                 explorer: Optional[float] = None, sigma1: Optional[float] = None,
                 history: Tuple[int, ...] = (), predict: float = 0, **kwargs: int):
        super().__init__(stored, fresh, **kwargs)
        self.first, self.join = stored if first is None else first, join
        self.grow, self.cold, self.polish, self.explorer = grow, cold, polish, explorer
        self.sigma1, self.history, self.predict = sigma1, history, predict
        self.older: List[Array] = []
        self.probe: Optional[Array] = None

    def unit(self, cols: int) -> Array:
        vector = self.random.standard_normal((cols, 1))
        return vector / np.linalg.norm(vector)

    def first_block(self, cols: int) -> Array:
        if self.block is None:
            return orthonormal(self.random.standard_normal((cols, min(self.cold, cols))))
        self.taken = self.first
        parts = [self.block[:, :self.first].copy()]
        for age in sorted(set(self.history)):
            if age <= len(self.older):
                parts.append(self.older[age - 1][:, :self.history.count(age)])
        if self.older:
            sign = np.sign(self.block[:, 0] @ self.older[0][:, 0])
            parts[0][:, 0] += self.predict * (self.block[:, 0] - sign * self.older[0][:, 0])
        parts += [self.unit(cols) for _ in range(self.fresh)]
        if self.explorer is not None and self.probe is not None:
            parts[-1] = self.probe + self.explorer * parts[-1]
        return orthonormal(np.concatenate(parts, axis=1)[:, :cols])

    def done(self, pairs: Pairs, product: Product) -> bool:
        if self.sigma1 is not None and pairs.sigma1_error() > pairs.error() ** 2 + self.sigma1:
            return False
        return super().done(pairs, product)

    def expansion(self, q: Array, aq: Array, width: int) -> Array:
        """The vectors of the next pass, of any length."""
        count = width if self.block is None or not self.grow else self.grow
        order = np.arange(len(self.pairs.theta))
        if self.sigma1 is not None:
            order[1:] = 1 + np.argsort(-self.pairs.floors()[1:])
        residuals = self.pairs.residuals[:, order[:count]]
        if self.block is None or self.taken >= self.stored:
            return residuals
        begin, self.taken = self.taken, min(self.taken + self.join, self.stored)
        return np.concatenate([residuals, self.block[:, begin:self.taken]], axis=1)

    def iterate(self, product: Product) -> None:
        q = self.first_block(product.cols)
        width = q.shape[1]
        aq = product(q)
        while True:
            self.pairs, _ = ritz(q, aq, max(width, min(self.cold, q.shape[1])))
            self.q, self.aq = q, aq
            if self.done(self.pairs, product):
                return
            new = orthonormal(self.expansion(q, aq, width), q)
            if new.shape[1] == 0:
                return
            aq = np.concatenate([aq, product(new)], axis=1)
            q = np.concatenate([q, new], axis=1)

    def remember(self, pairs: Pairs) -> None:
        if self.block is not None:
            self.older = [self.block] + self.older[:3]
        self.block = self.kept(pairs)
        last = pairs.residuals[:, -1:]
        self.probe = last / max(np.linalg.norm(last), 1e-300)

    def kept(self, pairs: Pairs) -> Array:
        vectors = pairs.vectors[:, :self.stored].copy()
        if self.polish is not None:
            mu = self.polish * pairs.theta[-1] / 2
            vectors += pairs.residuals[:, :self.stored] / (pairs.theta[:self.stored] - mu)
        vectors /= np.linalg.norm(vectors, axis=0)
        if self.block is None or self.taken == self.stored:
            return vectors
        return np.concatenate([vectors[:, :self.taken], self.block[:, self.taken:]], axis=1)


class Deflated(Krylov):
    """Krylov that keeps `known` Ritz pairs and multiplies only the leading ones. On the others, S,
    it takes A for what it was: residuals are preconditioned with it (Davidson), and the pairs that
    are kept are those of the basis and S together."""

    def __init__(self, stored: int, known: int, **kwargs: object):
        super().__init__(stored, **kwargs)  # type: ignore[arg-type]
        self.known = known
        self.theta = np.zeros(0)

    def rest(self, q: Array) -> Tuple[Array, Array]:
        """An orthonormal basis S of the known vectors outside q, and S^T A S as it was."""
        if self.block is None:
            return q[:, :0], np.zeros((0, 0))
        outside = self.block - q @ (q.T @ self.block)
        outside = orthonormal(outside[:, np.linalg.norm(outside, axis=0) > 1e-2], q)
        inside = outside.T @ self.block
        return outside, (inside * self.theta) @ inside.T

    def expansion(self, q: Array, aq: Array, width: int) -> Array:
        residuals = super().expansion(q, aq, width)
        if self.block is None:
            return residuals
        s, a = self.rest(q)
        values, vectors = np.linalg.eigh(a)
        s, mu, top = s @ vectors, self.theta[-1] / 2, self.pairs.theta[0]
        inside = s.T @ residuals
        return (residuals - s @ inside) / max(top - mu, 0.05 * top) \
            + s @ (inside / np.maximum(top - values, 0.05 * top)[:, None])

    def kept(self, pairs: Pairs) -> Array:
        s, a = self.rest(self.q)
        coupling = self.aq.T @ s
        h = np.block([[self.q.T @ self.aq, coupling], [coupling.T, a]])
        theta, c = np.linalg.eigh((h + h.T) / 2)
        theta, c = theta[::-1][:self.known], c[:, ::-1][:, :self.known]
        outside = self.aq - self.q @ (self.q.T @ self.aq) - s @ coupling.T
        vectors = np.concatenate([self.q, s], axis=1) @ c
        lead = slice(0, self.stored)
        vectors[:, lead] += (outside @ c[:self.q.shape[1], lead]) / (theta[lead] - theta[-1] / 2)
        vectors = orthonormal(vectors)
        self.theta = theta[:vectors.shape[1]]
        return vectors
