"""Embedding networks: build by name, save and load, and make the input that they read from images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gweebp.networks import checkpoints, weights
from gweebp.networks.embedding import EmbeddingNetwork, as_input
from gweebp.networks.frames import FRAMES, Frame
from gweebp.networks.iresnet import iresnet18, iresnet18se, iresnet50
from gweebp.networks.light_cnn import lcnn9
from gweebp.networks.mobile_facenet import mobilefacenet
from gweebp.networks.vgg import vgg16
from gweebp.networks.vision_transformer import vit

__all__ = [
    "FRAMES",
    "NETWORKS",
    "EmbeddingNetwork",
    "Frame",
    "as_input",
    "build",
    "iresnet18",
    "iresnet18se",
    "iresnet50",
    "lcnn9",
    "load",
    "mobilefacenet",
    "save",
    "vgg16",
    "vit",
]

NETWORKS: dict[str, Callable[..., EmbeddingNetwork]] = {
    "vgg16": vgg16,
    "lcnn9": lcnn9,
    "mobilefacenet": mobilefacenet,
    "iresnet18": iresnet18,
    "iresnet18se": iresnet18se,
    "iresnet50": iresnet50,
    "vit": vit,
}


def build(network: str, *, seed: int | None = None, **options: Any) -> EmbeddingNetwork:
    """Make a network by name, with random weights.

    Args:
        network: a key of `NETWORKS`.
        seed: of the weights; the global generator is left as it was. None: draw from the global generator.
        options: of the network's function (`width`, `size`, ...).

    Raises:
        ValueError: for an unknown network, or an option out of its range.
        TypeError: for an unknown option.

    >>> build("lcnn9", seed=0, width=0.125, size=64).size
    64
    >>> build("resnet")
    Traceback (most recent call last):
    ValueError: unknown network 'resnet'; known: iresnet18, iresnet18se, iresnet50, lcnn9, mobilefacenet, vgg16, vit
    """
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(sorted(NETWORKS))}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return NETWORKS[network](**options)


def save(net: EmbeddingNetwork, path: str | Path, record: dict[str, Any] | None = None) -> None:
    """Write weights and architecture to one safetensors file, atomically.

    The frame of the faces that it learned on, `net.frame`, goes into the record.

    Args:
        net: a network of this package.
        path: the file to write.
        record: how the weights were made, names and values that JSON can hold; it is kept in the file's metadata.

    Raises:
        ValueError: for a weight that is NaN or infinite; nothing is written.
        OSError: where the file cannot be written; an old one stays.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> save(build("lcnn9", width=0.125, size=64), path, {"seed": 3})
    >>> load(path).size
    64
    """
    frame = getattr(net, "frame", None)  # a plugin's network need not have one
    weights.save(net, path, (record or {}) | ({} if frame is None else {"frame": frame.record()}))


def load(path: str | Path) -> EmbeddingNetwork:
    """Read a network that `save` wrote, or a published checkpoint (`checkpoints`).

    Args:
        path: of the file.

    Returns:
        The network, in evaluation mode, on the CPU.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a corrupt file, an unknown network, or weights that do not fit it or are NaN.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> save(build("lcnn9", width=0.125, size=64), path)
    >>> load(path).config["size"]
    64
    """
    given, metadata = weights.read(path)
    config = metadata.get("config")
    if not isinstance(config, dict) or "network" not in config:
        return checkpoints.from_weights(given, path)
    try:
        net = weights.fitted(lambda: build(**weights.config_of(metadata, path)), given, path)
    except ValueError as error:
        raise ValueError(f"the weights do not fit the network that their file names: {error}") from error
    record = metadata.get("record")
    if isinstance(record, dict) and record.get("frame") is not None:
        try:
            net.frame = Frame.of(record["frame"])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return net
