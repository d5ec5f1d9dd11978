#!/usr/bin/env python3
"""Text whose names a tagger has found, as training data for another one.

    python3 scripts/silver_names.py texts DATA/text/en.jsonl.gz --source "AllSides articles" -o texts.jsonl
    vestnik tag --model TEACHER --dtype int8 texts.jsonl -o tagged.jsonl
    python3 scripts/silver_names.py corpus tagged.jsonl --annotated PER ORG LOC -o silver.jsonl.gz

`texts` takes one stretch of about --chars characters, from anywhere, of documents of some sources: whole paragraphs, none shorter
than 40 characters. `corpus` makes a gzipped corpus of what `vestnik tag` wrote; types that are not --annotated are left open.
The same arguments give the same files, byte for byte. Only the standard library is used.
"""

import argparse
import gzip
import itertools
import json
import pathlib
import random

LEAST = 40
MOST = 1500
"""Characters of a paragraph; the rest of a longer one is left out."""


def stretch(text, chars, rng):
    """Paragraphs from a random one on; None where there is none."""
    paragraphs = [paragraph for paragraph in text.split("\n") if len(paragraph) > LEAST]
    if not paragraphs:
        return None
    out, length = [], -1
    for paragraph in paragraphs[rng.randrange(len(paragraphs)) :]:
        if length >= chars:
            break
        out.append(paragraph[:MOST])
        length += len(out[-1]) + 1
    return "\n".join(out)


def texts(arguments):
    rng = random.Random(arguments.seed)
    with gzip.open(arguments.input, "rt", encoding="utf-8") as lines, open(arguments.output, "w", encoding="utf-8") as out:
        records = (record for record in map(json.loads, lines) if not arguments.source or record["source"] in arguments.source)
        for record in itertools.islice(records, 0, None, arguments.every):
            text = stretch(record["text"], arguments.chars, rng)
            if text:
                line = {"id": record["id"], "lang": record["lang"], "text": text}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")


def corpus(arguments):
    with open(arguments.input, encoding="utf-8") as lines, open(arguments.output, "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as out:
            for record in map(json.loads, lines):
                names = [{key: name[key] for key in ("start", "end", "label")} for name in record["entities"]]
                line = {key: record[key] for key in ("id", "lang", "text")} | {"entities": names, "annotated": arguments.annotated}
                out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    for name, function in [("texts", texts), ("corpus", corpus)]:
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("input", type=pathlib.Path)
        command.add_argument("-o", "--output", type=pathlib.Path, required=True)
        if function is texts:
            command.add_argument("--source", nargs="+", help="default: all of them")
            command.add_argument("--every", type=int, default=1, help="take every so many-th document")
            command.add_argument("--chars", type=int, default=900)
            command.add_argument("--seed", type=int, default=1)
        else:
            command.add_argument("--annotated", nargs="+", required=True)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
