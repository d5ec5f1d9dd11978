"""Inputs with random ids, and what a model answers."""

import numpy
import torch

from .tiny_tokenizers import Specials

IGNORE = -100


class Cases:
    """Random sequences of at most `limit` tokens."""

    def __init__(self, specials: Specials, limit: int, with_types: bool, seed: int):
        self.specials = specials
        self.limit = limit
        self.with_types = with_types
        self.random = numpy.random.RandomState(seed)

    def all(self, with_pairs: bool) -> dict:
        free = self.specials.free
        cases = {
            "padded_batch": self.batch([9, 4, 7]),
            "single": self.batch([6]),
            "one_token": {"input_ids": [[free]], "attention_mask": [[1]]},
            "one_token_beside_others": self.batch([5, 1, 3]),
            "longest": self.batch([self.limit]),
        }
        for case in cases.values():
            if self.with_types:
                case["token_type_ids"] = [types_of(row) for row in case["attention_mask"]]
        if with_pairs:
            cases["pairs"] = self.pairs([(5, 3), (2, 8), (1, 1)])
        return cases

    def batch(self, lengths: list) -> dict:
        return self.padded([self.sequence(length) for length in lengths])

    def padded(self, rows: list) -> dict:
        longest = max(map(len, rows))
        return {
            "input_ids": [row + [self.specials.padding] * (longest - len(row)) for row in rows],
            "attention_mask": [[1] * len(row) + [0] * (longest - len(row)) for row in rows],
        }

    def sequence(self, length: int) -> list:
        if length < 3:
            return [self.specials.first] * length
        return [self.specials.first, *self.text(length - 2), self.specials.last]

    def text(self, length: int) -> list:
        return [int(id) for id in self.random.randint(self.specials.free, self.specials.end, size=length)]

    def pairs(self, lengths: list) -> dict:
        """Two texts each, as the architecture's tokenizer joins them; the second and its end have type 1."""
        first, last, between = self.specials.first, self.specials.last, self.specials.between
        starts = [[first, *self.text(length), *[last] * between] for length, _ in lengths]
        ends = [[*self.text(length), last] for _, length in lengths]
        case = self.padded([start + end for start, end in zip(starts, ends)])
        if self.with_types:
            width = len(case["input_ids"][0])
            types = [[0] * len(start) + [1] * len(end) for start, end in zip(starts, ends)]
            case["token_type_ids"] = [row + [0] * (width - len(row)) for row in types]
        return case

    def token_labels(self, mask: list, n_labels: int) -> list:
        """Random labels; padding and every fourth token are ignored."""
        return [
            [int(self.random.randint(n_labels)) if keep and position % 4 else IGNORE for position, keep in enumerate(row)]
            for row in mask
        ]

    def sequence_labels(self, n_sequences: int, n_labels: int, several: bool) -> list:
        """One label a sequence, or a 0 or 1 for each label."""
        if several:
            return self.random.randint(2, size=(n_sequences, n_labels)).astype(float).tolist()
        return self.random.randint(n_labels, size=n_sequences).tolist()


def types_of(mask: list) -> list:
    """The second half of a sequence is a second segment; padding is segment 0."""
    length = sum(mask)
    return [int(length > 1 and length // 2 <= position < length) for position in range(len(mask))]


def answer(model: torch.nn.Module, case: dict, labels: list | None) -> dict:
    inputs = {name: torch.tensor(rows) for name, rows in case.items()}
    model.zero_grad()
    logits = model(**inputs).logits
    answered = dict(case)
    answered["last_hidden_state"] = rounded(model.base_model(**inputs).last_hidden_state)
    answered["logits"] = rounded(logits)
    if labels is not None:
        answered["labels"] = labels
        loss = loss_of(logits, torch.tensor(labels))
        loss.backward()
        answered["loss"] = rounded(loss)
        gradients = {name: tensor.grad for name, tensor in sorted(model.named_parameters())}
        answered["gradient_norms"] = {name: norm_of(grad) for name, grad in gradients.items() if grad is not None}
    return answered


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    if labels.is_floating_point():
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    return torch.nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORE)


def norm_of(gradient: torch.Tensor) -> float:
    """Zero where only rounding is left: softmax does not see what shifts all scores of a query alike."""
    norm = rounded(gradient.norm())
    return norm if norm > 1e-12 else 0.0


def rounded(tensor: torch.Tensor):
    """Nested lists with 7 significant digits."""

    def walk(value):
        return [walk(item) for item in value] if isinstance(value, list) else float(f"{value:.7g}")

    assert tensor.isfinite().all()
    return walk(tensor.detach().tolist())
