"""Sketches into photos and photos into sketches: CycleGAN's two generators as one module, made, saved and loaded.

Zhu, Park, Isola and Efros, "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV
2017. The paper needs it for drawings (Sec. 4.4.2): a face parser and an inpainting network, which know photos, see the
photo that a sketch is turned into; an inpainted photo becomes the fake sketch from which a part is cut.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.faces.preparation.resnet_generator import ResnetGenerator
from gweebp.networks import weights
from gweebp.networks.embedding import check_side

__all__ = ["Translator", "build", "load", "published", "translate"]

_STEP = 4  # the generator halves twice


class Translator(nn.Module):
    """Two generators, and the size of the images that they learned from.

    Args:
        width: of every layer, times the published one's.
        blocks: residual blocks of each generator.
        size: side of the square that the generators see; images of other sizes are resized to it and back.

    >>> net = build(width=0.125, blocks=1, size=32, seed=0)
    >>> sketches = torch.zeros(2, 3, 40, 40, dtype=torch.uint8)
    >>> net.photos(sketches).shape, net.sketches(sketches).dtype
    (torch.Size([2, 3, 40, 40]), torch.uint8)
    """

    def __init__(self, width: float = 1.0, blocks: int = 9, size: int = 256) -> None:
        super().__init__()
        check_side(size, _STEP)
        self.config = {"width": width, "blocks": blocks, "size": size}
        self.size = size
        self.to_photo = ResnetGenerator(width, blocks)
        self.to_sketch = ResnetGenerator(width, blocks)

    def photos(self, sketches: Tensor, batch: int = 8) -> Tensor:
        """The photos that sketches, uint8 (n, 3, h, w), are turned into."""
        return translate(self.to_photo, sketches, size=self.size, batch=batch)

    def sketches(self, photos: Tensor, batch: int = 8) -> Tensor:
        """The sketches that photos, uint8 (n, 3, h, w), are turned into."""
        return translate(self.to_sketch, photos, size=self.size, batch=batch)


@torch.no_grad()
def translate(net: nn.Module, images: Tensor, *, size: int | None = None, batch: int = 8) -> Tensor:
    """Turn images into those of the other kind.

    Args:
        net: a generator, (b, 3, h, w) in -1..1 to the same.
        images: uint8 (n, 3, h, w).
        size: side of the square that the network sees; None: the images' own size, to the nearest multiple of 4.
        batch: images at a time; the result does not depend on it.

    Returns:
        uint8 (n, 3, h, w), on the CPU. The network runs in eval mode, and its training flag is put back.

    Raises:
        TypeError: images are not uint8. ValueError: not (n, 3, h, w), or a size that is no multiple of 4.

    >>> translate(nn.Identity(), torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4)).flatten()[:4]
    tensor([0, 1, 2, 3], dtype=torch.uint8)
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8 in 0..255, got {images.dtype}")
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (n, 3, h, w), got {tuple(images.shape)}")
    if size is not None and size % _STEP:
        raise ValueError(f"size must be a multiple of {_STEP}, got {size}")
    like = next(net.parameters(), torch.zeros(()))
    own = (images.shape[2], images.shape[3])
    seen = (size, size) if size else tuple(max(_STEP, _STEP * round(side / _STEP)) for side in own)
    training, rows = net.training, [images.new_zeros(0, 3, *own)]
    net.eval()
    for part in images.split(batch) if len(images) else ():
        x = _resized(part.to(like.device, like.dtype) / 127.5 - 1, seen)
        y = _resized(net(x), own)
        rows.append((127.5 * (y + 1)).round().clamp(0, 255).to(torch.uint8).cpu())
    net.train(training)
    return torch.cat(rows)


def _resized(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="bilinear", antialias=True)


def build(width: float = 1.0, blocks: int = 9, size: int = 256, *, seed: int = 0) -> Translator:
    """An untrained translator: weights N(0, 0.02²), as published. The global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Translator(width, blocks, size)
        normal(net)
    return net


def normal(net: nn.Module) -> None:
    """Draw every convolution's weight from N(0, 0.02²), biases 0, in place."""
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 0.02) if parameter.dim() > 1 else nn.init.zeros_(parameter)


def load(path: str | Path) -> Translator:
    """Read a translator that `weights.save` wrote. Raises FileNotFoundError, or ValueError for any other file."""
    return weights.load(Translator, path)


def published(path: str | Path) -> ResnetGenerator:
    """One published generator, such as latest_net_G_A.pth, for `translate`: which way it goes, its training decided.

    It is as wide as the file says, in eval mode. Raises FileNotFoundError or ValueError.
    """
    tensors, _ = weights.read(path)
    first = tensors.get("model.1.weight")
    if first is None or first.dim() != 4:
        raise ValueError(
            f"{path} holds no generator of CycleGAN: it has no convolution model.1.weight; it has {sorted(tensors)[:3]}"
        )
    blocks = len({key.split(".")[1] for key in tensors if ".conv_block." in key})
    return weights.fitted(lambda: ResnetGenerator(len(first) / 64, blocks), tensors, path, "a generator of CycleGAN")
