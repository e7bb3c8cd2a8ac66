"""An embedding network as what other libraries evaluate: a score per triplet, or a similarity per face of a gallery."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gweebp.excitation.gain import distance_gain
from gweebp.excitation.tensors import unit
from gweebp.methods.maps import divided_by_sum
from gweebp.methods.sides import Side
from gweebp.networks.gallery import nearest_impostor
from gweebp.saliency import explain, find_method, in_place
from gweebp.support.positions import placed


class Gain(nn.Module):
    """forward(probe, mate, nonmate): by how much the probe is nearer to its mate, Eq. (5) without its hinge.

    Attributes:
        net: from images (b, c, h, w) to embeddings (b, d).

    Example:
        >>> gain = Gain(nn.Flatten())
        >>> gain(torch.tensor([[[[1., 0.]]]]), torch.tensor([[1., 0.]]), torch.tensor([[0., 1.]]))
        tensor([1.4142])
    """

    def __init__(self, net: nn.Module) -> None:
        """Of a network."""
        super().__init__()
        self.net = net

    def forward(self, probe: Tensor, mate: Tensor, nonmate: Tensor) -> Tensor:
        """Gains.

        Args:
            probe: images (b, c, h, w).
            mate, nonmate: images, or embeddings (b or 1, d).

        Returns:
            (b,), in [−2, 2].
        """
        m, n = (x if x.ndim == 2 else self.net(x) for x in (mate, nonmate))
        return distance_gain(self.net(probe), m, n)


class Verifier(nn.Module):
    """forward(images): cosines to the faces of a gallery, as a classifier gives a score per class.

    Attributes:
        net: from images (b, c, h, w) to embeddings (b, d).
        gallery: unit embeddings (g, d), a buffer.

    Example:
        >>> Verifier(nn.Flatten(), torch.eye(2))(torch.tensor([[[[3., 4.]]]]))
        tensor([[0.6000, 0.8000]])
    """

    gallery: Tensor

    def __init__(self, net: nn.Module, gallery: Tensor) -> None:
        """Of a network and embeddings (g, d) of a gallery, normalised here; g is 2 at least.

        Raises:
            ValueError: for a gallery of fewer than two faces.
        """
        super().__init__()
        if gallery.ndim != 2 or len(gallery) < 2:
            raise ValueError(
                f"gallery has shape {tuple(gallery.shape)}; expected embeddings (g, d) of two faces at least"
            )
        self.net = net
        self.register_buffer("gallery", unit(gallery.detach()))

    def forward(self, images: Tensor) -> Tensor:
        """Cosines (b, g) of images (b, c, h, w)."""
        return unit(self.net(images)) @ self.gallery.T

    def people(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of mate and non-mate: the target's row of the gallery, and the nearest other one.

        Args:
            images: (b, c, h, w).
            targets: int64 (b,), rows of the gallery.

        Returns:
            Two (b, d).

        Raises:
            ValueError: for a target that is not a row of the gallery.
        """
        rows = len(self.gallery)
        if wrong := targets[(targets < 0) | (targets >= rows)].tolist():
            raise ValueError(f"targets name rows {wrong}; expected rows 0 to {rows - 1} of the gallery")
        own = torch.arange(rows, device=targets.device) == targets[:, None]
        with torch.no_grad():
            index, _ = nearest_impostor(self.net(images), self.gallery, own=own)
        return self.gallery[targets], self.gallery[index]


def maps_at_image(
    net: nn.Module, probe: Tensor, mate: Tensor, nonmate: Tensor, *, signed: bool, **options: Any
) -> Tensor:
    """Maps (b, height, width) at the probe's resolution, by a gain without a hinge; each side sums to 1.

    Args:
        net, probe, mate, nonmate: as of `explain`.
        signed: the map towards the mate less that towards the non-mate; False: the first alone.
        options: of `explain`, `method` and `layer` among them.

    Returns:
        Of both signs where `signed`, else non-negative.
    """
    method = options.get("method", "gweebp")
    where = {key: options[key] for key in ("method", "layer", "axes") if key in options}
    plain = Side(hinge=False).options(find_method(method), {k: v for k, v in options.items() if k not in where})
    size = (int(probe.shape[2]), int(probe.shape[3]))
    found = []
    for towards in ("mate", "nonmate") if signed else ("mate",):
        maps = explain(net, probe, mate, nonmate, towards=towards, **where, **plain)
        found.append(divided_by_sum(placed(in_place(maps, net, probe, **where), size, None).clamp(min=0)))
    return found[0] - found[1] if signed else found[0]
