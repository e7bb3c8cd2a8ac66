"""Alignment: every face turned, scaled and moved so that its eyes and mouth lie where all others have theirs.

Some points of the face, such as the centres of both eyes and of the mouth, are mapped to a frame, the canonical face
(`gweebp.networks.frames`), by the similarity transform x' = s R x + t (a rotation R, one scale s, no reflection, no
shear) with the least squared error (Umeyama 1991). The
image is resampled once; where it shrinks it is smoothed first by just as much, so that nothing aliases.

Beyond the picture's edge the picture goes on with its nearest pixel. The face itself is inside wherever its landmarks
are; what is repeated is the wall behind it.

Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI 1991.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gweebp.faces.preparation import landmarks as points
from gweebp.networks.frames import FRAMES, HEAD, Frame

__all__ = ["FRAMES", "HEAD", "Frame", "align", "similarity", "transform", "warp"]


def similarity(source: Tensor, target: Tensor) -> Tensor:
    """The similarity transform that maps `source` to `target` with the least squared error.

    Args:
        source, target: (n, 2) points, n >= 2.

    Returns:
        float64 (2, 3): [s R | t], so that x' = s R x + t.

    Raises:
        ValueError: shapes that differ, or source points that all coincide.

    >>> corner = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> similarity(corner, 2 * corner + 1).round(decimals=6)
    tensor([[2., 0., 1.],
            [0., 2., 1.]], dtype=torch.float64)
    """
    if source.shape != target.shape or source.dim() != 2 or source.shape[1] != 2 or len(source) < 2:
        raise ValueError(f"expected two sets of n >= 2 points (n, 2), got {tuple(source.shape)}, {tuple(target.shape)}")
    source, target = source.double(), target.double()
    mean, goal = source.mean(0), target.mean(0)
    variance = (source - mean).square().sum(1).mean()
    if variance < 1e-12:
        raise ValueError("all points coincide: these are no landmarks of a face")
    # Umeyama, Eq. (38)-(42): covariance, its singular vectors, a sign against reflections
    U, singular, Vh = torch.linalg.svd((target - goal).T @ (source - mean) / len(source))
    sign = torch.ones(2, dtype=torch.float64)
    sign[1] = torch.sign(torch.det(U) * torch.det(Vh))
    scaled = (U * sign) @ Vh * ((singular * sign).sum() / variance)
    return torch.cat([scaled, (goal - scaled @ mean)[:, None]], dim=1)


def transform(matrix: Tensor, xy: Tensor) -> Tensor:
    """Points (..., 2) under an affine map (2, 3): float64 (..., 2).

    >>> transform(torch.tensor([[1.0, 0.0, 5.0], [0.0, 1.0, 0.0]]), torch.tensor([1.0, 2.0])).tolist()
    [6.0, 2.0]
    """
    matrix = matrix.double()
    return xy.double() @ matrix[:, :2].T + matrix[:, 2]


def warp(image: Tensor, matrix: Tensor, size: int) -> Tensor:
    """Draw an image under a similarity transform.

    Where the transform shrinks, the image is first reduced by the same factor with an antialiasing (triangle) filter;
    then it is read off bicubically. Beyond its edges it goes on with its nearest pixel.

    Args:
        image: uint8 (3, h, w).
        matrix: (2, 3), from pixels of the image to pixels of the result.
        size: height and width of the result.

    Returns:
        uint8 (3, size, size).
    """
    if image.dtype != torch.uint8 or image.dim() != 3:
        raise ValueError(f"expected one uint8 image (c, h, w), got {image.dtype} {tuple(image.shape)}")
    matrix, pixels = matrix.double(), image[None].float()
    height, width = image.shape[1:]
    scale = float(torch.det(matrix[:, :2]).abs().sqrt())
    if scale < 1:
        smaller = max(1, round(height * scale)), max(1, round(width * scale))
        pixels = F.interpolate(pixels, size=smaller, mode="bilinear", antialias=True)
    inverse = torch.linalg.inv(matrix[:, :2])
    axis = torch.arange(size, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    from_result = (torch.stack([x, y], dim=-1) - matrix[:, 2]) @ inverse.T
    # -1 and 1 are the outer edges, whatever the size the image was reduced to
    grid = (2 * from_result + 1) / torch.tensor([width, height], dtype=torch.float64) - 1
    drawn = F.grid_sample(pixels, grid[None].float(), mode="bicubic", padding_mode="border", align_corners=False)
    return drawn[0].round().clamp(0, 255).to(torch.uint8)


def align(image: Tensor, landmarks: Tensor, size: int, frame: Frame = HEAD) -> tuple[Tensor, Tensor]:
    """Bring a face into the frame.

    Args:
        image: uint8 (3, h, w) RGB.
        landmarks: (68, 2), pixels of the image.
        size: height and width of the result.
        frame: where its points are to lie, a value of FRAMES or a network's own.

    Returns:
        the aligned image, uint8 (3, size, size), and its landmarks, float64 (68, 2).

    Raises:
        ValueError: landmarks of another shape, that coincide, or whose eyes and mouth lie outside the image.

    Source: the paper aligns with dlib (Sec. 4.1.1), which fits a similarity transform, too.

    >>> image = torch.zeros(3, 200, 150, dtype=torch.uint8)
    >>> face = torch.rand(68, 2, generator=torch.manual_seed(0)) * 149
    >>> aligned, moved = align(image, face, size=32)
    >>> aligned.shape, moved.shape
    (torch.Size([3, 32, 32]), torch.Size([68, 2]))
    """
    landmarks = points.check(landmarks)
    middle = points.centres(landmarks)
    height, width = image.shape[1:]
    if (middle < 0).any() or (middle > torch.tensor([width - 1, height - 1])).any():
        raise ValueError(
            f"eyes or mouth lie outside the image of {width}x{height} pixels: are these another image's landmarks?"
        )
    matrix = similarity(points.named(landmarks, frame.names), frame.target(size))
    return warp(image, matrix, size), transform(matrix, landmarks)
