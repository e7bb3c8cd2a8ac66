"""A forward pass that also carries, with each tensor, where its entries look."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from gweebp.excitation.guard import Mode
from gweebp.excitation.operations import operation_name
from gweebp.excitation.places import fields
from gweebp.excitation.places.call import Call, Lost
from gweebp.excitation.places.fields import Places
from gweebp.excitation.places.rules import after
from gweebp.excitation.tensors import tensors_in

ATTENTIONS = ("scaled_dot_product_attention", "multi_head_attention_forward", "softmax")


class Following(Mode):
    """Keeps the places of the tensors of one forward pass, which is as it would be without it.

    Args:
        images: (b, c, h, w), what the network is run on.

    Attributes:
        attended: whether there was an attention, or a softmax.

    Example:
        >>> import torch
        >>> images = torch.zeros(2, 1, 8, 8)
        >>> with Following(images) as following:
        ...     y = nn.Conv2d(1, 3, 3, stride=2, padding=1)(images)
        >>> following.places(y).column[0, 0, 0].tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.known: Any = WeakIdKeyDictionary()  # tensor → its places, or where they were lost
        self.weights: Any = WeakIdKeyDictionary()  # tensors made of trained weights
        self.known[images] = fields.of_images(images)
        self.attended = False

    def places(self, x: Any) -> Places | None:
        """Places of a tensor; None of a constant, and where they were lost."""
        found = self.known.get(x) if isinstance(x, Tensor) else None
        return found if isinstance(found, Places) else None

    def lost(self, x: Tensor) -> str:
        """The operation behind which it is not known where a tensor looks; "" where it is, or of a constant."""
        found = self.known.get(x)
        return found if isinstance(found, str) else ""

    def trained(self, x: Any) -> bool:
        """Whether a tensor is a trained weight, or made of such."""
        return isinstance(x, nn.Parameter) or (isinstance(x, Tensor) and x in self.weights)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        given = list(tensors_in((args, kwargs)))
        if any(x in self.known for x in given):
            self.note(func, args, kwargs, output)
        elif any(map(self.trained, given)):
            for x in tensors_in([output]):
                self.weights[x] = True
        return output

    def note(self, func: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        """Keep the places of what one operation gives."""
        name, _ = operation_name(func)
        self.attended |= name in ATTENTIONS
        if name == "setitem":
            return self.set_entries(*args)
        made = list(tensors_in([output]))
        if not any(x.is_floating_point() for x in made):
            return None
        found: list[Places | str | None]
        try:
            given = after(Call(name, func, args, kwargs, output, self.places, self.trained))
            found = [given] if isinstance(given, Places) else [*given]
        except Lost as lost:
            before = [reason for x in tensors_in((args, kwargs)) if (reason := self.lost(x))]
            found = [(before or [str(lost)])[0]] * len(made)
        for x, p in zip(made, found):
            if p is not None and x.is_floating_point():
                self.known[x] = p
        return None

    def set_entries(self, x: Tensor, index: Any, value: Any) -> None:
        """x[index] = value."""
        old, new = self.places(x), self.places(value)
        if old is None and new is None:
            return
        before = (old or fields.nowhere(x)).tensors()
        after: list[Any] = [0.0] * len(before) if new is None else new.tensors()
        parts = [field.contiguous().clone() for field in before]
        for part, field in zip(parts, after):
            part[index] = field
        self.known[x] = Places(*parts)
