#!/usr/bin/env python3
"""Records losses and gradients that PyTorch has, for the tests of the losses of vestnik-model.

    pip install -r scripts/requirements.txt
    python scripts/record_losses.py

Writes crates/vestnik-model/tests/fixtures/losses.json; the same seed gives the same file. Everything is computed in f64.

`cross_entropy`: each case holds `logits` [rows][classes], `labels` (-100 = ignored), `allowed` (sets as bits, 0 = the
label alone), the options, `loss`, and `gradient` of the logits. Where a case has neither sets nor a focus, `loss` is that
of torch.nn.CrossEntropyLoss itself, and the formula of this file is checked against it.

`crf`: the tags, `logits` of all tokens, the scores of transitions, the chains (tokens from and before, whether a chain
begins and ends a text), `loss`, and the gradients of all four tensors. Both sums run over all paths one by one.
"""

import itertools
import json
import random
from pathlib import Path

import torch

torch.set_num_threads(1)
OUTPUT = Path(__file__).resolve().parent.parent / "crates/vestnik-model/tests/fixtures/losses.json"
SEED = 20261124
IGNORE = -100
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
WEIGHTS = [0.25, 2.0, 1.0, 3.5, 0.5]


def numbers(rng, *shape):
    if not shape:
        return round(rng.gauss(0, 1.5), 3)
    return [numbers(rng, *shape[1:]) for _ in range(shape[0])]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def written(values):
    return [written(value) for value in values] if isinstance(values, list) else float(f"{values:.7g}")


def members(label, allowed, classes):
    return [c for c in range(classes) if allowed >> c & 1] if allowed else [label]


def row_loss(log_p, label, allowed, weights, smoothing, gamma):
    """One row, term by term: the classes left possible as one class, and each of the others."""
    classes = len(log_p)
    inside = members(label, allowed, classes)
    groups = [(inside, (1 - smoothing) * weights[label] + smoothing / classes * sum(weights[c] for c in inside))]
    groups += [([c], smoothing / classes * weights[c]) for c in range(classes) if c not in inside]
    total = 0.0
    for group, coefficient in groups:
        log_of_group = torch.logsumexp(log_p[group], 0)
        total = total - coefficient * (1 - log_of_group.exp()) ** gamma * log_of_group
    return total


def cross_entropy(logits, labels, allowed, weights, smoothing, gamma):
    log_p = torch.log_softmax(logits, 1)
    rows = [row for row, label in enumerate(labels) if label != IGNORE]
    total = sum(row_loss(log_p[row], labels[row], allowed[row], weights, smoothing, gamma) for row in rows)
    return total / sum(weights[labels[row]] for row in rows)


def cross_entropy_case(rng, name, weights=None, smoothing=0.0, gamma=0.0, sets=False):
    labels = [0, 3, IGNORE, 1, 4, 0, 2]
    allowed = [0b11001, 0, 0, 0b00111, 0, 0b11111, 0] if sets else [0] * len(labels)
    values = numbers(rng, len(labels), len(TAGS))
    logits = tensor(values)
    loss = cross_entropy(logits, labels, allowed, weights or [1.0] * len(TAGS), smoothing, gamma)
    if not sets and gamma == 0.0:
        weight = torch.tensor(weights, dtype=torch.float64) if weights else None
        reference = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)
        by_torch = reference(logits, torch.tensor(labels))
        assert torch.allclose(loss, by_torch, rtol=1e-12), (name, loss, by_torch)
        loss = by_torch
    loss.backward()
    return {
        "name": name,
        "logits": values,
        "labels": labels,
        "allowed": allowed,
        "class_weights": weights or [],
        "label_smoothing": smoothing,
        "focal_gamma": gamma,
        "loss": written(loss.item()),
        "gradient": written(logits.grad.tolist()),
    }


def may_follow(before, tag):
    return not tag.startswith("I-") or (before is not None and before[2:] == tag[2:])


def paths(n_words, begins):
    for path in itertools.product(range(len(TAGS)), repeat=n_words):
        pairs = [(TAGS[a], TAGS[b]) for a, b in itertools.pairwise(path)]
        first = [(None, TAGS[path[0]])] if begins else []
        if all(may_follow(before, tag) for before, tag in first + pairs):
            yield path


