"""Figures made of images: grids, maps on images, triplets, quadruplets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from gweebp.figures.style import FAINT, WIDTH, panels, style_of, tighten, white
from gweebp.methods.names import in_order
from gweebp.overlay import colours
from gweebp.support.grey import ITU_R_601

Image = ArrayLike


OUTSIDE = 0.015  # of the image: how far outside its region an outline runs
TALLEST = 3.0  # height over width of a panel: a taller image is shown smaller
HEAT = ListedColormap(colours(), name="saliency")
KEY_HEIGHT = 0.26  # inches that the colour key takes


@white
def image_grid(
    images: Sequence[Image],
    titles: Sequence[str] | None = None,
    *,
    maps: Sequence[ArrayLike | None] | None = None,
    regions: Sequence[ArrayLike | None] | None = None,
    rows: Sequence[str] | None = None,
    columns: int = 4,
) -> Figure:
    """Images in reading order, each with an optional title, map on top and region outline.

    Args:
        images: (3, h, w), (1, h, w) or (h, w), uint8 or float in 0..1.
        titles: above each image.
        maps: (h', w') ≥ 0, any size, or None.
        regions: bool (h', w'), any size, or None.
        rows: at the left of each row.
        columns: of images.

    Raises:
        ValueError: for another number of titles, maps or regions than of images, and for images or maps that cannot be
            drawn.

    >>> figure = image_grid(np.zeros((3, 3, 8, 8), dtype=np.uint8), ["probe", "mate", "non-mate"])
    >>> [axes.get_title() for axes in figure.axes]
    ['probe', 'mate', 'non-mate']
    """
    count = len(images)
    for name, given in (("titles", titles), ("maps", maps), ("regions", regions)):
        if given is not None and len(given) != count:
            raise ValueError(
                f"{len(given)} {name} for {count} images: expected one an image (None where there is none)"
            )
    h, w = picture(images[0]).shape[:2] if count else (1, 1)
    titled = 0 if titles is None else sum(any(titles[i : i + columns]) for i in range(0, count, columns))
    coloured = maps is not None and any(saliency is not None for saliency in maps)
    extra = 0.24 * titled + (KEY_HEIGHT if coloured else 0)
    height = WIDTH / min(columns, max(count, 1)) * min(TALLEST, h / w) + 0.02 + extra / max(1, -(-count // columns))
    figure, axes = panels(count, columns, height)
    for i, ax in enumerate(axes):
        region = None if regions is None else regions[i]
        show(ax, images[i], None if maps is None else maps[i], region, outline=min(1.0, 4 / columns))
        if titles is not None:
            ax.set_title(titles[i], pad=3)
        if rows is not None and i % columns == 0:
            ax.set_ylabel(rows[i // columns])
    tighten(figure)
    if coloured:
        colour_key(figure)
    return figure


def colour_key(figure: Figure, text: str = "least to most salient; each map by its own maximum") -> None:
    """Say below a figure what the colours of its maps mean.

    Args:
        figure: to write below.
        text: what is said.
    """
    scale: Any = tuple(Patch(facecolor=HEAT(share), edgecolor="none") for share in np.linspace(0, 1, 9))
    handler = {tuple: HandlerTuple(ndivide=None, pad=0)}
    figure.legend([scale], [text], handler_map=handler, loc="outside lower center", handlelength=6, borderpad=0.1)


def map_on_image(
    image: Image, saliency: ArrayLike, title: str | None = None, region: ArrayLike | None = None
) -> Figure:
    """The image beside the image under its map (and the outline of a region).

    Args:
        image: as of `image_grid`.
        saliency: the map, (h', w') ≥ 0, any size.
        title: above the map.
        region: bool (h', w'), outlined, or None.

    >>> len(map_on_image(np.zeros((8, 8), dtype=np.uint8), np.eye(4)).axes)
    2
    """
    titles = None if title is None else ["", title]
    return image_grid([image, image], titles, maps=[None, saliency], regions=[None, region], columns=2)


def triplet(
    probe: Image,
    mate: Image,
    nonmate: Image,
    maps: Mapping[str, ArrayLike] | None = None,
    *,
    columns: int = 3,
    notes: Mapping[str, str] | None = None,
) -> Figure:
    """Probe, mate and non-mate, then the probe under the map of each method, in the book's order.

    Args:
        probe, mate, nonmate: as of `image_grid`.
        maps: method name → (h', w') ≥ 0.
        columns: of images.
        notes: method name → what stands after its name, such as a score.

    >>> [a.get_title() for a in triplet(*np.zeros((3, 8, 8)), {"gweebp": np.eye(8), "ebp": np.eye(8)}).axes]
    ['probe', 'mate', 'non-mate', 'EBP', 'gweEBP']
    """
    titles = ["probe", "mate", "non-mate"]
    return _with_maps([probe, mate, nonmate], titles, probe, maps or {}, None, columns, notes)


def quadruplet(
    op: Image,
    om: Image,
    ip: Image,
    in_: Image,
    region: ArrayLike,
    maps: Mapping[str, ArrayLike] | None = None,
    *,
    columns: int = 4,
    notes: Mapping[str, str] | None = None,
) -> Figure:
    """OP, OM, IP and IN with the region's outline on the inpainted two, then OP under each map with the outline.

    Args:
        op, om, ip, in_: original probe and mate, inpainted probe and non-mate, as of `image_grid`.
        region: bool (h', w'), the exchanged part.
        maps: method name → (h', w') ≥ 0.
        columns: of images.
        notes: method name → what stands after its name, such as a score.

    >>> [a.get_title() for a in quadruplet(*np.zeros((4, 8, 8)), np.eye(8) > 0, {"ebp": np.eye(8)}).axes]
    ['OP', 'OM', 'IP', 'IN', 'EBP']
    """
    return _with_maps([op, om, ip, in_], ["OP", "OM", "IP", "IN"], op, maps or {}, region, columns, notes)


def _with_maps(
    images: list[Image], titles: list[str], under: Image, maps: Mapping[str, ArrayLike], region: ArrayLike | None,
    columns: int, notes: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    names = in_order(maps)
    first = [None, None, region, region][: len(images)] if region is not None else [None] * len(images)
    return image_grid(
        images + [under] * len(names),
        titles + [f"{style_of(m).label} {(notes or {}).get(m, '')}".strip() for m in names],
        maps=[None] * len(images) + [maps[m] for m in names],
        regions=first + [region] * len(names),
        columns=columns,
    )


def picture(image: Image) -> NDArray[Any]:
    """An image as matplotlib draws it.

    Args:
        image: (3, h, w), (1, h, w) or (h, w), uint8 or float in 0..1.

    Returns:
        (h, w, 3) in 0..1.

    Raises:
        ValueError: for other shapes, and for floats outside 0..1.
    """
    a = np.asarray(image)
    a = a[None] if a.ndim == 2 else a
    if a.ndim != 3 or a.shape[0] not in (1, 3):
        raise ValueError(f"image has shape {np.shape(image)}: expected (3, h, w), (1, h, w) or (h, w)")
    a = a / 255 if a.dtype == np.uint8 else a.astype(float)
    if not np.isfinite(a).all() or a.min() < 0 or a.max() > 1:
        raise ValueError("image holds floats outside 0..1: expected uint8 or 0..1; undo the network's normalisation")
    return np.broadcast_to(a, (3, *a.shape[1:])).transpose(1, 2, 0)


def show(
    ax: Axes, image: Image, saliency: ArrayLike | None = None, region: ArrayLike | None = None, outline: float = 1.0
) -> None:
    """Draw an image, greyed and lightened under its map, with a region's outline.

    The outline runs a little outside the region, so that the part itself is seen.

    Args:
        ax: to draw on.
        image: as of `image_grid`.
        saliency: the map, (h', w') ≥ 0, any size; None: the image as it is.
        region: bool (h', w'), or None.
        outline: its width in points.

    Raises:
        ValueError: for a map that is not (h, w), finite and non-negative.
    """
    shown = picture(image)
    h, w = shown.shape[:2]
    extent = (0, w, h, 0)
    if saliency is not None:
        values = np.asarray(saliency, dtype=float)
        if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0:
            raise ValueError(f"map of shape {values.shape}: expected (h, w), finite and >= 0")
        grey = shown @ np.array(ITU_R_601)
        shown = np.repeat((0.35 + 0.65 * grey)[..., None], 3, 2)
    ax.imshow(shown, extent=extent, interpolation="antialiased")
    if saliency is not None:
        ax.imshow(values, cmap=HEAT, vmin=0, vmax=values.max() or 1, extent=extent, interpolation="bilinear")
    if region is not None:
        _outline(ax, np.asarray(region, dtype=float), extent, outline)
    ax.set(xlim=(0, w), ylim=(h, 0), xticks=[], yticks=[])
    ax.grid(False)
    for spine in ax.spines.values():  # a white picture ends somewhere too
        spine.set(visible=True, color=FAINT, linewidth=0.6)


def _outline(ax: Axes, region: NDArray[Any], extent: tuple[int, int, int, int], width: float) -> None:
    h, w = region.shape
    around = round(OUTSIDE * max(h, w))
    padded = _grown(np.pad(region, 1 + around), around)  # so that a region at the border is closed
    x = (np.arange(-1 - around, w + 1 + around) + 0.5) * extent[1] / w
    y = (np.arange(-1 - around, h + 1 + around) + 0.5) * extent[2] / h
    line = ax.contour(x, y, padded, levels=[0.5], colors=["#00e5ff"], linewidths=width)
    line.set_path_effects([Stroke(linewidth=2 * width, foreground="black"), Normal()])


def _grown(region: NDArray[Any], by: int) -> NDArray[Any]:
    """The region with all that lies within `by` places of it, on a grid that is wide enough."""
    found = region.copy()
    for y in range(-by, by + 1):
        for x in range(-by, by + 1):
            if x * x + y * y <= by * by:
                found = np.maximum(found, np.roll(region, (y, x), (0, 1)))
    return found
