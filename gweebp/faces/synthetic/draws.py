"""Random numbers that depend on a seed and a counter, and on nothing else.

A generator that runs along a batch gives a face other numbers when its neighbours change. Here each number is a hash of
(seed, identity, stream, position), so that a face is the same alone, in any batch and in any order. The hash is the
finaliser of SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014) in
wrapping 64-bit integers.
"""

import zlib

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed integer
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of signed 64-bit integers (torch's own keeps the sign)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _FIRST
    x = (x ^ _shift(x, 27)) * _SECOND
    return x ^ _shift(x, 31)


def uniform(seed: int, identities: Tensor, stream: str, count: int) -> Tensor:
    """Independent uniform numbers, `count` for each identity.

    Args:
        seed: of the whole world.
        identities: (n,) int64, any integers.
        stream: what the numbers are for; another name gives other numbers.
        count: numbers an identity.

    Returns:
        (n, count) float32 in the open interval (0, 1).

    Example:
        >>> a = uniform(0, torch.tensor([7]), "hair", 3)
        >>> b = uniform(0, torch.tensor([5, 7]), "hair", 3)
        >>> torch.equal(a[0], b[1])
        True
    """
    key = torch.tensor([seed, zlib.crc32(stream.encode())], dtype=torch.int64)
    start = _mix(_mix(key[0] * _GOLDEN + key[1]) + identities.to(torch.int64) * _GOLDEN)
    counter = torch.arange(1, count + 1, dtype=torch.int64) * _GOLDEN
    bits = _shift(_mix(start[:, None] + counter[None, :]), 41)  # 23 bits: float32 holds them and the half exactly
    return (bits.to(torch.float32) + 0.5) / float(1 << 23)


def normal(seed: int, identities: Tensor, stream: str, count: int) -> Tensor:
    """Independent standard normal numbers: `uniform` through the inverse normal distribution function.

    Returns:
        (n, count) float32, within about ±5.3.

    Example:
        >>> x = normal(1, torch.arange(2000), "test", 4)
        >>> bool(x.mean().abs() < 0.03), bool((x.std() - 1).abs() < 0.03)
        (True, True)
    """
    return torch.special.ndtri(uniform(seed, identities, stream, count).double()).float()
