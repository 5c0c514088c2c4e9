"""All trainable parameters of a model in one vector, their gradients in another.

An update is then a handful of operations on two vectors, whatever the number of layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Span:
    """One parameter's place in the vectors."""

    name: str
    begin: int
    end: int
    shape: torch.Size


class Flat:
    """`weights`, `gradients`: float32 [all]. The model's parameters and their .grad are views."""

    def __init__(self, model: nn.Module) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        total = sum(p.numel() for _, p in named)
        self.weights = torch.empty(total)
        self.gradients = torch.zeros(total)
        self.spans: list[Span] = []
        at = 0
        for name, parameter in named:
            span = Span(name, at, at + parameter.numel(), parameter.shape)
            self.weights[span.begin : span.end] = parameter.detach().flatten()
            parameter.data = self.of(self.weights, span)
            parameter.grad = self.of(self.gradients, span)
            self.spans.append(span)
            at = span.end

    @staticmethod
    def of(vector: torch.Tensor, span: Span) -> torch.Tensor:
        """A view of the part of `vector` that belongs to a parameter, in its shape."""
        return vector[span.begin : span.end].view(span.shape)

    def matching(self, only: Iterable[str], matrices: bool = False) -> list[Span]:
        """Parameters with one of `only` in their name (all if empty)."""
        only = list(only)
        found = [
            s
            for s in self.spans
            if (not only or any(part in s.name for part in only))
            and (not matrices or len(s.shape) == 2)
        ]
        if not found:
            raise ValueError(f"no parameter has {', '.join(only)} in its name")
        return found

    def mask(self, spans: Iterable[Span]) -> torch.Tensor:
        """1 where one of the spans is, else 0."""
        mask = torch.zeros_like(self.weights)
        for span in spans:
            mask[span.begin : span.end] = 1.0
        return mask

    def matrix_mask(self) -> torch.Tensor:
        return self.mask(s for s in self.spans if len(s.shape) == 2)
