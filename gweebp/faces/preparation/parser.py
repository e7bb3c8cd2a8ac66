"""The face parser: a network that labels every pixel of a face with one of the six parts (gweEBP paper, Sec. 4.4.1).

The network is BiSeNet. Two sorts of it are known by their number of classes:

- 19: the published one, trained on CelebAMask-HQ at 512 pixels. Its classes become parts by `PARTS_OF`; ears, neck,
  clothes, jewellery and hats belong to no part.
- 7: ours (`parser_training.fit`): the six parts in the order of PARTS, and none.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.faces.preparation.bisenet import CLASSES, BiSeNet
from gweebp.faces.preparation.parse import NONE
from gweebp.faces.quadruplets import PARTS
from gweebp.networks import weights
from gweebp.networks.embedding import check_side

__all__ = ["PARTS_OF", "Parser", "normalised"]

#: part -> classes of the published network
PARTS_OF = {
    "hair": ("hair",),
    "eyebrows": ("l_brow", "r_brow"),
    "eyes": ("l_eye", "r_eye", "eye_g"),  # with glasses, where there are any
    "nose": ("nose",),
    "mouth": ("mouth", "u_lip", "l_lip"),
    "skin": ("skin",),
}
PUBLISHED_SIZE = 512
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the published network expects


class Parser:
    """A network and what it takes to use it.

    Args:
        net: BiSeNet with 19 or 7 classes; it is set to eval mode.
        size: height and width to which images are brought for it: 512 for the published network, for ours what it
            was trained with.

    Raises:
        ValueError: another number of classes.

    >>> images = torch.randint(256, (2, 3, 40, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
    >>> Parser(BiSeNet(classes=7, width=0.125), size=64).labels(images).shape
    torch.Size([2, 40, 32])
    """

    def __init__(self, net: BiSeNet, size: int = PUBLISHED_SIZE) -> None:
        classes = net.config["classes"]
        if classes not in (len(CLASSES), len(PARTS) + 1):
            raise ValueError(f"a parser has {len(CLASSES)} or {len(PARTS) + 1} classes, this network {classes}")
        check_side(size)
        self.net, self.size = net.eval(), size
        part_of = {name: code for code, part in enumerate(PARTS) for name in PARTS_OF[part]}
        names = [part_of.get(name, NONE) for name in CLASSES]
        self.table = torch.tensor(names if classes == len(CLASSES) else [*range(len(PARTS)), NONE], dtype=torch.uint8)

    @classmethod
    def load(cls, path: str | Path) -> Parser:
        """Read the published checkpoint, or a file of `save`, on the CPU.

        Raises FileNotFoundError, or ValueError for a file that can't be read safely or holds another network.
        """
        tensors, metadata = weights.read(path)
        net = weights.fitted(lambda: BiSeNet(**weights.config_of(metadata, path)), tensors, path, "BiSeNet")
        record = metadata.get("record")
        try:
            return cls(net, record["size"] if isinstance(record, dict) and "size" in record else PUBLISHED_SIZE)
        except ValueError as error:
            raise ValueError(f"{path} holds no face parser: {error}") from error

    def save(self, path: str | Path, record: dict[str, object] | None = None) -> None:
        """Write network and size to one safetensors file, atomically; `record` rides along."""
        weights.save(self.net, path, {**(record or {}), "size": self.size})

    @torch.no_grad()
    def labels(self, images: Tensor, batch: int = 8) -> Tensor:
        """Label maps.

        Args:
            images: uint8 (n, 3, h, w), faces upright and about filling the image.
            batch: images at a time; the result does not depend on it.

        Returns:
            uint8 (n, h, w): 0..5 in the order of PARTS, or NONE.
        """
        like = next(self.net.parameters())
        found = [torch.zeros(0, *images.shape[2:], dtype=torch.uint8)]
        for part in images.split(batch):
            logits = self.net(normalised(part.to(like.device), self.size))
            # bilinear to the image, then the winner: labels can't be averaged
            winner = F.interpolate(logits, size=images.shape[2:], mode="bilinear").argmax(1).cpu()
            found.append(self.table[winner])
        return torch.cat(found)


def normalised(images: Tensor, size: int) -> Tensor:
    """What BiSeNet reads, float (n, 3, size, size), of images uint8 (n, 3, h, w).

    >>> normalised(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 16).shape
    torch.Size([1, 3, 16, 16])
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 (n, 3, h, w), got {images.dtype} {tuple(images.shape)}")
    x = images.float() / 255
    if x.shape[2:] != (size, size):
        x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (_MEAN, _STD))
    return (x - mean) / std
