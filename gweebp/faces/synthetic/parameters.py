"""What a person of the synthetic world looks like: the parameters of each face part, and how identities are drawn.

A person is a vector of standard normal *latents*, one for each row of `PARAMETERS`. A row belongs to one of the paper's
six parts or to the `base` (what all parts share: complexion, width of the head). `values` turns a latent z into what
the renderer reads: low + (high − low)·Φ(z'), uniform between the two ends, where z' = (z + f·z_f)/√(1 + f²) leans by
the row's f towards the person's `femininity` z_f: beards and long hair rarely meet. Three operations act on latents:

- `sample`: an identity's latents, by seed and identity alone.
- `misremember`: an eyewitness's memory, z' = √(1 − e²)·z + e·ε with ε standard normal: the same distribution over
  people, at correlation √(1 − e²) with the truth.
- `doppelgangers.substitutes`: one part's latents from another person.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gweebp.faces.synthetic import draws

PARTS = ("hair", "eyebrows", "eyes", "nose", "mouth", "skin")


@dataclass(frozen=True)
class Parameter:
    """One row: `low` and `high` are its ends in the units the renderer reads (face units: half an image is 1)."""

    part: str
    name: str
    low: float
    high: float
    remembered: float = 1.0  # factor on the eyewitness error: a beard is remembered better than its density
    feminine: float = 0.0  # f above


def _rows(part: str, *rows: tuple) -> list[Parameter]:
    return [Parameter(part, *row) for row in rows]


PARAMETERS: tuple[Parameter, ...] = tuple(
    _rows(
        "base",
        ("femininity", 0.0, 1.0, 0.1),
        ("melanin", 0.0, 1.0, 0.3),
        ("redness", 0.0, 1.0, 0.5),
        ("pigment", 0.0, 1.0, 0.3),  # of hair, brows and beard together
        ("head_width", 0.475, 0.505, 0.5),
        ("ear_size", 0.8, 1.2),
    )
    + _rows(
        "hair",
        ("hair_style", 0.0, 9.0, 0.6, 1.5),  # integer part: row of hair.STYLES
        ("hair_tint", -0.3, 0.3, 0.8),
        ("hair_red", 0.0, 1.0, 0.5),
        ("hair_grey", 0.0, 1.0, 0.8),
        ("hair_volume", 0.0, 1.0),
        ("hair_line", -1.0, 1.0),
        ("hair_parting", -1.0, 1.0),
        ("hair_length", 0.0, 1.0),
        ("hair_wave", 0.0, 1.0),
    )
    + _rows(
        "eyebrows",
        ("brow_height", 0.115, 0.205),
        ("brow_thickness", 0.016, 0.046, 1.0, -0.7),
        ("brow_length", 0.12, 0.18),
        ("brow_arch", 0.0, 0.07),
        ("brow_slant", -0.22, 0.22),
        ("brow_gap", 0.05, 0.11),
        ("brow_density", 0.25, 1.0),
        ("brow_tint", -0.2, 0.3),
        ("brow_skew", -0.016, 0.016),
    )
    + _rows(
        "eyes",
        ("eye_gap", 0.185, 0.245, 0.8),
        ("eye_width", 0.080, 0.122, 0.8),
        ("eye_open", 0.024, 0.058, 0.8, 0.4),
        ("eye_slant", -0.16, 0.22),
        ("eye_height", -0.022, 0.022),
        ("iris_melanin", 0.0, 1.0),
        ("iris_hue", 0.0, 1.0),
        ("iris_size", 0.034, 0.046),
        ("eye_crease", 0.0, 1.0),
        ("eye_bags", 0.0, 1.0),
        ("eye_lashes", 0.0, 1.0, 1.0, 1.2),
        ("glasses", 0.0, 1.0, 0.3),  # drawn above eyes.GLASSES_FROM
        ("glasses_shape", 0.0, 1.0),
    )
    + _rows(
        "nose",
        ("nose_length", 0.235, 0.335, 0.8),
        ("nose_width", 0.085, 0.165, 0.8, -0.4),
        ("nose_bridge", 0.022, 0.06),
        ("nose_tip", 0.035, 0.075),
        ("nose_relief", 0.5, 1.35, 0.8),
        ("nostrils", 0.3, 1.2),
        ("nose_turn", -0.03, 0.04),
        ("nose_bend", -0.02, 0.02),
    )
    + _rows(
        "mouth",
        ("mouth_height", 0.35, 0.45, 0.6),
        ("mouth_width", 0.105, 0.215, 0.6),
        ("lip_upper", 0.010, 0.056, 0.6),
        ("lip_lower", 0.018, 0.076, 0.6, 0.4),
        ("mouth_corners", -0.03, 0.05, 0.6),
        ("lip_bow", 0.0, 1.0),
        ("lip_colour", 0.0, 1.0, 0.6, 1.0),
        ("mouth_skew", -0.012, 0.012),
    )
    + _rows(
        "skin",
        ("jaw_width", 0.66, 0.88, 0.7, -0.7),
        ("chin_height", 0.645, 0.755, 0.7),
        ("jaw_square", 0.0, 1.0, 0.7, -0.8),
        ("cheekbones", 0.0, 1.0),
        ("folds", 0.0, 1.0),
        ("wrinkles", 0.0, 1.0),
        ("blush", 0.0, 1.0),
        ("freckles", 0.0, 1.0, 0.5),
        ("beard", 0.0, 1.0, 0.25, -2.0),  # beard, moustache and stubble: skin.beard_style
        ("beard_density", 0.0, 1.0),
        ("mole_u", -0.33, 0.33, 0.5),
        ("mole_v", 0.1, 0.5, 0.5),
        ("mole_size", -0.03, 0.022, 0.5),  # negative: none
    )
)
COUNT = len(PARAMETERS)
_FEMININITY = [p.name for p in PARAMETERS].index("femininity")
MEMBERS = {part: torch.tensor([i for i, p in enumerate(PARAMETERS) if p.part == part]) for part in ("base", *PARTS)}


def sample(seed: int, identities: Tensor) -> Tensor:
    """Latents of the people called `identities`.

    Args:
        seed: of the world.
        identities: (n,) int64; the same number is the same person whatever the batch.

    Returns:
        (n, COUNT) float32, standard normal.

    Example:
        >>> sample(0, torch.arange(2)).shape == (2, COUNT)
        True
    """
    return draws.normal(seed, identities, "person", COUNT)


def misremember(latents: Tensor, noise: Tensor, error: float) -> Tensor:
    """An eyewitness's memory of `latents`: z' = √(1 − e²)·z + e·ε, with e = `error` times the row's `remembered`.

    Args:
        latents: (n, COUNT).
        noise: (n, COUNT) standard normal ε; the same ε for a person and a doppelgänger is the same eyewitness.
        error: 0 (perfect) to 1 (a memory of someone else).

    Returns:
        (n, COUNT), standard normal over people again.

    Example:
        >>> z = sample(0, torch.arange(3))
        >>> torch.equal(misremember(z, torch.randn_like(z), 0.0), z)
        True
    """
    if not 0 <= error <= 1:
        raise ValueError(f"eyewitness error is {error}, expected a share from 0 to 1")
    e = error * torch.tensor([p.remembered for p in PARAMETERS])
    return (1 - e.square()).sqrt() * latents + e * noise


def values(latents: Tensor) -> dict[str, Tensor]:
    """What the renderer reads: name -> (n, 1, 1), uniform between the row's low and high.

    Example:
        >>> values(torch.zeros(1, COUNT))["melanin"].item()
        0.5
    """
    lean = torch.tensor([p.feminine for p in PARAMETERS])
    leaning = (latents + lean * latents[:, _FEMININITY, None]) / (1 + lean.square()).sqrt()
    share = torch.special.ndtr(leaning.double()).float()
    return {row.name: (row.low + (row.high - row.low) * share[:, i])[:, None, None] for i, row in enumerate(PARAMETERS)}
