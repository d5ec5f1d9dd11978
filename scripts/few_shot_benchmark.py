"""How well `vestnik classify --few-shot` does on SIB-200, by language and number of examples of each label.

    python3 scripts/few_shot_benchmark.py target/release/vestnik FOLDER [--langs bul,rus] [--shots 8,16] [--model DIR]

FOLDER holds `sib200.LANG.train.jsonl.gz` and `sib200.LANG.dev.jsonl.gz`, lines of {"text", "labels": [label]}. Examples are drawn
from train with seeds 1, 2 and 3; the accuracy on dev is the mean over the seeds. The last column is the mean time of a run, reading
the model and the dev part included.
"""

import argparse
import gzip
import json
import pathlib
import random
import subprocess
import tempfile
import time


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [{"text": r["text"], "label": r["labels"][0]} for r in records]


def write(path, records):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")


def draw(records, shots, seed):
    by_label = {}
    for record in records:
        by_label.setdefault(record["label"], []).append(record)
    chance = random.Random(seed)
    return [r for label in sorted(by_label) for r in chance.sample(by_label[label], min(shots, len(by_label[label])))]


def accuracy(args, folder, train, dev, shots, seed):
    write(folder / "examples.jsonl", draw(train, shots, seed))
    write(folder / "dev.jsonl", dev)
    command = [args.program, "classify", "--few-shot", folder / "examples.jsonl", folder / "dev.jsonl", "--progress", "none"]
    command += ["--model", args.model] if args.model else []
    start = time.monotonic()
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds = time.monotonic() - start
    found = [json.loads(line) for line in out.splitlines()]
    return sum(r["classes"][0]["label"] == r["label"] for r in found) / len(dev), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--langs", default="bul,rus,ukr,eng")
    parser.add_argument("--shots", default="8,16,32,64")
    parser.add_argument("--model")
    args = parser.parse_args()
    print("lang   shots  accuracy  seconds")
    with tempfile.TemporaryDirectory() as name:
        for lang in args.langs.split(","):
            train = read(args.folder / f"sib200.{lang}.train.jsonl.gz")
            dev = read(args.folder / f"sib200.{lang}.dev.jsonl.gz")
            for shots in map(int, args.shots.split(",")):
                runs = [accuracy(args, pathlib.Path(name), train, dev, shots, seed) for seed in (1, 2, 3)]
                score, seconds = (sum(column) / len(runs) for column in zip(*runs))
                print(f"{lang:6} {shots:5}  {score:8.3f}  {seconds:7.1f}", flush=True)


if __name__ == "__main__":
    main()
