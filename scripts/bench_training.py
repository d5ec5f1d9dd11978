#!/usr/bin/env python3
"""Training steps per second: `vestnik train` beside PyTorch, in one run on one machine.

    pip install transformers==5.23.0 torch==2.15.0
    cargo build --release
    python scripts/bench_training.py --data slavicner.train.jsonl.gz [--shape default|xlm-r-base] [--threads 2]

Both train the same random model (a token classifier with 11 labels, dropout 0.1, AdamW, gradients clipped to norm 1) on
the same texts, cut into the same windows (126 tokens and two special ones), in batches of as many tokens, each in f32 and
in bf16 (`precision = "bf16"`; autocast). PyTorch gets what serves it best: windows of like length in one batch and fused
AdamW. Only tokens of texts count, padding does not. The first steps of each are left out; contestants take turns, the best
of `--rounds` counts. Peak memory is that of the process.

Prints one line per contestant and the ratio; `--json` an object.
"""

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABELS = ["PER", "ORG", "LOC", "EVT", "PRO"]
SHAPES = {  # transformers' names of the sizes, tokens of a batch, steps
    "default": (
        dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=32000),
        768,
        40,
    ),
    "xlm-r-base": (
        dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, vocab_size=250002),
        2048,
        8,
    ),
}
WINDOW = 126


def main() -> None:
    arguments = parse()
    if arguments.contestant:  # a process of its own, for its peak memory
        print(json.dumps(torch_steps(arguments)))
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), arguments.shape)
        for turn in range(arguments.rounds):
            for precision in ("f32", "bf16"):
                keep(results, f"vestnik {precision}", vestnik_steps(Path(folder), arguments, precision, turn))
                keep(results, f"torch {precision}", run_self(Path(folder), arguments, precision))
    ratio = best(results, "vestnik") / best(results, "torch")
    if arguments.json:
        print(json.dumps({"shape": arguments.shape, "threads": arguments.threads, "ratio": ratio, **results}))
        return
    for name, result in results.items():
        print(f"{name:<12}{result['tokens_per_second']:8.0f} tokens/s{result['peak_mib']:8.0f} MiB")
    print(f"best of vestnik / best of PyTorch: {ratio:.2f} ({arguments.shape}, {arguments.threads} threads)")


def keep(results: dict, name: str, result: dict) -> None:
    """The faster one of this and what there was."""
    if name not in results or results[name]["tokens_per_second"] < result["tokens_per_second"]:
        results[name] = result


def best(results: dict, program: str) -> float:
    return max(results[f"{program} {precision}"]["tokens_per_second"] for precision in ("f32", "bf16"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="annotated articles, JSON lines with text and entities, .gz or plain")
    parser.add_argument("--shape", choices=SHAPES, default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, help="default: 40 for the small shape, 8 for the large one")
    parser.add_argument("--vestnik", default=ROOT / "target/release/vestnik")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.steps = arguments.steps or SHAPES[arguments.shape][2]
    return arguments


def make_model(folder: Path, shape: str) -> None:
    """A random encoder of this shape with the tokenizer of models/vestnik-base."""
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.BertConfig(**SHAPES[shape][0], num_labels=2 * len(LABELS) + 1)
    transformers.BertForMaskedLM(config).save_pretrained(folder / "base")
    tokenizer = ROOT / "models/vestnik-base/tokenizer.json"
    (folder / "base/tokenizer.json").write_bytes(tokenizer.read_bytes())


def vestnik_steps(folder: Path, arguments: argparse.Namespace, precision: str, turn: int) -> dict:
    labels = ", ".join(f'"{label}"' for label in LABELS)
    (folder / "run.toml").write_text(
        f"""
seed = 1
precision = "{precision}"
max_steps = {arguments.steps}
epochs = 1
checkpoint_every = 1000000
[model]
base = "base"
labels = [{labels}]
[windows]
max_tokens = {WINDOW}
context = 0
[batch]
max_tokens = {SHAPES[arguments.shape][1]}
[[train]]
path = "{Path(arguments.data).resolve()}"
"""
    )
    out = f"out-{precision}-{turn}"
    command = [arguments.vestnik, "train", "run.toml", "-o", out, "--threads", str(arguments.threads)]
    process = subprocess.Popen([*command, "--progress", "none"], cwd=folder, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(process.stderr.read().decode())
    events = [json.loads(line) for line in (folder / out / "log.jsonl").open()]
    steps = [event for event in events if event["event"] == "step"]
    counted = steps[arguments.steps // 5 :]
    seconds = counted[-1]["time"] - steps[arguments.steps // 5 - 1]["time"]
    tokens = sum(event["tokens"] for event in counted)
    return {"tokens_per_second": tokens / seconds, "peak_mib": usage.ru_maxrss / 1024}


def run_self(folder: Path, arguments: argparse.Namespace, precision: str) -> dict:
    options = ["--data", arguments.data, "--shape", arguments.shape, "--threads", str(arguments.threads)]
    options += ["--steps", str(arguments.steps), "--contestant", precision, "--model", str(folder / "base")]
    environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.threads), TRANSFORMERS_VERBOSITY="error")
    ran = subprocess.run([sys.executable, __file__, *options], env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(ran.stdout)


def torch_steps(arguments: argparse.Namespace) -> dict:
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    model = transformers.BertForTokenClassification.from_pretrained(arguments.model)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    budget, first = SHAPES[arguments.shape][1], arguments.steps // 5
    tokens = 0
    for step, (ids, mask) in enumerate(batches(arguments, budget)):
        if step == first:
            start = time.monotonic()
        labels = torch.randint(0, model.config.num_labels, ids.shape).masked_fill(mask == 0, -100)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.contestant == "bf16"):
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step >= first:
            tokens += int(mask.sum())
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"tokens_per_second": tokens / seconds, "peak_mib": peak}


def batches(arguments: argparse.Namespace, budget: int):
    """Padded batches of windows of like length, in random order."""
    import tokenizers
    import torch

    tokenizer = tokenizers.Tokenizer.from_file(f"{arguments.model}/tokenizer.json")
    open_file = gzip.open if str(arguments.data).endswith(".gz") else open
    windows = []
    with open_file(arguments.data, "rt", encoding="utf-8") as lines:
        for line in lines:
            ids = tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids
            windows += [[2, *ids[at : at + WINDOW], 3] for at in range(0, len(ids), WINDOW)]
    windows.sort(key=len)
    packed = [[]]
    for window in windows:
        if (len(packed[-1]) + 1) * len(window) > budget:
            packed.append([])
        packed[-1].append(window)
    random.Random(1).shuffle(packed)
    for batch in packed[: arguments.steps]:
        longest = max(map(len, batch))
        ids = torch.tensor([window + [0] * (longest - len(window)) for window in batch])
        mask = torch.tensor([[1] * len(window) + [0] * (longest - len(window)) for window in batch])
        yield ids, mask


if __name__ == "__main__":
    main()
