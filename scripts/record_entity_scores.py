#!/usr/bin/env python3
"""Records what seqeval 1.2.2 says in its strict mode about random entities over words, as a test fixture for entity scores.

Entities begin and end at words here, so strict scores of spans in the text must be those of seqeval over IOB2 tags.

Usage: python3 -m venv seqeval-env && seqeval-env/bin/pip install seqeval==1.2.2
       seqeval-env/bin/python scripts/record_entity_scores.py
Writes crates/vestnik-core/tests/fixtures/entity_scores.json; the same seed gives the same file.
"""

import importlib.metadata
import json
import pathlib
import random
import warnings

from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

SEED = 20261124
OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "crates/vestnik-core/tests/fixtures/entity_scores.json"
LABELS = ["PER", "ORG", "LOC", "EVT"]
WORDS = {
    "bg": "Кметът на Русе посрещна Анна Петрова в София вчера и ѝ благодари".split(),
    "en": "The mayor of Bath met Maria O'Neill at the port and left early".split(),
    "ja": "東京 の 市長 は 昨日 ソフィア に 着いた".split(),
}


def entities(rng, n_words):
    """Flat entities as (first word, word behind the last one, label)."""
    found, word = [], 0
    while word < n_words:
        length = min(rng.choice([1, 1, 1, 2, 3]), n_words - word)
        if rng.random() < 0.35:
            found.append((word, word + length, rng.choice(LABELS)))
        word += length
    return found


def predicted(rng, gold, n_words):
    """Gold with losses, other labels, other bounds, and some entities of its own."""
    kept = []
    for start, end, label in gold:
        fate = rng.random()
        if fate < 0.6:
            kept.append((start, end, label))
        elif fate < 0.75:
            kept.append((start, end, rng.choice(LABELS)))
        elif fate < 0.85 and end - start > 1:
            kept.append((start, end - 1, label))
    taken = {word for start, end, _ in gold for word in range(start, end)}
    kept += [(w, w + 1, rng.choice(LABELS)) for w in range(n_words) if w not in taken and rng.random() < 0.08]
    return sorted(kept)


def tags(ranges, n_words):
    row = ["O"] * n_words
    for start, end, label in ranges:
        row[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return row


def document(rng, number):
    lang = rng.choice(sorted(WORDS))
    words = [rng.choice(WORDS[lang]) for _ in range(rng.choice([1, 2, 5, 12, 25]))]
    starts = [sum(len(word) + 1 for word in words[:i]) for i in range(len(words))]
    gold = entities(rng, len(words))
    found = predicted(rng, gold, len(words))
    spans = lambda ranges: [[starts[a], starts[b - 1] + len(words[b - 1]), label] for a, b, label in ranges]
    record = {"id": f"d{number}", "lang": lang, "text": " ".join(words), "gold": spans(gold), "predicted": spans(found)}
    return record, (lang, tags(gold, len(words)), tags(found, len(words)))


def strict(rows, label=None):
    """Precision, recall, F1 and support over all types, or of one of them."""
    gold, found = [row[1] for row in rows], [row[2] for row in rows]
    if label is not None:
        only = lambda sentence: [tag if tag.endswith("-" + label) else "O" for tag in sentence]
        gold, found = [only(row) for row in gold], [only(row) for row in found]
    if not any(tag != "O" for sentence in gold + found for tag in sentence):
        return None
    p, r, f, n = precision_recall_fscore_support(gold, found, average="micro", scheme=IOB2, zero_division=0)
    return [float(p), float(r), float(f), int(n)]


def by_label(rows):
    return {label: score for label in LABELS if (score := strict(rows, label))}


def main():
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    documents, rows = zip(*(document(rng, number) for number in range(60)))
    of = lambda lang: [row for row in rows if row[0] == lang]
    record = {
        "seqeval": importlib.metadata.version("seqeval"),
        "documents": documents,
        "micro": strict(rows),
        "per_label": by_label(rows),
        "per_lang": {lang: strict(of(lang)) for lang in sorted(WORDS)},
        "per_lang_label": {lang: by_label(of(lang)) for lang in sorted(WORDS)},
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    OUTPUT.write_text(text.replace('},{"', '},\n{"') + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {len(documents)} documents, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
