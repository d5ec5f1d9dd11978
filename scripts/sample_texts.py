#!/usr/bin/env python3
"""Samples short pieces of text for the training of a tokenizer: one piece a line on standard output.

    python3 scripts/sample_texts.py DATA/text --pieces 120000 --seed 7 > texts.txt
    cargo run --release -p vestnik-text --example train_tokenizer -- models/vestnik-base/tokenizer.json < texts.txt

With --join, consecutive pieces of a text are joined to records of up to that many characters and written as JSON lines
{"lang", "text"}: the input of a short pretraining.

    python3 scripts/sample_texts.py DATA/text --pieces 24000 --join 800 --seed 8 > pretrain.jsonl

DATA/text holds gzipped JSON lines {"lang", "source", "text"}. Languages are drawn by weight, kinds of source within a
language by share (news first, law little); a kind that runs out is filled up from the kinds before it. The same folder,
number and seed give the same lines. Only the standard library is used.
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import re
import sys

LANGUAGES = {"bg": 3.0, "ru": 3.0, "uk": 3.0, "en": 2.0, "cs": 1.0, "pl": 1.0, "sl": 1.0}
# Share of a kind among the pieces of a language, where the language has it.
KINDS = {"news": 0.75, "wiki": 0.12, "manual": 0.08, "law": 0.05}
KIND_OF_SOURCE = {
    "law": ("Legislation", "Laws", "acts", "laws", "Constitutional Court"),
    "manual": ("courses", "docs", "book", "WebDoky"),
    "wiki": ("Wikipedia", "WikiANN", "Faker", "Franko", "NTREX"),
}
MAX_CHARS = 400
MIN_CHARS = 20


def kind(source):
    for name, marks in KIND_OF_SOURCE.items():
        if any(mark in source for mark in marks):
            return name
    return "news"


def pieces(text):
    """Cuts a text into pieces of at most MAX_CHARS characters, at paragraph and sentence ends where there are any."""
    for paragraph in text.split("\n"):
        paragraph = " ".join(paragraph.split())
        while len(paragraph) > MAX_CHARS:
            ends = [m.end() for m in re.finditer(r"[.!?…][»”“\")]*\s", paragraph[:MAX_CHARS])]
            cut = ends[-1] if ends else paragraph.rfind(" ", MIN_CHARS, MAX_CHARS)
            cut = MAX_CHARS if cut < MIN_CHARS else cut
            yield paragraph[:cut].strip()
            paragraph = paragraph[cut:].strip()
        if len(paragraph) >= MIN_CHARS:
            yield paragraph


def join(parts, max_chars):
    """Consecutive pieces as texts of up to max_chars characters."""
    joined = ""
    for part in parts:
        if joined and len(joined) + len(part) > max_chars:
            yield joined
            joined = ""
        joined = f"{joined}\n{part}" if joined else part
    if joined:
        yield joined


def read(folder, max_chars):
    """All pieces by language and kind, in the order of the files."""
    found = {language: collections.defaultdict(list) for language in LANGUAGES}
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if record["lang"] in found:
                    parts = pieces(record["text"])
                    parts = join(parts, max_chars) if max_chars else parts
                    found[record["lang"]][kind(record["source"])].extend(parts)
    return found


def draw(by_kind, number, rng):
    """`number` pieces without repetition, law never above its share."""
    for name in KINDS:
        rng.shuffle(by_kind[name])
    total = sum(share for name, share in KINDS.items() if by_kind[name])
    drawn = []
    for name, share in KINDS.items():
        wanted = round(number * (share if name == "law" else share / total))
        drawn += by_kind[name][:wanted]
        del by_kind[name][:wanted]
    for name in ("news", "wiki", "manual"):
        drawn += by_kind[name][: max(0, number - len(drawn))]
    return drawn[:number]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--pieces", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--join", type=int, default=0, metavar="CHARS")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    found = read(arguments.folder, arguments.join)
    weight = sum(LANGUAGES.values())
    sample = []
    for language, share in LANGUAGES.items():
        drawn = draw(found[language], round(arguments.pieces * share / weight), rng)
        print(f"{language}: {len(drawn)} pieces, {sum(map(len, drawn))} characters", file=sys.stderr)
        sample += ((language, piece) for piece in drawn)
    rng.shuffle(sample)
    for language, piece in sample:
        line = json.dumps({"lang": language, "text": piece}, ensure_ascii=False) if arguments.join else piece
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
