#!/usr/bin/env python3
"""Compares vestnik with transformers and prints the largest difference.

    python scripts/parity.py DIR…              texts in many scripts, pairs and the longest text, by a real directory:
                                               tokens, ids, offsets (white space at the edges aside) and logits
    python scripts/parity.py --random 3        models with random weights, sizes and settings, three of every
                                               architecture and head: sequences from one token to the longest
    python scripts/parity.py --embeddings DIR  mean-pooled hidden states of 100 sentences in four scripts

Every sequence goes through vestnik packed with the others and some alone, through transformers padded and alone. Exit
code 1 when a difference is above the tolerance. --vestnik names the program; else it is the newest build.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from reference.answers import Reference
from reference.architectures import HEADS, PUBLISHED
from reference.random_models import Draw, random_inputs, random_model
from reference.texts import PAIRS, SENTENCES, TEXTS
from reference.vestnik import Vestnik


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
    packed = vestnik.logits(folder, inputs)
    for index, (got, expected) in enumerate(zip(packed, reference.together(entries))):
        result.see(got["logits"], expected, f"{len(entries[index]['ids'])} tokens, packed")
    for index in some(entries):
        got = vestnik.logits(folder, [inputs[index]])[0]["logits"]
        result.see(got, reference.alone(entries[index]), f"{len(entries[index]['ids'])} tokens, alone")
    return result


def some(entries: list[dict]) -> list[int]:
    """The shortest, one in the middle and the longest."""
    by_length = sorted(range(len(entries)), key=lambda index: len(entries[index]["ids"]))
    return [by_length[0], by_length[len(by_length) // 2], by_length[-1]]


def check_directory(folder: Path, vestnik: Vestnik, texts: list[str]) -> Result:
    reference = Reference(folder)
    tokenizer = reference.tokenizer()
    inputs = [{"text": text} for text in texts] + [{"text": text, "pair": pair} for text, pair in PAIRS]
    inputs = [entry for entry in inputs if len(encoded(tokenizer, entry)["ids"]) <= reference.max_tokens()]
    inputs.append({"text": longest_text(tokenizer, reference.max_tokens())})
    entries = [encoded(tokenizer, entry) for entry in inputs]
    result = compare_logits(folder, reference, vestnik, inputs, entries)
    for entry, expected, got in zip(inputs, entries, vestnik.logits(folder, inputs)):
        for key in ("ids", "tokens", "offsets"):
            result.same(got[key], expected[key], f"{key} of {str(list(entry.values()))[:60]}")
    return result


def encoded(tokenizer: transformers.PreTrainedTokenizerBase, entry: dict) -> dict:
    encoding = tokenizer(entry["text"], entry.get("pair"), return_offsets_mapping=True, return_token_type_ids=True)
    texts = [entry["text"], entry.get("pair")]
    spans = zip(encoding["offset_mapping"], encoding.sequence_ids())
    return {
        "ids": encoding["input_ids"],
        "type_ids": encoding["token_type_ids"],
        "tokens": tokenizer.convert_ids_to_tokens(encoding["input_ids"]),
        "offsets": [[0, 0] if text is None else trimmed(texts[text], *span) for span, text in spans],
    }


def trimmed(text: str, start: int, end: int) -> list[int]:
    """The span without white space at its edges."""
    inside = text[start:end]
    start += len(inside) - len(inside.lstrip())
    return [start, start + len(inside.strip())]


def longest_text(tokenizer: transformers.PreTrainedTokenizerBase, max_tokens: int) -> str:
    """As many words of the sentences as the model takes."""
    words = " ".join(SENTENCES * (1 + max_tokens // 1000)).split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(encoded(tokenizer, {"text": " ".join(words[:middle])})["ids"]) <= max_tokens
        low, high = (middle, high) if fits else (low, middle - 1)
    return " ".join(words[:low])


def check_directories(arguments: argparse.Namespace, vestnik: Vestnik) -> list[Result]:
    texts = TEXTS + SENTENCES
    if arguments.text:
        texts = arguments.text.read_text(encoding="utf-8").splitlines()
    results = []
    for folder in arguments.dirs:
        results.append(check_directory(folder, vestnik, texts))
        print(results[-1].line(folder.name), flush=True)
    return results


def check_random(arguments: argparse.Namespace, vestnik: Vestnik) -> list[Result]:
    names = [
        (f"{architecture} {head} {number}", architecture, head)
        for architecture in arguments.architecture or PUBLISHED
        for head in HEADS
        for number in range(arguments.random)
    ]
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.keep or Path(temporary)
        return [check_drawn(root / name.replace(" ", "_"), name, *kind, arguments.seed, vestnik) for name, *kind in names]


def check_drawn(folder: Path, name: str, architecture: str, head: str, seed: int, vestnik: Vestnik) -> Result:
    draw = Draw(seed, name)
    model = random_model(architecture, head, draw)
    model.save_pretrained(folder)
    reference = Reference(folder)
    entries = random_inputs(model, reference.max_tokens(), draw)
    result = compare_logits(folder, reference, vestnik, entries, entries)
    print(result.line(name), flush=True)
    return result


def check_embeddings(arguments: argparse.Namespace, vestnik: Vestnik) -> list[Result]:
    results = []
    for folder in arguments.embeddings:
        reference = Reference(folder)
        tokenizer = reference.tokenizer()
        inputs = [{"text": text} for text in SENTENCES]
        entries = [encoded(tokenizer, entry) for entry in inputs]
        got = [torch.tensor(answer["hidden"]).mean(0) for answer in vestnik.logits(folder, inputs, hidden=True)]
        expected = [states.mean(0) for states in reference.together(entries, hidden=True)]
        cosines = [torch.cosine_similarity(a.double(), b.double(), dim=0).item() for a, b in zip(got, expected)]
        result = Result(len(entries), sum(len(entry["ids"]) for entry in entries))
        for index, (a, b) in enumerate(zip(got, expected)):
            result.see(a.tolist(), b, f"smallest cosine {min(cosines):.8f}")
        if not min(cosines) >= arguments.cosine:
            result.problem = f"cosine {min(cosines)} < {arguments.cosine}"
        results.append(result)
        print(result.line(folder.name), flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dirs", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--embeddings", nargs="+", type=Path, default=[], metavar="DIR")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="models of every architecture and head")
    parser.add_argument("--architecture", action="append", choices=list(PUBLISHED), help="only these random models")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to leave the random models")
    parser.add_argument("--text", type=Path, metavar="FILE", help="texts to read, one a line, instead of our own")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--cosine", type=float, default=0.9999, help="smallest cosine of embeddings")
    parser.add_argument("--vestnik", metavar="PROGRAM")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    vestnik = Vestnik(arguments.vestnik)
    results = check_directories(arguments, vestnik) + check_random(arguments, vestnik)
    results += check_embeddings(arguments, vestnik)
    worst = max((result.difference for result in results), default=0.0)
    print(f"largest difference {worst:.2e} of {len(results)} directories")
    sys.exit(0 if all(result.fine(arguments.tolerance) for result in results) else 1)


if __name__ == "__main__":
    main()
