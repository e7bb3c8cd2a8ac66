"""The deterministic weights and inputs of tests/data/oracles/compat, by the recipes of its README."""

from __future__ import annotations

import math

import numpy as np
import torch
from helpers.oracles import ORACLES

from gweebp.support import files

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Oracle:
    """One published network: `shapes` by key, `info` of the JSON, arrays of the npz, filled weights, the input."""

    def __init__(self, net: str, stored: str = ""):
        self.folder = ORACLES / "compat"
        self.info = files.read_json(self.folder / f"{net}.keys.json")
        self.shapes = {key: tuple(shape) for key, shape, _ in self.info["keys"]}
        self.dtypes = {key: dtype for key, _, dtype in self.info["keys"]}
        self.arrays = np.load(self.folder / f"{stored or net}.npz", allow_pickle=False)
        groups = self.info.get("alias_groups", [])
        self.first_name = {key: min(group) for group in groups for key in group}

    def expected(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])

    def weights(self, fill: str = "B") -> dict[str, torch.Tensor]:
        """float32 weights, and int64 counters, by key."""
        index = {key: i for i, key in enumerate(sorted(self.shapes))}
        filled = {key: self._tensor(key, fill, i) for key, i in index.items() if self.first_name.get(key, key) == key}
        return {key: filled[self.first_name.get(key, key)] for key in self.shapes}

    def _tensor(self, key: str, fill: str, i: int) -> torch.Tensor:
        shape = self.shapes[key]
        if key.endswith("num_batches_tracked"):
            return torch.tensor(1)
        s = (recipe_a if fill == "A" else recipe_b)(math.prod(shape), i).reshape(shape)
        if key.endswith(("weight_u", "weight_v")):
            s /= np.sqrt((s**2).sum())
        elif len(shape) >= 2:
            s *= (1 if fill == "A" else math.sqrt(3)) * math.sqrt(2 / math.prod(shape[1:]))
        elif key.endswith("running_var"):
            s = 1 + 0.5 * s
        elif key.endswith("running_mean"):
            s *= 0.1
        elif key in self.info["norm_layer_weights"]:
            s = 1 + 0.1 * s
        else:
            s *= 0.05
        return torch.from_numpy(s.astype(np.float32))


def recipe_a(n: int, i: int) -> np.ndarray:
    return np.sin(0.1 * np.arange(n) + i)


def recipe_b(n: int, i: int) -> np.ndarray:
    """Hash of the element's and the tensor's number, products modulo 2^32, as -1..1."""
    h = np.arange(1, n + 1, dtype=np.uint32)
    h *= np.uint32(2654435761)
    h += np.uint32((i + 1) * 2246822519 % 2**32)
    for shift, factor in ((16, 2246822507), (13, 3266489909), (16, 1)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    return h / 2**31 - 1


def wave(channels: int, size: int) -> torch.Tensor:
    """The image of the oracles, (1, channels, size, size), float64 in 0..1."""
    k = torch.arange(channels * size**2, dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.01 * k)).reshape(1, channels, size, size)


def normalised(x: torch.Tensor, mean, std) -> torch.Tensor:
    """(x - mean)/std by channel, rounded to float32 as the oracles' inputs were."""
    mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (mean, std))
    return ((x - mean) / std).float()
