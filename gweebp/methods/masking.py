"""Embeddings of an image under many masks: all that the black-box methods read of a network.

    x = fill + mask · (image − fill)        mask in [0, 1]: 1 keeps a pixel, 0 puts `fill` in its place

Masks come in chunks, and every chunk is used before the next is made, so memory does not grow with their number. A
forward pass takes one chunk of masks of one image: a batch of images gives what single calls give, at the same cost,
and each chunk of masks is made once for all images. An image that stands in a batch several times (one probe beside
many non-mates) passes once; within `shared_passes` it passes once in all calls, of any method.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from gweebp.excitation.layers import embeddings_of
from gweebp.excitation.tensors import unit
from gweebp.support.ranges import whole


def fill_value(net: nn.Module, images: Tensor, fill: float | str, name: str = "fill") -> Tensor:
    """What stands in place of a masked pixel, in the network's own input range.

    Args:
        net: the network, whose `mean` and `std` say what black is, if it has them.
        images: (b, c, h, w).
        fill: a number; or "black", which is (0 − net.mean) / net.std, or 0 for a network without these two.
        name: of the option, for errors.

    Returns:
        (1, 1 or c, 1, 1).

    Raises:
        ValueError: for another text, a number that the images' type cannot hold, or a mean that does not fit the
            images.

    Example:
        >>> net = nn.Flatten()
        >>> net.mean, net.std = 0.5, 0.25
        >>> fill_value(net, torch.rand(1, 3, 4, 4), "black").flatten()
        tensor([-2.])
    """
    if fill != "black":
        if isinstance(fill, str):
            raise ValueError(f"{name}={fill!r}: expected a number in the network's input range, or 'black'")
        if not abs(fill) <= torch.finfo(images.dtype).max:
            raise ValueError(f"{name}={fill!r}: expected a number that {images.dtype} can hold")
        return images.new_full((1, 1, 1, 1), float(fill))
    if not (hasattr(net, "mean") and hasattr(net, "std")):
        return images.new_zeros(1, 1, 1, 1)
    mean, std = (torch.as_tensor(v, dtype=images.dtype, device=images.device) for v in (net.mean, net.std))
    black = (-mean / std).reshape(1, -1, 1, 1)
    if black.shape[1] not in (1, images.shape[1]):
        raise ValueError(f"net.mean and net.std give {black.shape[1]} channels and the images have {images.shape[1]}")
    return black


def distinct(images: Tensor) -> tuple[list[int], list[int]]:
    """Which images of a batch are the same, bit by bit: a probe often stands there once for each non-mate.

    Args:
        images: (b, ...).

    Returns:
        Indices of the first of each kind; and for each image, which of these it is.

    Example:
        >>> distinct(torch.tensor([[1., 2.], [2., 1.], [1., 2.]]))
        ([0, 1], [0, 1, 0])
    """
    if len(images) == 1:  # nothing to compare, nothing to wait for
        return [0], [0]
    digests = [_digest(image) for image in images]
    kinds = list(dict.fromkeys(digests))  # in the order in which they come
    return [digests.index(kind) for kind in kinds], [kinds.index(digest) for digest in digests]


class Masked:
    """Images of which a network sees only what masks keep. The images that are the same pass it once.

    Args:
        net: the network.
        images: (b, c, h, w).
        fill: as `fill_value` gives it.

    Example:
        >>> image, masks = torch.ones(1, 1, 1, 2), torch.tensor([[[1., 1.]], [[1., 0.]]])
        >>> Masked(nn.Flatten(), image, torch.zeros(1, 1, 1, 1))(masks)[0]
        tensor([[0.7071, 0.7071],
                [1.0000, 0.0000]], dtype=torch.float64)
    """

    def __init__(self, net: nn.Module, images: Tensor, fill: Tensor) -> None:
        self._net, self._images, self._fill = net, images, fill
        self._first, self._index = distinct(images)

    def __call__(self, masks: Tensor) -> Tensor:
        """Unit embeddings under each mask, see `masked_embeddings`."""
        found = [self._passed(self._images[i], masks) for i in self._first]
        return torch.stack([found[k] for k in self._index])

    def _passed(self, image: Tensor, masks: Tensor) -> Tensor:
        weights, known = masks.to(image)[:, None], _known.get()

        def passed() -> Tensor:
            masked = torch.lerp(self._fill, image, weights)
            return unit(embeddings_of(self._net, masked, "masked images").double())

        if known is None:
            return passed()
        key = _state(self._net), *map(_digest, (image, weights, self._fill))
        if key not in known:
            known[key] = self._net, passed()  # the network is held, so that no other one gets its id
        return known[key][1]


_known: ContextVar[dict[tuple[object, ...], tuple[nn.Module, Tensor]] | None] = ContextVar("known", default=None)


@contextmanager
def shared_passes() -> Iterator[None]:
    """Within this block, a network embeds the same image under the same masks once: later calls read what is kept.

    So the maps of one probe beside many non-mates, in as many calls, or by several options (plain and controlled
    CorrRISE, XFace by more sizes of squares) cost the passes of one, and are those of separate calls to the bit.
    Shared are chunks of the same masks: let `batch` and `seed` be the same. The block holds 8 · d bytes for each
    masked image (5000 masks, d = 512: 20 MB), until it ends. A network whose weights, mode, type or device change
    in between passes again.

    Example:
        >>> net, passes = nn.Flatten(), []
        >>> _ = net.register_forward_hook(lambda net, images, _: passes.append(len(images[0])))
        >>> images, masks = torch.ones(1, 1, 1, 2), torch.tensor([[[1., 1.]], [[1., 0.]]])
        >>> with shared_passes():
        ...     for _ in range(3):
        ...         found = masked_embeddings(net, images, masks, torch.zeros(1, 1, 1, 1))
        >>> passes
        [2]
    """
    token = _known.set({} if _known.get() is None else _known.get())
    try:
        yield
    finally:
        _known.reset(token)


def _digest(x: Tensor) -> bytes:
    """Which values a tensor holds, of which type and shape, where."""
    bits = x.detach().contiguous().flatten().view(torch.uint8).cpu().numpy()
    return hashlib.blake2b(f"{x.dtype} {tuple(x.shape)} {x.device}".encode() + bits.tobytes()).digest()


def _state(net: nn.Module) -> tuple[object, ...]:
    """Which network, and that its weights are still those: each change in place raises a tensor's version."""
    weights = [*net.parameters(), *net.buffers()]
    modes = tuple(module.training for module in net.modules())
    return id(net), modes, *((x.data_ptr(), x.dtype, 0 if x.is_inference() else x._version) for x in weights)


def masked_embeddings(net: nn.Module, images: Tensor, masks: Tensor, fill: Tensor) -> Tensor:
    """Unit embeddings of each image under each mask.

    Args:
        net: the network.
        images: (b, c, h, w).
        masks: (k, h, w), in [0, 1]; 1 keeps a pixel.
        fill: as `fill_value` gives it.

    Returns:
        (b, k, d), float64, each of L2 length 1; one forward pass of k images for each image that differs from those
        before it.

    Example:
        >>> net = nn.Flatten()
        >>> image, masks = torch.ones(1, 1, 1, 2), torch.tensor([[[1., 1.]], [[1., 0.]]])
        >>> masked_embeddings(net, image, masks, torch.zeros(1, 1, 1, 1))[0]
        tensor([[0.7071, 0.7071],
                [1.0000, 0.0000]], dtype=torch.float64)
    """
    return Masked(net, images, fill)(masks)


def check_positive(**options: object) -> None:
    """Check that options are integers above 0.

    Args:
        options: name → value.

    Raises:
        ValueError: for the first that is not; it names the option.

    Example:
        >>> check_positive(batch=64)
    """
    for name, value in options.items():
        if value not in whole(1):
            raise ValueError(f"{name}={value!r}: expected an integer above 0")
