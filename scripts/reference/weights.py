"""Random weights that are the same everywhere: numpy's frozen legacy generator, one stream per tensor name."""

import zlib

import numpy
import torch

SPREAD = 0.3  # far above the usual 0.02: attention and activations leave their linear range


def randomise(model: torch.nn.Module, seed: int, spread: float = SPREAD) -> None:
    """Gives every tensor random values; tied tensors are visited once and stay tied."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # One stream per name: a tensor that transformers adds one day does not change the others.
            generator = numpy.random.RandomState((seed + zlib.crc32(name.encode())) % 2**32)
            values = generator.standard_normal(tuple(parameter.shape)) * spread
            if name.endswith(("LayerNorm.weight", "norm.weight")):
                values += 1.0
            parameter.copy_(torch.from_numpy(values.astype(numpy.float32)))
