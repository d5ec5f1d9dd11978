#!/usr/bin/env python3
"""Makes the tiny PyTorch files that the tests of `vestnik model convert` read.

    pip install torch==2.15.0 safetensors==0.8.0 numpy
    python scripts/make_pickles.py [FOLDER]     (default: crates/vestnik-model/tests/fixtures/torch)

    bert.bin        the tagger of ../bert, as a state dict; with `position_ids`
    views.bin       tensors of every number type, transposed, with offsets, shared, empty, scalar, as parameters
    views.json      their numbers: {name: [shape, [numbers]]}
    deflated.bin    views.bin with compressed entries
    zip64.bin       views.bin with the long form of sizes
    untyped.bin     a tensor over a storage without a type
    tied.bin        embeddings and a decoder that are the same numbers in memory
    shard-1.bin, shard-2.bin    two halves of views.bin
    legacy.bin      the format before PyTorch 1.6
    code.bin        asks to run `os.system("exit 7")` on loading; never load it with Python
    training.bin    a checkpoint of training: the state dict is one of its entries
    module.bin      a pickled module instead of its state dict
    negative.bin    a tensor whose numbers are to be negated on loading
    protocol.bin    written with protocol 4
    infinite.bin    a tensor with an infinite number
    big.bin         a tensor with a number that f16 cannot hold

Numbers come from ranges, so the files are the same everywhere.
"""

import io
import json
import os
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file

FIXTURES = Path(__file__).resolve().parent.parent / "crates/vestnik-model/tests/fixtures"


class Command:
    """What an attacker puts into a file of weights."""

    def __reduce__(self):
        return os.system, ("exit 7",)


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float32) * 0.25 - 1.5).reshape(shape).to(dtype)


def views() -> OrderedDict:
    table = numbers(6, 4)
    return OrderedDict(
        plain=numbers(2, 3),
        transposed=numbers(3, 2).t(),
        permuted=numbers(2, 3, 4).permute(2, 0, 1),
        offset=table[2:4],
        column=table[:, 1],
        every_other=table[::2, ::2],
        half=numbers(5, dtype=torch.float16),
        brain=numbers(5, dtype=torch.bfloat16),
        double=numbers(3, dtype=torch.float64),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 4),
        one_row=numbers(4).expand(1, -1),
        parameter=torch.nn.Parameter(numbers(2, 2)),
        frozen=torch.nn.Parameter(numbers(2), requires_grad=False),
        position_ids=torch.arange(7).expand(1, -1),
        steps=torch.tensor(3),
        mask=torch.tensor([True, False]),
        bytes=torch.tensor([1, 2], dtype=torch.uint8),
    )


def rezip(source: Path, target: Path, compression: int, zip64: bool) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression
            with new.open(entry, "w", force_zip64=zip64) as file:
                file.write(old.read(name))


def with_code(source: Path, target: Path) -> None:
    """Weights with a command among them: all entries of `source`, but another pickle."""
    pickle = b"\x80\x02cposix\nsystem\nX\x06\x00\x00\x00exit 7\x85R."
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), pickle if name.endswith("/data.pkl") else old.read(name))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES / "torch"
    folder.mkdir(parents=True, exist_ok=True)
    state = load_file(FIXTURES / "bert/model.safetensors")
    state["bert.embeddings.position_ids"] = torch.arange(40).expand(1, -1)
    torch.save(OrderedDict(state), folder / "bert.bin")

    tensors = views()
    torch.save(tensors, folder / "views.bin")
    answers = {name: [list(t.shape), t.detach().double().flatten().tolist()] for name, t in tensors.items()}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(answer)}" for name, answer in answers.items())
    (folder / "views.json").write_text("{\n" + lines + "\n}\n")
    rezip(folder / "views.bin", folder / "deflated.bin", zipfile.ZIP_DEFLATED, zip64=False)
    rezip(folder / "views.bin", folder / "zip64.bin", zipfile.ZIP_STORED, zip64=True)

    names = list(tensors)
    for number, half in enumerate((names[:9], names[9:]), start=1):
        torch.save(OrderedDict((name, tensors[name]) for name in half), folder / f"shard-{number}.bin")

    table = numbers(3, 2)
    tied = OrderedDict(embeddings=table, bias=numbers(3), decoder=table, transposed=table.t())
    torch.save(tied, folder / "tied.bin")
    torch.save({"w": numbers(2, 3)}, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    with_code(folder / "tied.bin", folder / "code.bin")
    torch.save({"epoch": 3, "state_dict": tied}, folder / "training.bin")
    torch.save(torch.nn.Linear(2, 2), folder / "module.bin")
    torch.save({"w": torch._neg_view(numbers(4))}, folder / "negative.bin")
    torch.save({"w": numbers(2)}, folder / "protocol.bin", pickle_protocol=4)
    torch.save({"w": torch.tensor([1.0, float("inf")])}, folder / "infinite.bin")
    torch.save({"w": torch.tensor([1.0, 1e6])}, folder / "big.bin")
    torch.save({"w": numbers(3, dtype=torch.float32), "u": torch.arange(3).to(torch.uint16)}, folder / "untyped.bin")

    for path in sorted(folder.iterdir()):
        print(f"{path.name}: {path.stat().st_size} bytes")
        assert path.stat().st_size <= 150_000, f"{path} is too large to be committed"


if __name__ == "__main__":
    main()
