"""`explain` with the habits of captum (Kokhlikyan et al. 2020): a forward function, and `attribute(inputs, ...)`.

Mate and non-mate are captum's additional_forward_args, so that its NoiseTunnel and its metrics repeat them as they
repeat the images; `Gain(net)` is the forward function, for this and for captum's own methods.

    attribution = Attribution(net, layer="layer3")
    maps = attribution.attribute(probe, additional_forward_args=(mate, nonmate))
    same_question = captum.attr.IntegratedGradients(Gain(net)).attribute(probe, additional_forward_args=(mate, nonmate))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from torch import Tensor, nn

from gweebp.networks.adapters.triplets import Gain, maps_at_image

__all__ = ["Attribution", "Gain"]

F = TypeVar("F", bound=Callable[..., Any])


def _as_logged(f: F) -> F:
    """A function that wraps another: captum's NoiseTunnel calls `attribute.__wrapped__`, below captum's own log."""

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    return cast(F, call)


class Attribution:
    """An attribution method as captum's classes are.

    Attributes:
        forward_func: `Gain(net)`.
        multiplies_by_inputs: False, as captum asks.

    Example:
        >>> import torch
        >>> attribution = Attribution(nn.Flatten(), method="gradient-input")
        >>> people = torch.eye(4)[:1], torch.eye(4)[1:2]
        >>> attribution.attribute(torch.ones(1, 1, 2, 2), additional_forward_args=people).sum(1).shape
        torch.Size([1, 2, 2])
    """

    multiplies_by_inputs = False

    def __init__(
        self, net: nn.Module, *, method: str = "gweebp", layer: Any = None, signed: bool = False, **options: Any
    ):
        """Of an embedding network; `method`, `layer` and `options` as of `explain`, `signed` as of `attribute`."""
        self.forward_func, self.signed = Gain(net), signed
        self.options = {"method": method, "layer": layer, **options}

    @_as_logged
    def attribute(self, inputs: Any, additional_forward_args: tuple[Tensor, Tensor], **ignored: Any) -> Any:
        """Attributions of the same shape as the images.

        Args:
            inputs: probes (b, c, h, w), or a tuple of one such tensor, which gives a tuple.
            additional_forward_args: mates and non-mates, images or embeddings.
            ignored: what captum's own classes take and a triplet has no use for; `target` must be None.

        Returns:
            (b, c, h, w): a map at the image's resolution, in equal parts on each colour; each sign sums to 1. Of both
            signs where `signed`.

        Raises:
            ValueError: without mate and non-mate, or with a target.
        """
        if ignored.get("target") is not None:
            raise ValueError("target names a class, which an embedding network has not; give the mate and the non-mate")
        if not isinstance(additional_forward_args, tuple) or len(additional_forward_args) != 2:
            raise ValueError("additional_forward_args: expected the mate and the non-mate, (mate, nonmate)")
        if isinstance(inputs, tuple):
            return tuple(self.attribute(x, additional_forward_args, **ignored) for x in inputs)
        people = additional_forward_args
        maps = maps_at_image(self.forward_func.net, inputs, *people, signed=self.signed, **self.options)
        return (maps[:, None] / inputs.shape[1]).expand_as(inputs).clone()

    def has_convergence_delta(self) -> bool:
        """False: maps do not sum to a difference of scores."""
        return False
