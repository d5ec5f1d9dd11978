#!/usr/bin/env python3
"""Records what seqeval 1.2.2 answers for random tag sequences, well-formed and not, as a test fixture.

Usage: python3 -m venv seqeval-env && seqeval-env/bin/pip install seqeval==1.2.2
       seqeval-env/bin/python scripts/record_seqeval.py
Writes crates/vestnik-core/tests/fixtures/seqeval.json; the same seed gives the same file.
"""

import importlib.metadata
import json
import pathlib
import random
import warnings

from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
from seqeval.scheme import IOB2, IOBES, Entities

SEED = 20240607
OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "crates/vestnik-core/tests/fixtures/seqeval.json"
# A type with a hyphen, one that is not ASCII, and the name that seqeval gives to a missing type.
TYPES = ["PER", "ORG", "LOC", "PRO-GAME", "ЛИЦО", "_"]
# Tags outside every scheme: seqeval's default mode has an answer for each of them.
ODD = ["B", "I", "E", "S", "B-", "I-", "PER", "BPER", "O-PER", "X-PER", "X-_", "X", "L-PER", "U-ORG", ".", ".-PER", "-", "-PER"]


def tags_of_words(rng, n_words, types, letters):
    """Tags of flat entities: `letters` names the tags for the first, inner, last and only word."""
    first, inner, last, only = letters
    tags = []
    while len(tags) < n_words:
        length = min(rng.randint(1, 4), n_words - len(tags))
        kind = rng.choice(types)
        if rng.random() < 0.45:
            tags += ["O"] * length
        elif length == 1:
            tags.append(f"{only}-{kind}")
        else:
            tags += [f"{first}-{kind}"] + [f"{inner}-{kind}"] * (length - 2) + [f"{last}-{kind}"]
    return tags


def with_noise(rng, tags, inventory, rate):
    """Replaces some tags by others of the inventory."""
    return [rng.choice(inventory) if rng.random() < rate else tag for tag in tags]


def inventory_of(types, letters, odd=()):
    return ["O"] + [f"{letter}-{kind}" for letter in letters for kind in types] + list(odd)


def families(rng):
    """Name, letters of well-formed tags, inventory and rate of noise in gold, of noise in the prediction."""
    few, all_types = TYPES[:3], TYPES
    yield "iob2", few, "BIIB", inventory_of(few, "BI"), 0.0, 0.2
    yield "iob1", few, "IIII", inventory_of(few, "BI"), 0.1, 0.3
    yield "bioes", few, "BIES", inventory_of(few, "BIES"), 0.0, 0.2
    yield "malformed iob2", all_types, "BIIB", inventory_of(all_types, "BI"), 0.5, 0.5
    yield "malformed bioes", all_types, "BIES", inventory_of(all_types, "BIES"), 0.5, 0.5
    yield "bilou", few, "BILU", inventory_of(few, "BILU"), 0.0, 0.3
    yield "odd tags", few, "BIIB", inventory_of(few, "BIES", ODD), 0.4, 0.4
    yield "only odd tags", few, "BIIB", ["O"] + ODD, 0.9, 0.5


def scores(gold, predicted, average):
    precision, recall, f1, _ = precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
    return [float(precision), float(recall), float(f1)]


def scored(name, gold, predicted):
    """One case with everything that seqeval's default mode says about it."""
    per_type = precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
    kinds = sorted({kind for kind, _, _ in get_entities(gold)} | {kind for kind, _, _ in get_entities(predicted)})
    assert len(kinds) == len(per_type[0])
    averages = {average: scores(gold, predicted, average) for average in ("micro", "macro", "weighted") if kinds}
    return {
        "name": name,
        "gold": [" ".join(tags) for tags in gold],
        "predicted": [" ".join(tags) for tags in predicted],
        **averages,
        "per_type": {kind: [float(column[i]) for column in per_type] for i, kind in enumerate(kinds)},
    }


def random_case(rng, family):
    name, types, letters, inventory, gold_noise, noise = family
    lengths = [rng.choice([0, 1, 2, 5, 9, 14]) for _ in range(rng.randint(1, 4))]
    gold = [with_noise(rng, tags_of_words(rng, n, types, letters), inventory, gold_noise) for n in lengths]
    return scored(name, gold, [with_noise(rng, tags, inventory, noise) for tags in gold])


def hand_made_cases():
    yield scored("nothing at all", [["O", "O"]], [["O", "O"]])
    yield scored("empty sentences", [[], []], [[], []])
    yield scored("nothing predicted", [["B-PER", "I-PER"]], [["O", "O"]])
    yield scored("nothing to find", [["O", "O"]], [["B-PER", "I-PER"]])
    yield scored("orphan counts as a chunk", [["O", "B-PER", "I-PER"]], [["O", "I-PER", "I-PER"]])
    yield scored("adjacent sentences stay apart", [["B-PER"], ["I-PER"]], [["B-PER"], ["B-PER"]])
    yield scored("a dot starts nothing", [["O", ".-PER", "I-PER"]], [["I-PER", "I-PER", "I-PER"]])
    yield scored("type changes inside", [["B-PER", "I-ORG", "I-ORG"]], [["B-PER", "B-ORG", "I-ORG"]])


def strict_chunks(tags, scheme):
    """Chunks that seqeval's strict mode accepts."""
    return [[entity.tag, entity.start, entity.end] for entity in Entities([tags], scheme).entities[0]]


def chunked(rng, letters, well_formed, scheme):
    """One sequence with its chunks by the default mode (end made exclusive) and by the strict mode."""
    types = TYPES[:3]
    tags = tags_of_words(rng, rng.randint(1, 12), types, well_formed)
    tags = with_noise(rng, tags, inventory_of(types, letters), rng.choice([0.0, 0.3, 0.8]))
    lenient = [[kind, start, end + 1] for kind, start, end in get_entities(tags)]
    return {"tags": " ".join(tags), "lenient": lenient, "strict": strict_chunks(tags, scheme)}


def main():
    warnings.simplefilter("ignore")  # seqeval warns about each tag that is none
    rng = random.Random(SEED)
    record = {
        "seqeval": importlib.metadata.version("seqeval"),
        "cases": list(hand_made_cases()) + [random_case(rng, family) for family in families(rng) for _ in range(9)],
        "chunks_bio": [chunked(rng, "BI", "BIIB", IOB2) for _ in range(60)],
        "chunks_bioes": [chunked(rng, "BIES", "BIES", IOBES) for _ in range(60)],
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text.replace('},{"', '},\n{"') + "\n", encoding="utf-8")
    print(f"{OUTPUT}: {len(record['cases'])} cases, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
