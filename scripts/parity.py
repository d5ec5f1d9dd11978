#!/usr/bin/env python3
"""Compares vestnik with transformers and prints the largest difference.

    python scripts/parity.py DIR…              texts in many scripts, pairs and the longest text, by a real directory:
                                               tokens, ids, offsets (white space at the edges aside) and logits,
                                               of an encoder without a head its hidden states
    python scripts/parity.py --random 3        models with random weights, sizes and settings, three of every
                                               architecture and head: sequences from one token to the longest
    python scripts/parity.py --embeddings DIR  mean-pooled hidden states of 100 sentences in four scripts

Every sequence goes through vestnik packed with the others and some alone, through transformers padded and alone. Exit
code 1 when a difference is above the tolerance. --vestnik names the program; else it is the newest build.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from reference.answers import Reference
from reference.architectures import HEADS, PUBLISHED
from reference.comparison import Result, compare_logits
from reference.random_models import Draw, random_inputs, random_model
from reference.texts import PAIRS, SENTENCES, TEXTS
from reference.vestnik import Vestnik


def check_directory(folder: Path, vestnik: Vestnik, texts: list[str]) -> Result:
    reference = Reference(folder)
    tokenizer = reference.tokenizer()
    inputs = [{"text": text} for text in texts] + [{"text": text, "pair": pair} for text, pair in PAIRS]
    inputs = [entry for entry in inputs if len(encoded(tokenizer, entry)["ids"]) <= reference.max_tokens()]
    inputs.append({"text": longest_text(tokenizer, reference.max_tokens())})
    entries = [encoded(tokenizer, entry) for entry in inputs]
    result = compare_logits(folder, reference, vestnik, inputs, entries)
    for entry, expected, got in zip(inputs, entries, vestnik.logits(folder, inputs, hidden=True)):
        offsets = [same_place(*token) for token in zip(expected["tokens"], got["offsets"], expected["offsets"])]
        for key, value in {**expected, "offsets": offsets}.items():
            if key != "type_ids":
                result.same(got[key], value, f"{key} of {str(list(entry.values()))[:60]}")
    return result


def same_place(token: str, got: list[int], expected: list[int]) -> list[int]:
    """Where a token is to be. A token for one byte is in its own character with vestnik, with the reference in all the
    neighbouring characters that are spelled in bytes."""
    byte = token.startswith("<0x") and token.endswith(">")
    return got if byte and expected[0] <= got[0] and got[1] <= expected[1] else expected


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
    transformers.utils.logging.set_verbosity_error()  # too long texts are measured, and not read
    vestnik = Vestnik(arguments.vestnik)
    results = check_directories(arguments, vestnik) + check_random(arguments, vestnik)
    results += check_embeddings(arguments, vestnik)
    worst = max((result.difference for result in results), default=0.0)
    print(f"largest difference {worst:.2e} of {len(results)} directories")
    sys.exit(0 if all(result.fine(arguments.tolerance) for result in results) else 1)


if __name__ == "__main__":
    main()
