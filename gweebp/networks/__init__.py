"""Embedding networks: build by name, save and load, and make the input they read from images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gweebp import files
from gweebp.networks.embedding import EmbeddingNetwork, as_input
from gweebp.networks.light_cnn import lcnn9
from gweebp.networks.vgg import vgg16

__all__ = ["NETWORKS", "EmbeddingNetwork", "as_input", "build", "lcnn9", "load", "save", "vgg16"]

NETWORKS: dict[str, Callable[..., EmbeddingNetwork]] = {"vgg16": vgg16, "lcnn9": lcnn9}


def build(network: str, *, seed: int | None = None, **options: Any) -> EmbeddingNetwork:
    """Make a network by name, with random weights.

    Args:
        network: a key of `NETWORKS`.
        seed: of the weights; the global generator is left as it was. None: draw from the global generator.
        options: of the network's function (`width`, `size`, ...).

    Raises:
        ValueError: unknown network. TypeError: unknown option.

    >>> build("lcnn9", seed=0, width=0.125, size=64).size
    64
    >>> build("resnet")
    Traceback (most recent call last):
    ValueError: unknown network 'resnet'; known: lcnn9, vgg16
    """
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(sorted(NETWORKS))}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return NETWORKS[network](**options)


def save(net: EmbeddingNetwork, path: str | Path, record: dict[str, Any] | None = None) -> None:
    """Write weights and architecture to one safetensors file, atomically; `record` rides along as metadata.

    Raises ValueError, and writes nothing, when a weight is NaN or infinite.
    """
    _check_finite(net.state_dict(), path)
    files.write_tensors(path, net.state_dict(), {"config": net.config, "record": record or {}})


def load(path: str | Path) -> EmbeddingNetwork:
    """Read a network that `save` wrote, in eval mode, on the CPU.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is corrupt, has no architecture in it, or weights that do not fit it or are NaN.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> save(build("lcnn9", width=0.125, size=64), path)
    >>> load(path).config["size"]
    64
    """
    weights, metadata = files.read_tensors(path)
    config = metadata.get("config")
    if not isinstance(config, dict) or "network" not in config:
        raise ValueError(f"{path} holds weights but no network; expected a file written by networks.save")
    _check_finite(weights, path)
    # JSON has no tuples
    options: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
    try:
        net = build(**options)
        net.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the weights in {path} do not fit the network it names, {config}: {error}") from error
    return net.eval()


def _check_finite(weights: dict[str, torch.Tensor], path: str | Path) -> None:
    bad = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    if bad:
        raise ValueError(f"NaN or infinite weights in {', '.join(bad)} ({path}): training diverged, or the file is bad")
