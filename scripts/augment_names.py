#!/usr/bin/env python3
"""Copies of an annotated corpus in which people and places have other names: the contexts stay, so that a model learns them.

    python3 scripts/augment_names.py --names DATA/lemma/wikidata_en_ru_names.tsv.gz --places PLACES.jsonl.gz … -o OUT CORPUS …

CORPUS and PLACES are gzipped JSON lines {"id", "lang", "text", "entities": [{"start", "end", "label", "lemma"?}], …}, offsets in
code points; --names has lines of a name in Latin letters, the same in Cyrillic ones and how often it was seen, tab-separated.
PER is given names of the same script from --names, LOC of one word such from the places of the PLACES files, which are taken
as they are written there. A word that is inflected ("Трампу", lemma "Трамп") is replaced by one whose base form ends in the same
two letters, with the ending of the word that it replaces; without a lemma a word counts as its own. One name is replaced by the
same one throughout a document, and --share of a document's names are. Documents without a replaced name are left out.
The same arguments give the same files, byte for byte. Only the standard library is used.
"""

import argparse
import bisect
import gzip
import hashlib
import itertools
import json
import os
import pathlib
import random
import unicodedata

TAIL = 2
"""So many letters at the end of a base form decide how it is inflected."""
LEAST_SEEN = 3
"""Rarer names of the list are mostly slips of its alignment."""


def script(word):
    return unicodedata.name(word[0], "?").split()[0]


def is_name(word):
    return len(word) > 3 and word.isalpha() and word[0].isupper() and word[1:].islower()


class Pool:
    """Base forms by script and last letters; frequent ones are drawn more often, by the root of how often they were seen."""

    def __init__(self, counts):
        self.by_end = {}
        for word, count in sorted(counts.items()):
            words, sums = self.by_end.setdefault((script(word), word[-TAIL:]), ([], []))
            words.append(word)
            sums.append((sums[-1] if sums else 0) + count**0.5)

    def draw(self, like, rng):
        words, sums = self.by_end.get((script(like), like[-TAIL:]), ([], []))
        if len(words) < 5:
            return None
        return words[bisect.bisect(sums, rng.random() * sums[-1])]


def people(path):
    counts = {}
    for line in gzip.open(path, "rt", encoding="utf-8"):
        latin, cyrillic, count = line.rstrip("\n").split("\t")
        if int(count) >= LEAST_SEEN:
            for word in (latin.capitalize(), cyrillic.capitalize()):
                if is_name(word):
                    counts[word] = counts.get(word, 0) + int(count)
    return Pool(counts)


def records(path):
    for line in gzip.open(path, "rt", encoding="utf-8"):
        yield json.loads(line)


def places(paths):
    counts = {}
    for record in itertools.chain.from_iterable(records(path) for path in paths):
        for entity in record["entities"]:
            word = record["text"][entity["start"] : entity["end"]]
            if entity["label"] == "LOC" and is_name(word):
                counts[word] = counts.get(word, 0) + 1
    return Pool(counts)


def inflected(word, lemma, pool, chosen, rng):
    """Another word in the form of this one; None where there is none."""
    if not (is_name(word) and is_name(lemma)):
        return None
    stem = len(os.path.commonprefix([word, lemma]))
    if stem < 3:
        return None
    if lemma not in chosen:
        chosen[lemma] = pool.draw(lemma, rng)
    other = chosen[lemma]
    kept = len(other) - (len(lemma) - stem) if other else 0
    return other[:kept] + word[stem:] if kept > 0 else None


def replacement(text, entity, pools, chosen, share, rng):
    """What stands for an entity's text; None where it stays."""
    pool = pools.get(entity["label"])
    mention = text[entity["start"] : entity["end"]]
    words, lemmas = mention.split(), (entity.get("lemma") or mention).split()
    if pool is None or len(words) != len(lemmas) or (entity["label"] == "LOC" and len(words) > 1):
        return None
    out = []
    for word, lemma in zip(words, lemmas):
        key = (entity["label"], lemma)
        if key not in chosen["kept"]:
            chosen["kept"][key] = rng.random() >= share
        other = None if chosen["kept"][key] else inflected(word, lemma, pool, chosen[entity["label"]], rng)
        out.append(other or word)
    joined = " ".join(out)
    return None if joined == mention or " ".join(words) != mention else joined


def augmented(record, pools, share, rng):
    """The record with other names; None where no name was replaced."""
    chosen = {"kept": {}, "PER": {}, "LOC": {}}
    text, parts, entities, last = record["text"], [], [], 0
    length = 0
    replaced = False
    for entity in sorted(record["entities"], key=lambda entity: entity["start"]):
        other = replacement(text, entity, pools, chosen, share, rng)
        replaced |= other is not None
        parts.append(text[last : entity["start"]])
        start = length + len(parts[-1])
        parts.append(other or text[entity["start"] : entity["end"]])
        length = start + len(parts[-1])
        last = entity["end"]
        entities.append({"start": start, "end": length, "label": entity["label"]})
    parts.append(text[last:])
    if not replaced:
        return None
    return {**record, "id": f"{record['id']}~names", "text": "".join(parts), "entities": entities}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+", type=pathlib.Path, metavar="CORPUS")
    parser.add_argument("--names", required=True, type=pathlib.Path)
    parser.add_argument("--places", required=True, nargs="+", type=pathlib.Path)
    parser.add_argument("--share", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path, help="a folder; it gets a file for each corpus")
    arguments = parser.parse_args()
    pools = {"PER": people(arguments.names), "LOC": places(arguments.places)}
    arguments.output.mkdir(parents=True, exist_ok=True)
    for corpus in arguments.corpora:
        written = 0
        path = arguments.output / corpus.name.replace(".jsonl", ".names.jsonl")
        with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as out:
            for record in records(corpus):
                digest = hashlib.sha256(f"{arguments.seed} {record['id']}".encode()).digest()
                other = augmented(record, pools, arguments.share, random.Random(digest))
                if other:
                    written += 1
                    out.write((json.dumps(other, ensure_ascii=False) + "\n").encode())
        print(f"{path}: {written} documents")


if __name__ == "__main__":
    main()
