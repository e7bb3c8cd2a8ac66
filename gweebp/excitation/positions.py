"""Where the cells of a layer look: the centre in the image of what each cell of a map is computed from.

A convolution of kernel k, stride s and padding p reads, for its cell i, the cells s·i − p to s·i − p + d(k − 1) below,
centred on s·i + d(k − 1)/2 − p. So the centres of a layer stand on a straight line along each axis, pixel = offset +
step·i, and each operation maps offset and step. `positions` follows them through one forward pass: convolutions,
poolings, padding, slices, up-sampling and pixel shuffles move them, what works entry by entry or channel by channel
keeps them, and where branches meet the sharper one counts, the one that reads the smaller window.

The usual way to draw a map, stretched over the image, is right where centres stand at (step − 1)/2 + step·i, as behind
2×2 pooling. Behind a 3×3 convolution of stride 2 and padding 1 they stand at step·i, half a cell further left and up.

Assumes: operations that this module does not know (attention, reshapes to tokens and back) leave their output on the
usual grid. `Positions.known` says whether all operations below the layer were known.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.excitation.centres import Axis, Positions, usual
from gweebp.excitation.follow import Follow
from gweebp.excitation.guard import lent
from gweebp.excitation.layers import INPUT, forward_of, own_tensor
from gweebp.excitation.layouts import layout_of, only_tensor

__all__ = ["Axis", "Positions", "placed", "positions"]


def placed(maps: Tensor, where: Positions, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Maps at the image's size, each cell at the pixel where it looks; beyond the outermost centres the border's value.

    Args:
        maps: (b, h, w). where: of the layer that the maps are of. size: (height, width) of the image, in pixels.
        mode: "nearest", "bilinear" or "bicubic".

    Returns:
        (b, *size).

    Example:
        >>> cells = torch.tensor([[[1.0, 0.0, 0.0]]])
        >>> placed(cells, Positions(Axis(0, 1), Axis(0, 2)), (1, 6)).tolist()
        [[[1.0, 0.5, 0.0, 0.0, 0.0, 0.0]]]
    """
    grids = []
    for axis, n, pixels in zip((where.rows, where.columns), maps.shape[1:], size):
        cell = (torch.arange(pixels, dtype=torch.float64) - axis.offset) / axis.step
        grids.append((2 * cell / (n - 1) - 1 if n > 1 else 0 * cell).to(maps))
    at = torch.stack(torch.meshgrid(grids[1], grids[0], indexing="xy"), -1).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps[:, None], at, mode=mode, padding_mode="border", align_corners=True)[:, 0]


def positions(net: nn.Module, image: Tensor, layer: str) -> Positions:
    """Where the cells of a layer's map look.

    Args:
        net: the network; it is left unchanged. image: (b, c, h, w), as the network takes it; only its size matters.
        layer: dotted name of a submodule whose output holds a map, or "input".

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(32, 3))
        >>> positions(net, torch.zeros(1, 1, 8, 8), "0").columns
        Axis(offset=0.0, step=2.0, spread=0.6666666666666666)
    """
    if layer == INPUT:
        return Positions(Axis(0.0, 1.0), Axis(0.0, 1.0))
    images, found = own_tensor(image[:1]), list[Positions | None]()
    follow = Follow(images)

    def note(module: nn.Module, args: Any, output: Any) -> None:
        tensor = only_tensor(output)
        if not found and tensor is not None and tensor.ndim > 2:
            found.append(follow.seen[id(tensor)].positions if id(tensor) in follow.seen else None)

    def forward() -> None:
        with torch.inference_mode(False), torch.no_grad(), follow:
            net(images)

    with forward_of("image", images):
        lent(net, forward, {net.get_submodule(layer): note})
    if not found:
        raise ValueError(f"layer {layer!r} has no map (b, c, h, w), so it has no positions")
    if found[0] is None:  # an operation tore the map: its cells share the image evenly
        rows, columns = (usual(n, pixels) for n, pixels in zip(layout_of(net, images, layer).cells, follow.size))
        return Positions(rows, columns, known=False)
    return found[0]
