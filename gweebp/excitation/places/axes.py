"""What the user says of a layer's axes: "b h w c", "b (1 h w) c", "(h w) b c"; written as in einops.

b           the images            h, w        rows and columns of the grid
c           the channels          other names more axes of channels, such as heads
(h w)       one axis that holds both, row by row; (w h): column by column
(1 h w)     a number beside them: so many tokens before or after the grid that are no part of the image
h=4         a size, where it does not follow from the shape and the proportions of the image
"""

from __future__ import annotations

import math
import re

import torch

from gweebp.excitation.places.reading import NoGrid, Reading

Factor = tuple[str, int | None]


def reading(axes: str, shape: tuple[int, ...], b: int, image: tuple[int, int]) -> Reading:
    """The reading of an output of a shape whose axes are as said, for b images of a size (height, width).

    Errors: ValueError that repeats `axes` and says what does not fit.

    Example:
        >>> reading("b (1 h w) c", (2, 65, 96), 2, (64, 64)).size
        (8, 8)
        >>> reading("b c (w h)", (2, 96, 64), 2, (64, 64)).index[0, 1, :3].tolist()
        [1, 9, 17]
    """
    groups = parsed(axes)
    if len(groups) != len(shape):
        raise ValueError(f"axes={axes!r} names {len(groups)} axes, but the layer's output has {len(shape)}: {shape}")
    batch = next(i for i, (_, factors, _) in enumerate(groups) if any(name == "b" for name, _ in factors))
    split: list[tuple[int, list[tuple[str, int]], int]] = []
    views = (1, 1)
    for i, (n, (before, factors, behind)) in enumerate(zip(shape, groups)):
        sizes = _sizes(axes, n - before - behind, factors, b, image)
        if i == batch:
            at = [name for name, _ in sizes].index("b")
            outer, inner = sizes[:at], sizes[at + 1 :]
            views = math.prod(k for _, k in outer), math.prod(k for _, k in inner)
            split += [(0, outer, 0), (0, [], 0), (0, inner, 0)]
        else:
            split.append((before, sizes, behind))
    sites = [i for i, (_, sizes, _) in enumerate(split) if {"h", "w"} & {name for name, _ in sizes}]
    lengths = [before + math.prod(k for _, k in sizes) + behind for before, sizes, behind in (split[i] for i in sites)]
    ids, names = torch.arange(math.prod(lengths)).view(lengths), list[str]()
    for axis, i in reversed(list(enumerate(sites))):
        before, sizes, _ = split[i]
        ids = ids.narrow(axis, before, math.prod(k for _, k in sizes)).unflatten(axis, [k for _, k in sizes])
        names = [name for name, _ in sizes] + names
    order = [i for i, name in enumerate(names) if name not in "hw"] + [names.index("h"), names.index("w")]
    ids = ids.permute(order)
    of_output = tuple(0 if i == batch else n for i, n in enumerate(shape))
    return Reading(batch, views, tuple(sites), ids.reshape(-1, *ids.shape[-2:]), of_output)


def guess(shape: tuple[int, ...], b: int, image: tuple[int, int]) -> str:
    """What the axes of an output are, by its shape and the image's proportions alone; NoGrid where it can't be told.

    Example:
        >>> [guess(s, 2, (64, 64)) for s in ((2, 96, 8, 8), (2, 6, 6, 384), (2, 65, 96), (2, 64, 97))]
        ['b c h w', 'b h w c', 'b (1 h w) c', 'b (h w) c']
    """
    if shape[0] != b:
        raise NoGrid(f"its first axis is not that of the {b} images")
    if len(shape) == 4:
        first, last = fits(shape[2], shape[3], image), fits(shape[1], shape[2], image)
        if first != last:
            return "b c h w" if first else "b h w c"
        raise NoGrid(
            "it may be read in more than one way" if first else "no two of its axes have the image's proportions"
        )
    if len(shape) == 3:
        n, c = ([k for k in range(9) if _proportional(size - k, image)] for size in shape[1:])
        if n and 0 not in c:
            return f"b ({n[0]} h w) c" if n[0] else "b (h w) c"
        raise NoGrid("both of its last axes may hold the grid" if n else f"{shape[1]} tokens make no grid of the image")
    raise NoGrid("it has no grid of places")


