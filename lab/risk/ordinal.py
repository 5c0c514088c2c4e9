"""An ordinal model of a rare last class, in the spirit of PRESTO (Faletto and Bien, Predicting Rare
Events by Shrinking Towards Proportional Odds, ICML 2023).

Classes 0 < 1 < ... < K. One logit for each step of the order, P(y >= k | x) = 1 / (1 + exp(-(a_k +
b_k x))), k = 1..K. Proportional odds would hold all b_k equal; here the changes from one step to the
next, b_k - b_(k-1), are penalized by their absolute values (and b_1 by its own), so that the rare
last step takes from the common ones what its few cases do not contradict. The steps are fitted
together by their summed log-likelihoods, which stays well defined where logits cross.
"""

from __future__ import annotations

import numpy as np


def _likelihood(theta: np.ndarray, x: np.ndarray, above: np.ndarray, weight: np.ndarray):
    """Mean negative log-likelihood and its gradient; theta [K, 1 + features] holds a_1 and b_1,
    then their changes from step to step."""
    steps = np.cumsum(theta, axis=0)
    logit = x @ steps.T
    total = weight.sum()
    loss = (weight[:, None] * (np.logaddexp(0, logit) - above * logit)).sum() / total
    error = weight[:, None] * (1 / (1 + np.exp(-logit)) - above) / total
    per_step = error.T @ x
    return loss, np.cumsum(per_step[::-1], axis=0)[::-1]


def fit(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float, iterations: int = 1500
) -> np.ndarray:
    """[K, 1 + features]: a_k and b_k of each step. x [n, features] standardized, y [n] classes.

    Accelerated proximal gradient; all but the intercepts are penalized."""
    classes = int(y.max())
    x = np.column_stack([np.ones(len(x)), x])
    above = (y[:, None] >= np.arange(1, classes + 1)).astype(float)
    theta = np.zeros((classes, x.shape[1]))
    ahead, momentum = theta.copy(), 1.0
    curvature = 0.25 * np.linalg.eigvalsh((x * weight[:, None]).T @ x / weight.sum())[-1]
    rate = 1 / (curvature * classes * (classes + 1) / 2)
    for _ in range(iterations):
        _, gradient = _likelihood(ahead, x, above, weight)
        new = ahead - rate * gradient
        new[:, 1:] = np.sign(new[:, 1:]) * np.maximum(np.abs(new[:, 1:]) - rate * penalty, 0)
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / next_momentum * (new - theta)
        theta, momentum = new, next_momentum
    return np.cumsum(theta, axis=0)


def last_class(steps: np.ndarray, x: np.ndarray) -> np.ndarray:
    """P(y = K | x): the smallest of the steps, as the daemon computes it."""
    logit = np.column_stack([np.ones(len(x)), x]) @ steps.T
    return (1 / (1 + np.exp(-logit))).min(axis=1)


def recalibration(
    probability: np.ndarray, hit: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    """(a, b): a + b logit(p) is the best logit (Platt scaling, by Newton's method)."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    x = np.column_stack([np.ones(len(p)), np.log(p / (1 - p))])
    theta = np.array([0.0, 1.0])
    for _ in range(50):
        q = 1 / (1 + np.exp(-x @ theta))
        gradient = x.T @ (weight * (hit - q))
        theta = theta + np.linalg.solve((x * (weight * q * (1 - q))[:, None]).T @ x, gradient)
    return float(theta[0]), float(theta[1])


def log_loss(probability: np.ndarray, hit: np.ndarray, weight: np.ndarray) -> float:
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return float(-(weight * (hit * np.log(p) + (1 - hit) * np.log(1 - p))).sum() / weight.sum())
