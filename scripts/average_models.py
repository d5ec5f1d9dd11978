#!/usr/bin/env python3
"""The mean of models of one shape, weight by weight: often better on everything than each of them (Wortsman et al. 2022).

    pip install numpy safetensors
    python3 scripts/average_models.py RUN_A/model RUN_B/model:2 -o AVERAGE

Each directory holds a `model.safetensors`; a number behind a colon is its share (1). The sums are made in 64 bits and written in
16 (`--dtype float32` for 32). All other files are those of the first directory; calibration (`vestnik.json`) does not
carry over to other weights: calibrate again with `vestnik evaluate --calibrate`.
"""

import argparse
import pathlib
import shutil

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file


def directory_and_share(text):
    path, _, share = text.rpartition(":")
    return (pathlib.Path(path), float(share)) if path else (pathlib.Path(share), 1.0)


def tensors(path):
    with safe_open(path / "model.safetensors", "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=directory_and_share, metavar="DIR[:SHARE]")
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16")
    arguments = parser.parse_args()
    total = sum(share for _, share in arguments.models)
    sums, metadata = {}, None
    for path, share in arguments.models:
        weights, own_metadata = tensors(path)
        metadata = metadata or own_metadata
        if sums and {name: x.shape for name, x in weights.items()} != {name: x.shape for name, x in sums.items()}:
            parser.error(f"{path}: its tensors are not those of {arguments.models[0][0]}")
        for name, tensor in weights.items():
            sums[name] = sums.get(name, 0) + share / total * tensor.astype(numpy.float64)
    arguments.output.mkdir(parents=True)
    for file in arguments.models[0][0].iterdir():
        if file.is_file() and file.name != "model.safetensors":
            shutil.copy(file, arguments.output)
    means = {name: tensor.astype(arguments.dtype) for name, tensor in sums.items()}
    save_file(means, arguments.output / "model.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