def fits(h: int, w: int, image: tuple[int, int]) -> bool:
    """Whether a grid has the image's proportions, a cell more or less."""
    return min(h, w) > 0 and abs(h * image[1] - w * image[0]) <= max(image)


def _proportional(n: int, image: tuple[int, int]) -> tuple[int, int] | None:
    """(h, w) of n cells in exactly the image's proportions."""
    h = round((n * image[0] / image[1]) ** 0.5) if n > 1 else 0
    return (h, n // h) if h and n % h == 0 and h * image[1] == n // h * image[0] else None


def parsed(axes: str) -> list[tuple[int, list[Factor], int]]:
    """Of each axis: tokens before, the names with their sizes, tokens behind; ValueError where it can't be read."""
    if not isinstance(axes, str):
        raise TypeError(f"axes must be a string such as 'b (1 h w) c', got {type(axes).__name__}")
    words = re.findall(r"\([^()]*\)|[^\s()]+|[()]", axes)
    groups: list[tuple[int, list[Factor], int]] = []
    for word in words:
        before, behind, factors = 0, 0, list[Factor]()
        for part in word.strip("()").split():
            found = re.fullmatch(r"([a-z]\w*)(?:=([1-9]\d*))?|(\d+)", part)
            if not found:
                raise ValueError(f"axes={axes!r}: can't read {part!r}; expected names, as in 'b (1 h w) c'")
            if found[1]:
                factors.append((found[1], int(found[2]) if found[2] else None))
            elif factors:
                behind += int(found[3])
            else:
                before += int(found[3])
        if word in "()" or ((before or behind) and not {"h", "w"} & {name for name, _ in factors}):
            raise ValueError(f"axes={axes!r}: a number stands beside h and w in brackets, as in 'b (1 h w) c'")
        groups.append((before, factors, behind))
    names = [name for _, factors, _ in groups for name, _ in factors]
    for name in ("b", "h", "w"):
        if names.count(name) != 1:
            said = f"does not name {name}" if name not in names else f"names {name} more than once"
            raise ValueError(f"axes={axes!r} {said}; expected b (images), h and w (grid) once each, as 'b h w c'")
    if len(set(names)) < len(names):
        raise ValueError(f"axes={axes!r} has a name more than once")
    return groups


def _sizes(axes: str, n: int, factors: list[Factor], b: int, image: tuple[int, int]) -> list[tuple[str, int]]:
    """The sizes of the names that make up an axis of n entries."""
    sizes = {name: b if name == "b" else size for name, size in factors}
    left = math.prod(size for size in sizes.values() if size)
    unknown = [name for name, size in sizes.items() if size is None]
    if n <= 0 or n % left or (not unknown and n != left):
        raise ValueError(f"axes={axes!r}: {' '.join(sizes)} can't make up an axis of {max(n, 0)}")
    if unknown == ["h", "w"] or unknown == ["w", "h"]:
        sizes["h"], sizes["w"] = _grid(axes, n // left, image)
    elif len(unknown) == 1:
        sizes[unknown[0]] = n // left
    elif unknown:
        raise ValueError(f"axes={axes!r}: the sizes of {' and '.join(unknown)} are not known; give all but one, as h=4")
    return [(name, int(size or 1)) for name, size in sizes.items()]


def _grid(axes: str, n: int, image: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of n cells in the image's proportions, a cell more or less."""
    exact = _proportional(n, image)
    near = [(h, n // h) for h in range(1, n + 1) if n % h == 0 and fits(h, n // h, image)]
    if exact is None and len(near) != 1:
        raise ValueError(
            f"axes={axes!r}: {n} cells make no grid of an image {image[0]} × {image[1]}; count the tokens outside the "
            "grid, as in (1 h w), or give its height, as in (h=4 w)"
        )
    return exact or near[0]
