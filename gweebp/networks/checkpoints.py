"""Published checkpoints of embedding networks, loaded into ours: recognised by their keys, renamed, and checked.

- `lightcnn9`, LightCNN-9 of AlfredXiangWu/LightCNN: `lcnn9`.
- `lcnn9_tri`, the same, trained by gweEBP's authors: `lcnn9`.
- `vgg_tri_2`, VGG16 with an embedding, trained by gweEBP's authors: `vgg16`.
- `vgg_face_dag`, VGG-Face: `vgg16` with two fully connected layers; its embedding is fc7 after its ReLU, 4096-d.
- `mobilefacenet`, foamliu/MobileFaceNet: `mobilefacenet`.
- `iresnet18`, `iresnet50`, ArcFace of insightface's arcface_torch: `iresnet18`, `iresnet50`.

The classifier that a network was trained with (fc2, fc8) is left out: a verification network is read before it. Each
network comes with the input normalisation that its weights expect, so that `networks.as_input` is all it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from gweebp.networks import weights
from gweebp.networks.embedding import EmbeddingNetwork
from gweebp.networks.frames import FRAMES, Frame
from gweebp.networks.iresnet import iresnet18, iresnet50
from gweebp.networks.light_cnn import lcnn9
from gweebp.networks.mobile_facenet import mobilefacenet
from gweebp.networks.vgg import vgg16

__all__ = ["KINDS", "load", "recognise"]

VGG_FACE_MEAN = (129.186279296875, 104.76238250732422, 93.59396362304688)  # of R, G, B in 0..255
FACE_INPUT = {"mean": tuple(m / 255 for m in VGG_FACE_MEAN), "std": 1 / 255}  # then (x - mean)/std = 255 x - MEAN


@dataclass(frozen=True)
class Published:
    """One kind of checkpoint.

    Attributes:
        sign: a module that no other kind has.
        build: makes our network of the published size, with `options`.
        modules: their module name -> ours, for those with another name.
        classifier: modules of the file that our network does not have.
        frame: where its authors' aligned faces have eyes and mouth; None: they don't say, or each picture was cut by
            a detector's box.
    """

    sign: str
    build: Callable[..., EmbeddingNetwork]
    modules: Mapping[str, str]
    classifier: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    frame: Frame | None = None


def _light(groups: Sequence[str], fc: str) -> dict[str, str]:
    """Modules of a LightCNN-9 file: `groups` hold conv1, then the pairs conv2a and conv2 to conv5a and conv5."""
    names = {f"{groups[0]}.filter": "features.conv1", f"{fc}.filter": "head.fc1"}
    for i, theirs in enumerate(groups[1:], start=2):
        names |= {f"{theirs}.conv_a.filter": f"features.conv{i}a", f"{theirs}.conv.filter": f"features.conv{i}"}
    return names


CONVOLUTIONS = [f"conv{block}_{i}" for block, n in enumerate((2, 2, 3, 3, 3), start=1) for i in range(1, n + 1)]
# where those of vgg_tri_2 stand in its two sequences, with ReLUs and pools between them
PLACES = [f"basenet_part1.{i}" for i in (0, 2, 5, 7, 10, 12, 14)] + [f"basenet_part2.{i}" for i in (1, 3, 5, 8, 10, 12)]

ARCFACE = {
    name: f"features.{name}" for name in ("conv1", "bn1", "prelu", "layer1", "layer2", "layer3", "layer4", "bn2")
} | {"fc": "head.fc", "features": "head.bn"}

KINDS: dict[str, Published] = {
    "lightcnn9": Published(
        "features.0.filter",
        lcnn9,
        _light(("features.0", "features.2", "features.4", "features.6", "features.7"), "fc1"),
        ("fc2",),
        frame=FRAMES["lightcnn"],
    ),
    "lcnn9_tri": Published(
        "features_part1.0.filter",
        lcnn9,
        _light(
            ("features_part1.0", "features_part1.2", "features_part1.4", "features_part2.1", "features_part2.2"), "fc"
        ),
        ("fc2",),
    ),
    "vgg_tri_2": Published(
        PLACES[0],
        vgg16,
        {place: f"features.{name}" for place, name in zip(PLACES, CONVOLUTIONS)} | {"fc": "head.fc"},
        ("fc2",),
        FACE_INPUT,
    ),
    "vgg_face_dag": Published(
        "conv1_1",
        vgg16,
        {name: f"features.{name}" for name in CONVOLUTIONS} | {"fc6": "head.fc6", "fc7": "head.fc7"},
        ("fc8",),
        FACE_INPUT | {"hidden": 4096, "embedding": 4096},
    ),
    "mobilefacenet": Published(
        "dw_conv.depthwise",
        mobilefacenet,
        {name: f"features.{name}" for name in ("conv1", "dw_conv", "conv2", "gdconv")}
        | {"conv3": "head.conv3", "bn": "head.bn"},
        frame=FRAMES["arcface"],
    ),
    "iresnet50": Published("layer3.13.prelu", iresnet50, ARCFACE, frame=FRAMES["arcface"]),
    "iresnet18": Published(
        "layer3.1.prelu", iresnet18, ARCFACE, frame=FRAMES["arcface"]
    ),  # after the deeper one, which has this module too
}  #: the checkpoints that `load` knows


def recognise(given: Mapping[str, Tensor]) -> str | None:
    """The kind of a checkpoint, by its keys.

    Args:
        given: key → tensor, as `weights.read` returns them.

    Returns:
        A key of `KINDS`; None for a checkpoint of another kind.

    >>> import torch
    >>> recognise({"basenet_part1.0.weight": torch.zeros(64, 3, 3, 3)})
    'vgg_tri_2'
    """
    for kind, published in KINDS.items():
        if any(key.startswith(f"{published.sign}.") for key in given):
            return kind
    return None


def load(path: str | Path, kind: str | None = None) -> EmbeddingNetwork:
    """Read a published checkpoint into our network of the same function.

    Args:
        path: the file as published: a state dict, bare or in `state_dict` or `model_state_dict`.
        kind: a key of `KINDS`; None recognises it by its keys.

    Returns:
        The network, in evaluation mode, on the CPU.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for an unknown kind; or for a key that is missing, unknown or of another shape, which it names.

    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "other.pth"
    >>> torch.save({"fc.weight": torch.ones(2)}, path)
    >>> load(path)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: other.pth holds weights but no network
    """
    given, _ = weights.read(path)
    return from_weights(given, path, kind)


def from_weights(given: Mapping[str, Tensor], path: str | Path, kind: str | None = None) -> EmbeddingNetwork:
    """The network of weights that were read from a published checkpoint.

    Args:
        given: key → tensor, as `weights.read` returns them.
        path: of the file, for errors.
        kind: a key of `KINDS`; None recognises it by its keys.

    Raises:
        ValueError: as `load`.
    """
    if kind is not None and kind not in list(KINDS):
        raise ValueError(f"kind={kind!r} is unknown; expected one of {', '.join(KINDS)}")
    kind = kind or recognise(given)
    if kind is None:
        known = ", ".join(KINDS)
        raise ValueError(
            f"{path} holds weights but no network: expected a file written by networks.save, or a published checkpoint "
            f"({known}); its first key is {next(iter(given), 'none')}"
        )
    published = KINDS[kind]
    # shapes are compared before memory is taken
    skeleton = weights.outline(lambda: published.build(**published.options)).state_dict()
    names = {ours: _theirs(ours, published.modules) for ours in skeleton}
    kept = {key: value for key, value in given.items() if key.rpartition(".")[0] not in published.classifier}
    expected = {theirs: skeleton[ours] for ours, theirs in names.items()}
    # a fully connected layer may be written as a 1x1 convolution
    flat = {key for key, tensor in expected.items() if tensor.dim() == 2}
    shaped = {
        key: value.flatten(1) if key in flat and value.dim() > 2 and value.shape[2:].numel() == 1 else value
        for key, value in kept.items()
    }
    weights.check(expected, shaped, path, kind)
    renamed = {ours: shaped[theirs] for ours, theirs in names.items()}
    net = weights.fitted(lambda: published.build(**published.options), renamed, path)
    net.frame = published.frame
    return net


def _theirs(ours: str, modules: Mapping[str, str]) -> str:
    """The published key of one of our keys."""
    for theirs, name in modules.items():
        if ours.startswith(f"{name}."):
            return theirs + ours.removeprefix(name)
    return ours
