"""What is known of the tensors that depend on the image: what they do in a product, and which entries are fixed.

Whatever is computed from the image is tagged from the input on, below the layer too; what has no tag is a constant, and
never a child. A tag says

* the role in a product. A gate (a sigmoid and its like), an attention (a softmax) or a scale (a statistic that
  divides) weighs the other factor, and counts as a constant there;
* which entries no image changes: a class token beside patches, a padded row. They are not children either.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from gweebp.excitation import means
from gweebp.excitation.layers import mapped, tensors_in
from gweebp.excitation.means import Mean
from gweebp.excitation.operations import (
    CONSTANTS,
    COPIES,
    DIVISIONS,
    DROPOUTS,
    GATES,
    JOINS,
    KEEP,
    LIKE,
    NEVER_NEGATIVE,
    PASSES,
    REPLACEMENTS,
    SCALES,
    SUMS,
    WINS,
)

TOTALS = COPIES | set("clamp clip clamp_min add radd reciprocal rdiv rtruediv".split())  #: after which a total is known
LINEAR = set("conv1d conv2d conv3d linear matmul rmatmul mm bmm einsum addmm".split())


class Tag(NamedTuple):
    """Of one tensor that depends on the image.

    Attributes:
        role: "gate", "attention", "scale"; "exp", which over its sum is an attention; "six", a relu6, which over 6 is
            a gate; "tanh", which plus 1 is one; None.
        non_negative: known to have no negative entry, as a softmax.
        fixed: mask of the entries that no image changes; None: none of them.
        mean: of which tensor it is the mean (means.py). total: x of which it is a mean or a sum, or 1 over these.
    """

    role: str | None = None
    non_negative: bool = False
    fixed: Tensor | None = None
    mean: Mean | None = None
    total: Tensor | None = None

    @property
    def is_factor(self) -> bool:
        """Whether it weighs what it is multiplied with."""
        return self.role not in (None, "six", "tanh")


NOTHING = Tag()


class Tags:
    """The tags of one forward pass."""

    def __init__(self) -> None:
        self.of: Any = WeakIdKeyDictionary()
        self.leaves: Any = WeakIdKeyDictionary()

    def depends(self, x: Any) -> bool:
        """Whether `x` is a tensor that depends on the image."""
        return isinstance(x, Tensor) and x in self.of

    def __getitem__(self, x: Tensor) -> Tag:
        return self.of.get(x, NOTHING)

    def leaf(self, x: Tensor) -> Tensor:
        """`x` as a child: itself above the layer; on a path around the layer a leaf, which takes its share away."""
        if x.requires_grad:
            return x
        if x not in self.leaves:
            self.leaves[x] = x.detach().requires_grad_()
            self.of[self.leaves[x]] = self[x]
        return self.leaves[x]

    def note(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        """Tag what an operation has made of tensors that depend on the image."""
        given = args[:1] if name in LIKE and args else (args, kwargs)
        if name in CONSTANTS or not any(x in self.of for x in tensors_in(given)):
            return
        if output is not None and not any(True for _ in tensors_in((output,))):
            return
        found = self.fixed(name, func, args, kwargs, output)
        own, named = (args[:1], {}) if name in LIKE and args else (args, kwargs)
        tag = Tag(self.role(name, own, named), self.never_negative(name, own, named))
        if isinstance(output, Tensor):
            tag = tag._replace(**self.statistic(name, args, kwargs, output, given))
        for k, x in enumerate(tensors_in(args[:1] if output is None else (output,))):
            if x.is_floating_point() or x.is_complex():
                self.of[x] = tag if found is None else tag._replace(fixed=found[k])
                if x._base is not None and x._base not in self.of:  # written in place, through a view of a constant
                    self.of[x._base] = NOTHING

    def statistic(self, name: str, args: tuple, kwargs: dict[str, Any], output: Tensor, given: Any) -> dict[str, Any]:
        """The `mean` and the `total` of a tag; given: the arguments whose values matter."""
        if name in ("mean", "sum", "adaptive_avg_pool2d"):
            return {"mean": means.taken(name, args, kwargs, output), "total": args[0] if args else None}
        of = [self.of[x] for x in tensors_in(given) if x in self.of]
        if len(of) != 1:
            return {}
        mean = None if of[0].mean is None else means.carried(of[0].mean, name, args, kwargs, output)
        return {"mean": mean, "total": of[0].total if name in TOTALS else None}

    def fixed(self, name: str, func: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> list[Any] | None:
        """Of each output, which entries no image changes: NaN in at all others, and they stay finite."""
        operands = [x for x in tensors_in((args, kwargs)) if x.is_floating_point()]
        with_numbers = name in REPLACEMENTS | {"pad"} and not (name == "where" and len(operands) == 2)
        joins = name in JOINS and (with_numbers or not all(x in self.of for x in operands))
        known = [self[x].fixed for x in operands]
        if output is None or not (joins or any(f is not None for f in known)):
            return None
        if name in ("conv1d", "conv2d", "conv3d", "linear") and all(x not in self.of for x in operands[1:]):
            return [_reach(name, args, kwargs, operands[0], self[operands[0]].fixed, output)]

        def unknown(x: Tensor) -> Tensor:
            if x not in self.of:
                return x
            nan, mask = torch.full_like(x, torch.nan, requires_grad=False), self[x].fixed
            return nan if mask is None else torch.where(mask, x.detach(), nan)

        with torch.no_grad():
            found = func(*mapped(unknown, args), **mapped(unknown, kwargs))
        masks = [~y.isnan() for y in tensors_in((found,))]
        return [m if m.any() else None for m in masks]

    def role(self, name: str, args: tuple, kwargs: dict[str, Any]) -> str | None:
        """What the output of an operation does in a product, by its name and what went in."""
        if name in GATES:
            return GATES[name]
        numbers = [float(x) for x in (*args, *kwargs.values()) if isinstance(x, (int, float)) and type(x) is not bool]
        if name in ("clamp", "clip", "hardtanh") and set(numbers) in ({0.0, 1.0}, {0.0, 6.0}):
            return "gate" if 1.0 in numbers else "six"
        if name == "pow" and numbers and numbers[0] < 0:
            return "scale"
        if name in SCALES and len(args) > 1 and self.depends(args[1]):
            if any(
                self[b].total is a and (name in DIVISIONS or self[b].role == "scale") for a, b in (args, args[::-1])
            ):
                return "attention"  # A / A.sum(), A · (1 / A.sum())
            if name in DIVISIONS:
                role = self[args[0]].role if self.depends(args[0]) else "scale"
                return {"exp": "attention", "attention": "attention", "gate": "scale"}.get(role or "", role)
        given = {self[x].role for x in tensors_in((args, kwargs)) if x in self.of}
        if given == {"tanh"}:
            above = name in ("add", "radd", "rsub") and numbers and numbers[0] > 0
            return "gate" if above else "tanh" if name in COPIES | SCALES else None
        if given == {"six"}:
            over_six = name in SCALES and numbers and abs(numbers[0] - (6 if name in DIVISIONS else 1 / 6)) < 1e-6
            return "gate" if over_six else "six" if name in COPIES else None
        if (
            None in given
            or "six" in given
            or "tanh" in given
            or ("exp" in given and name in ("sub", "subtract", "rsub"))
        ):
            return None
        if name == "normalize" and given == {"exp"}:
            return "attention"
        strongest = next((r for r in ("attention", "exp", "gate", "scale") if r in given), None)
        stays = (COPIES | WINS | SUMS | SCALES | KEEP, PASSES if strongest == "scale" else (), LINEAR)
        return strongest if any(name in s for s in stays[: 3 if strongest == "attention" else 2]) else None

    def never_negative(self, name: str, args: tuple, kwargs: dict[str, Any]) -> bool:
        """Whether the output of an operation is known to have no negative entry."""
        if name in NEVER_NEGATIVE:
            return True
        kept = name in COPIES | DROPOUTS | {"sum", "mean"} or (
            name in DIVISIONS and len(args) > 1 and self.depends(args[1])
        )
        return kept and all(self[x].non_negative for x in tensors_in((args, kwargs)) if x in self.of)


def _reach(
    name: str, args: tuple, kwargs: dict[str, Any], x: Tensor, fixed: Tensor | None, output: Tensor
) -> Tensor | None:
    """`Tags.fixed` of a convolution or a linear layer of x: where no entry that it reads depends on the image."""
    if fixed is None:
        return None
    if name == "linear":
        known = fixed.all(-1, keepdim=True).expand(output.shape)
    else:
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        moving = (~fixed).any(0, keepdim=True).any(1, keepdim=True).to(output.dtype)
        where = {k: v for k, v in kwargs.items() if k in ("stride", "padding", "dilation")}
        seen = getattr(torch, name)(moving, moving.new_ones(1, 1, *weight.shape[2:]), None, *args[3:6], **where)
        known = (seen == 0).expand(output.shape)
    return known if known.any() else None
