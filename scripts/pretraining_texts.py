#!/usr/bin/env python3
"""Sorts raw text by language and kind into the files that a pretraining run names.

    python3 scripts/pretraining_texts.py DATA/text -o data/pretraining --law 8000000

DATA/text holds gzipped JSON lines {"lang", "source", "text"}. The folder gets one file {lang}.{kind}.jsonl for each language and
kind of source that there is: news, wiki, manual, law, as `sample_texts.py` tells them apart. Of law, the first --law characters of
each language are taken, in an order that --seed shuffles. `--also en.topics FILE` makes en.topics.jsonl of the texts of another such
file. The same folder and arguments give the same files, byte for byte.
Only the standard library is used.
"""

import argparse
import gzip
import json
import pathlib
import random

from sample_texts import kind


def read(folder):
    """All documents, by language and kind."""
    documents = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                key = (document["lang"], kind(document["source"]))
                documents.setdefault(key, []).append({"lang": document["lang"], "text": document["text"]})
    return documents


def texts_of(path):
    """The documents of one file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [{"lang": document["lang"], "text": document["text"]} for document in map(json.loads, lines)]


def write(path, documents):
    with open(path, "w", encoding="utf-8") as out:
        for document in documents:
            out.write(json.dumps(document, ensure_ascii=False) + "\n")
    print(f"{path.name}: {len(documents)} documents, {sum(len(d['text']) for d in documents)} characters")


def limited(documents, max_chars, seed):
    """As many documents as fit, in a shuffled order."""
    random.Random(seed).shuffle(documents)
    kept, chars = [], 0
    for document in documents:
        chars += len(document["text"])
        if chars > max_chars:
            break
        kept.append(document)
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--law", type=int, default=8_000_000, metavar="CHARS")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--also", nargs=2, action="append", default=[], metavar=("NAME", "FILE"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for (lang, name), documents in sorted(read(arguments.folder).items()):
        if name == "law":
            documents = limited(documents, arguments.law, arguments.seed)
        write(arguments.output / f"{lang}.{name}.jsonl", documents)
    for name, path in arguments.also:
        write(arguments.output / f"{name}.jsonl", texts_of(path))


if __name__ == "__main__":
    main()
