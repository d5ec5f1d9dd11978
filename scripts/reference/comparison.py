"""The largest difference between vestnik and transformers."""

from dataclasses import dataclass
from pathlib import Path

import torch

from .answers import Reference
from .vestnik import Vestnik


@dataclass
class Result:
    """The largest difference of one directory, and what did not even have the same shape or tokens."""

    n_sequences: int
    n_tokens: int
    difference: float = 0.0
    where: str = ""
    problem: str | None = None

    def see(self, got: list, expected: torch.Tensor, where: str) -> None:
        got = torch.tensor(got)
        if got.shape != expected.shape:
            self.problem = self.problem or f"{where}: shape {list(got.shape)}, reference {list(expected.shape)}"
            return
        difference = (got - expected).abs().max().item()
        # Not `max`: a difference that is not a number must not hide.
        if not difference <= self.difference:
            self.difference, self.where = difference, where

    def same(self, got, expected, where: str) -> None:
        if got != expected and self.problem is None:
            first = next((pair for pair in zip(got, expected) if pair[0] != pair[1]), (len(got), len(expected)))
            self.problem = f"{where}: {first[0]!r}, reference {first[1]!r}"

    def fine(self, tolerance: float) -> bool:
        return self.problem is None and self.difference <= tolerance

    def line(self, name: str) -> str:
        end = f"DIFFERS {self.problem}" if self.problem else f"({self.where})"
        return f"{name:<32} {self.n_sequences:>4} sequences {self.n_tokens:>6} tokens   {self.difference:.2e}   {end}"


def compare_logits(folder: Path, reference: Reference, vestnik: Vestnik, inputs: list[dict], entries: list[dict]) -> Result:
    """`inputs` are what vestnik gets; `entries` hold the ids of the same sequences, for the reference."""
    result = Result(len(entries), sum(len(entry["ids"]) for entry in entries))
    hidden = reference.head is None  # an encoder alone has hidden states to compare
    numbers = "hidden" if hidden else "logits"
    packed = vestnik.logits(folder, inputs, hidden)
    for index, (got, expected) in enumerate(zip(packed, reference.together(entries))):
        result.see(got[numbers], expected, f"{len(entries[index]['ids'])} tokens, packed")
    for index in some(entries):
        got = vestnik.logits(folder, [inputs[index]], hidden)[0][numbers]
        result.see(got, reference.alone(entries[index]), f"{len(entries[index]['ids'])} tokens, alone")
    return result


def some(entries: list[dict]) -> list[int]:
    """The shortest, one in the middle and the longest."""
    by_length = sorted(range(len(entries)), key=lambda index: len(entries[index]["ids"]))
    return [by_length[0], by_length[len(by_length) // 2], by_length[-1]]
