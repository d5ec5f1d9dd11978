"""How often `vestnik tag` recognises the language of a text, by its length.

    python3 scripts/check_languages.py target/release/vestnik texts/*.jsonl.gz

The files are JSON lines with `text` and `lang`, plain or gzip. Of each language up to --texts texts are taken, spread over
all of them, that have the longest of the lengths; they are cut to so many characters and tagged with --dry-run, without
their field `lang`.
"""

import argparse
import collections
import gzip
import json
import pathlib
import subprocess
import tempfile

LENGTHS = (40, 80, 300)


def texts_by_language(paths):
    texts = collections.defaultdict(list)
    for path in paths:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                text = " ".join(record["text"].split())
                if len(text) >= max(LENGTHS):
                    texts[record["lang"]].append(text)
    return texts


def recognised(vestnik, samples, length):
    """For each language the languages that its texts were taken for."""
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder, "texts.jsonl")
        records = ({"expected": lang, "text": text[:length]} for lang in samples for text in samples[lang])
        dump.write_text("".join(json.dumps(record) + "\n" for record in records))
        tagged = subprocess.run([vestnik, "tag", "--dry-run", "--progress", "none", dump], check=True, capture_output=True)
    found = collections.defaultdict(collections.Counter)
    for line in tagged.stdout.splitlines():
        record = json.loads(line)
        found[record["expected"]][record["vestnik"].get("lang")] += 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vestnik")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--texts", type=int, default=400, help="texts of each language")
    arguments = parser.parse_args()
    texts = texts_by_language(arguments.files)
    samples = {}
    for lang in sorted(texts):
        step = max(1, len(texts[lang]) // arguments.texts)
        samples[lang] = texts[lang][::step][: arguments.texts]
    print("texts:", {lang: len(of) for lang, of in samples.items()})
    print("| characters | all | " + " | ".join(samples) + " |\n|" + "---|" * (len(samples) + 2))
    for length in LENGTHS:
        found = recognised(arguments.vestnik, samples, length)
        shares = {lang: found[lang][lang] / len(samples[lang]) for lang in samples}
        n_right = sum(found[lang][lang] for lang in samples)
        cells = [n_right / sum(map(len, samples.values())), *shares.values()]
        print(f"| {length} | " + " | ".join(f"{share:.1%}" for share in cells) + " |")
        for lang in samples:
            wrong = [f"{other} {n}" for other, n in found[lang].most_common(4) if other != lang]
            print(f"    {lang} taken for: {', '.join(wrong)}") if wrong else None


if __name__ == "__main__":
    main()
