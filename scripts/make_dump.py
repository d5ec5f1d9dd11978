"""A dump of short articles, 1 % of them hostile, the same for the same seed.

    python3 scripts/make_dump.py 1000000 > dump.jsonl          # about 1.4 GB, in about two minutes
    python3 scripts/make_dump.py 1000000 --kinds                # how many of each kind there are; also on standard error

Words are made of syllables, with the lengths of words and articles that news have (log-normal, median 90 words). Hostile
records: broken UTF-8, NUL, no text, a text of a wrong type, a field twice, half of a surrogate pair, no JSON at all, a blank
text, 10 MB of text, JSON of 100,000 levels, 100,000 fields. The first hostile records are one of each kind; of the others 1 in
1000 is of the last three, large kinds, so that a million records hold about 5 texts of 10 MB and not 10,000.
"""

import argparse
import json
import random
import sys

SYLLABLES = {
    "bg": "на ре пу бли ка та пра ви тел ство ми нис тър за я ви че ще об съ ди бю дже та Со фи я Пе тър Ива нов".split(),
    "uk": "пре зи дент Ки їв за явив що у ряд роз гля не бю джет на ступ но го ро ку в се ре ду Оле на Ше вчен ко".split(),
    "en": "the go vern ment said on Wed nes day that it would dis cuss next year bud get Lon don John Smith par ty".split(),
    "pl": "pre mier po wie dział że rząd o mó wi bu dżet na przy szły rok War sza wa Jan Ko wal ski par tia".split(),
}
SMALL = ["utf8", "nul", "missing", "type", "twice", "surrogate", "garbage", "blank"]
LARGE = ["long", "deep", "fields"]
HOSTILE = SMALL + LARGE
# What is an article all the same.
SOUND = ["sound", "nul", "fields"]


def word(rng, syllables):
    return "".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 2, 3, 3, 4))))


def article(rng, number, words):
    lang = rng.choice(list(SYLLABLES))
    n_words = min(2000, max(5, int(rng.lognormvariate(4.5, 0.5))))
    picked = rng.choices(words[lang], k=n_words)
    sentences = [" ".join(picked[at : at + 14]).capitalize() + "." for at in range(0, n_words, 14)]
    day = 1 + number % 28
    return {
        "id": number,
        "url": f"https://news.example/{lang}/{number}",
        "date": f"2024-{1 + number // 28 % 12:02}-{day:02}T{number % 24:02}:15:00Z",
        "views": rng.randrange(100000) / 100,
        "title": sentences[0],
        "text": " ".join(sentences),
    }


def hostile(kind, record):
    line = json.dumps(record, ensure_ascii=False).encode()
    if kind == "utf8":
        return line[:-20] + b"\xff\xfe\xd0" + line[-20:]
    if kind == "nul":
        return json.dumps(record | {"text": "\0" + record["text"] + "\0"}).encode()
    if kind == "long":
        return json.dumps(record | {"text": (record["text"] + " ") * (10_000_000 // len(record["text"]))}).encode()
    if kind == "deep":
        return line[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    if kind == "fields":
        return line[:-1] + b"".join(b',"f%d":%d' % (n, n) for n in range(100_000)) + b"}"
    if kind == "missing":
        return json.dumps({"id": record["id"], "body": record["text"]}).encode()
    if kind == "type":
        return json.dumps(record | {"text": [record["text"]]}).encode()
    if kind == "twice":
        return line[:-1] + b',"text":"again"}'
    if kind == "surrogate":
        return line[:-1] + b',"half":"\\ud83d"}'
    if kind == "blank":
        return json.dumps(record | {"text": "  \n"}).encode()
    return b"<html>503 Service Unavailable</html>"


def kind_of(rng, n_hostile):
    """The kind of the next hostile record, when there were so many before."""
    if n_hostile < len(HOSTILE):
        return HOSTILE[n_hostile]
    return rng.choice(LARGE if rng.random() < 0.001 else SMALL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile", type=float, default=0.01)
    parser.add_argument("--kinds", action="store_true", help="count the kinds instead of writing")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    words = {lang: [word(rng, syllables) for _ in range(5000)] for lang, syllables in SYLLABLES.items()}
    kinds = dict.fromkeys(["sound", *HOSTILE], 0)
    out = sys.stdout.buffer
    for number in range(arguments.n):
        n_hostile = number - kinds["sound"]
        record = article(rng, number, words)
        kind = "sound"
        if rng.random() < arguments.hostile:
            kind = kind_of(rng, n_hostile)
        kinds[kind] += 1
        if arguments.kinds:
            continue
        line = json.dumps(record, ensure_ascii=False).encode() if kind == "sound" else hostile(kind, record)
        out.write(line + b"\n")
    articles = sum(kinds[kind] for kind in SOUND)
    counts = json.dumps(kinds | {"articles": articles, "set_aside": arguments.n - articles})
    print(counts, file=sys.stdout if arguments.kinds else sys.stderr)


if __name__ == "__main__":
    main()
