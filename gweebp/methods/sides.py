"""Which image a map lies on, and for whom it speaks: a triplet with its people exchanged.

The map on the mate is that of the triplet in which probe and mate have changed places. What speaks for the non-mate is
found where mate and non-mate have. The triplet gain, Eq. (5), is 0 then, since the probe is not nearer to its non-mate:
its hinge is left out (`distance_gain`), which changes no map of a triplet with gain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from gweebp.excitation.tensors import unusable
from gweebp.excitation.triplet import check_images
from gweebp.methods import Method

NAMES = ("probe", "mate", "nonmate")


@dataclass(frozen=True)
class Side:
    """The images of a triplet in the places of one another.

    Attributes:
        people: which of probe, mate and nonmate is in the place of the probe, of the mate, of the nonmate.
        hinge: whether a gain below 0 counts as none.
    """

    people: tuple[str, str, str] = NAMES
    hinge: bool = True

    @classmethod
    def of(cls, on: str, towards: str, signed: bool) -> Side:
        """The side that a call of `explain` asks for.

        Args:
            on: which image the map is on, "probe" or "mate".
            towards: for which image it speaks, "mate" or "nonmate".
            signed: whether it also shows what speaks against.

        Raises:
            ValueError, TypeError: for any other value.

        Example:
            >>> Side.of("mate", "nonmate", False).people
            ('mate', 'nonmate', 'probe')
        """
        if not isinstance(on, str) or on not in ("probe", "mate"):
            raise ValueError(f"on={on!r} is unknown; expected 'probe' or 'mate'")
        if not isinstance(towards, str) or towards not in ("mate", "nonmate"):
            raise ValueError(f"towards={towards!r} is unknown; expected 'mate' or 'nonmate'")
        if not isinstance(signed, bool):
            raise TypeError(f"signed={signed!r}: expected True or False")
        side = cls(NAMES if on == "probe" else ("mate", "probe", "nonmate"), towards == "mate" and not signed)
        return side if towards == "mate" else side.other

    @property
    def other(self) -> Side:
        """The side of what speaks against: its mate and nonmate exchanged."""
        probe, mate, nonmate = self.people
        return replace(self, people=(probe, nonmate, mate), hinge=False)

    @property
    def words(self) -> dict[str, str]:
        """A place → who stands in it, where that is another."""
        return {} if self.people == NAMES else dict(zip(NAMES, self.people))

    def triplet(self, probe: Any, mate: Any, nonmate: Any) -> tuple[Any, Any, Any]:
        """Probe, mate and nonmate in their places; the one in the place of the probe must be given as images.

        Args:
            probe, mate, nonmate: as of `explain`.

        Raises:
            TypeError, ValueError: for a mate that is not images, where the map is on it.
        """
        given = dict(zip(NAMES, (probe, mate, nonmate)))
        first, second, third = (given[name] for name in self.people)
        if self.people[0] == "mate":
            if isinstance(mate, Tensor) and mate.ndim == 2:
                got = unusable(mate) or tuple(mate.shape)
                raise ValueError(f"on='mate' needs the mate's images (b, c, h, w); got embeddings {got}")
            check_images("mate", mate)
            rows = max((len(x) for x in (second, third) if isinstance(x, Tensor) and x.ndim), default=1)
            if len(mate) == 1 and rows > 1:  # one mate: a map on it for each of the others
                first = mate.expand(rows, -1, -1, -1)
        return first, second, third

    def options(self, method: Method, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a method, with a gain that has no hinge where this side needs that.

        Args:
            method: that they are for.
            options: name → value.

        Example:
            >>> from gweebp.methods import METHODS
            >>> Side.of("probe", "nonmate", False).options(METHODS["gweebp"], {})
            {'gain': 'distance'}
        """
        gain = options.get("gain", method.options.get("gain"))
        return options if self.hinge or gain != "triplet" else {**options, "gain": "distance"}