def path_score(path, emissions, scores, chain):
    total = sum(emissions[word, tag] for word, tag in enumerate(path))
    total = total + sum(scores["transitions"][a, b] for a, b in itertools.pairwise(path))
    total = total + (scores["start_transitions"][path[0]] if chain["begins"] else 0.0)
    return total + (scores["end_transitions"][path[-1]] if chain["ends"] else 0.0)


def crf_case(rng, name, chains, labels, allowed):
    tags, n_tokens = len(TAGS), len(labels)
    values = {
        "logits": numbers(rng, n_tokens, tags),
        "transitions": numbers(rng, tags, tags),
        "start_transitions": numbers(rng, tags),
        "end_transitions": numbers(rng, tags),
    }
    scores = {key: tensor(value) for key, value in values.items()}
    total, n_words = 0.0, 0
    for chain in chains:
        words = [token for token in range(*chain["tokens"]) if labels[token] != IGNORE]
        possible = [set(members(labels[word], allowed[word], tags)) for word in words]
        emissions = scores["logits"][words]
        valid = list(paths(len(words), chain["begins"])) if words else []
        if not words:
            continue
        all_scores = [path_score(path, emissions, scores, chain) for path in valid]
        fits = [all(tag in choice for tag, choice in zip(path, possible, strict=True)) for path in valid]
        fitting = [score for score, fit in zip(all_scores, fits, strict=True) if fit]
        total = total + torch.logsumexp(torch.stack(all_scores), 0) - torch.logsumexp(torch.stack(fitting), 0)
        n_words += len(words)
    loss = total / n_words
    loss.backward()
    gradients = {
        key: written(torch.zeros_like(score).tolist() if score.grad is None else score.grad.tolist())
        for key, score in scores.items()
    }
    case = {"name": name, "labels": labels, "allowed": allowed, "chains": chains, **values}
    return {**case, "loss": written(loss.item()), "gradients": gradients}


def chain(start, end, begins=True, ends=True):
    return {"tokens": [start, end], "begins": begins, "ends": ends}


def main():
    rng = random.Random(SEED)
    x = IGNORE
    answers = {
        "made_with": {"torch": torch.__version__},
        "tags": TAGS,
        "cross_entropy": [
            cross_entropy_case(rng, "plain"),
            cross_entropy_case(rng, "smoothing", smoothing=0.1),
            cross_entropy_case(rng, "weights", weights=WEIGHTS),
            cross_entropy_case(rng, "smoothing and weights", weights=WEIGHTS, smoothing=0.3),
            cross_entropy_case(rng, "focus", gamma=2.0),
            cross_entropy_case(rng, "a weak focus", gamma=0.5),
            cross_entropy_case(rng, "focus and weights", weights=WEIGHTS, gamma=2.0),
            cross_entropy_case(rng, "sets", sets=True),
            cross_entropy_case(rng, "sets and smoothing", sets=True, smoothing=0.2),
            cross_entropy_case(rng, "everything", weights=WEIGHTS, smoothing=0.2, gamma=1.5, sets=True),
        ],
        "crf": [
            crf_case(rng, "one text", [chain(0, 6)], [x, 1, 2, 0, 3, x], [0] * 6),
            crf_case(rng, "one word", [chain(0, 3)], [x, 3, x], [0] * 3),
            crf_case(
                rng,
                "sets",
                [chain(0, 7)],
                [x, 1, 2, x, 0, 0, x],
                [0, 0, 0, 0, 0b11001, 0b11001, 0],
            ),
            crf_case(
                rng,
                "parts of a text, one without words",
                [chain(0, 5, ends=False), chain(5, 8), chain(8, 12, begins=False, ends=False), chain(12, 16, begins=False)],
                [x, 0, 1, 2, x, x, x, x, x, 2, 0, x, x, 4, 0, x],
                [0] * 14 + [0b00111, 0],
            ),
        ],
    }
    OUTPUT.write_text(json.dumps(answers, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
