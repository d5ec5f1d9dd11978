#!/usr/bin/env python3
"""Masked-language-model training on a GPU: `vestnik pretrain` beside PyTorch, in one run on one card.

    pip install torch==2.15.0 transformers==5.23.0
    cargo build --release --features cuda
    python scripts/bench_pretraining.py --texts TEXTS.jsonl [--steps 60] [--batch-tokens 32768] [--device cuda] [--json]

Both train the encoder of models/vestnik-base on the same texts in pieces of at most 190 tokens, a fifth of the tokens hidden, in bf16
with f32 weights, AdamW, gradients clipped to norm 1, no dropout. PyTorch gets what serves it best: pieces of like length in one batch,
scaled-dot-product attention, fused AdamW, the vocabulary's product at hidden tokens alone, with and without `torch.compile`. Only
tokens of texts count, padding does not. The first third of the steps is left out. `--device cpu` tries the script without a GPU.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / "models/vestnik-base"
PIECE = 190
HIDDEN = 0.2
PAD, BEGIN, END, MASK = 0, 2, 3, 4


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        base = without_dropout(Path(folder) / "base")
        found = {"vestnik": vestnik(base, arguments)}
        found["torch"] = pytorch(base, arguments, compiled=False)
        found["torch compiled"] = pytorch(base, arguments, compiled=True)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, rate in found.items():
        print(f"{name:<16}{rate:10.0f} tokens/s")
    print(f"vestnik / best of PyTorch: {found['vestnik'] / max(found['torch'], found['torch compiled']):.2f}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, help="JSON lines with texts")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-tokens", type=int, default=32768)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def without_dropout(folder: Path) -> Path:
    """models/vestnik-base as both train it."""
    shutil.copytree(BASE, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def vestnik(base: Path, arguments: argparse.Namespace) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run.toml"
        run.write_text(
            f"""
steps = {arguments.steps}
piece_tokens = {PIECE}
dev_pieces = 0
checkpoint_every = 1000000
precision = "bf16"
[model]
base = "{base}"
[masking]
rate = {HIDDEN}
[batch]
max_tokens = {arguments.batch_tokens}
[[text]]
path = "{arguments.texts.resolve()}"
"""
        )
        command = [ROOT / "target/release/vestnik", "pretrain", run, "--device", arguments.device]
        subprocess.run([*command, "-o", Path(folder) / "out", "--progress", "none"], check=True)
        events = [json.loads(line) for line in (Path(folder) / "out/log.jsonl").open()]
    steps = [event for event in events if event["event"] == "step"]
    counted = steps[arguments.steps // 3 :]
    seconds = counted[-1]["time"] - steps[arguments.steps // 3 - 1]["time"]
    return sum(event["tokens"] for event in counted) / seconds


def pytorch(base: Path, arguments: argparse.Namespace, compiled: bool) -> float:
    import torch
    import transformers

    model = transformers.BertForMaskedLM.from_pretrained(base, attn_implementation="sdpa", dtype=torch.float32)
    model = model.to(arguments.device).train()
    forward = torch.compile(loss_of, dynamic=True) if compiled else loss_of
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    first, tokens = arguments.steps // 3, 0
    for step, (ids, places, labels) in enumerate(batches(arguments)):
        if step == first:
            wait(arguments)
            start = time.monotonic()
        on_device = [tensor.to(arguments.device, non_blocking=True) for tensor in (ids, places, labels)]
        with torch.autocast(arguments.device, dtype=torch.bfloat16):
            loss = forward(model, *on_device)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step >= first:
            tokens += int((ids != PAD).sum())
    wait(arguments)
    return tokens / (time.monotonic() - start)


def loss_of(model, ids, places, labels):
    import torch

    states = model.bert(input_ids=ids, attention_mask=ids != PAD).last_hidden_state
    logits = model.cls(states.flatten(0, 1)[places])
    return torch.nn.functional.cross_entropy(logits.float(), labels)


def wait(arguments: argparse.Namespace) -> None:
    import torch

    if arguments.device != "cpu":
        torch.cuda.synchronize()


def batches(arguments: argparse.Namespace):
    """Padded batches of pieces of like length in random order: ids, the hidden places, what stood there."""
    import tokenizers
    import torch

    tokenizer = tokenizers.Tokenizer.from_file(str(BASE / "tokenizer.json"))
    pieces = []
    for line in arguments.texts.open(encoding="utf-8"):
        ids = tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids
        pieces += [[BEGIN, *ids[at : at + PIECE], END] for at in range(0, len(ids), PIECE)]
    pieces.sort(key=len)
    packed = [[]]
    for piece in pieces:
        if (len(packed[-1]) + 1) * len(piece) > arguments.batch_tokens:
            packed.append([])
        packed[-1].append(piece)
    draw = random.Random(1)
    draw.shuffle(packed)
    torch.manual_seed(1)
    for step in range(arguments.steps):
        batch = packed[step % len(packed)]
        longest = -(-max(map(len, batch)) // 8) * 8
        ids = torch.tensor([piece + [PAD] * (longest - len(piece)) for piece in batch])
        hidden = (torch.rand(ids.shape) < HIDDEN) & (ids > MASK)
        places = hidden.flatten().nonzero().squeeze(1)
        labels = ids.flatten()[places]
        yield ids.masked_fill(hidden, MASK), places, labels


if __name__ == "__main__":
    sys.exit(main())
