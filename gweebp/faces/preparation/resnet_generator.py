"""CycleGAN's two networks: the generator that turns a sketch into a photo or back, and the critic that judges patches.

Architectures: Zhu, Park, Isola and Efros, "Unpaired image-to-image translation using cycle-consistent adversarial
networks", ICCV 2017: the residual generator of Johnson et al. with nine blocks, and the 70x70 PatchGAN. Numbers of
modules (`model.10.conv_block.5`) are those of the public checkpoints of pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

from torch import Tensor, nn

from gweebp.networks.embedding import scaled

__all__ = ["PatchGAN", "ResnetGenerator"]

MOST_BLOCKS = 100  # the published generators have 6 or 9


class ResnetGenerator(nn.Module):
    """Images (b, 3, h, w) in -1..1 to images of the same size and range; h and w are multiples of 4.

    Args:
        width: scales every layer's channels; 1 is the published network.
        blocks: residual blocks in the middle.

    >>> import torch
    >>> ResnetGenerator(width=0.125, blocks=2)(torch.zeros(1, 3, 32, 48)).shape
    torch.Size([1, 3, 32, 48])
    """

    def __init__(self, width: float = 1.0, blocks: int = 9) -> None:
        super().__init__()
        if not isinstance(blocks, int) or isinstance(blocks, bool) or not 0 <= blocks <= MOST_BLOCKS:
            raise ValueError(f"blocks must be a whole number in 0..{MOST_BLOCKS}, got {blocks!r}")
        self.config = {"width": width, "blocks": blocks}
        a, b, c = (scaled(channels, width) for channels in (64, 128, 256))
        self.model = nn.Sequential(
            *(nn.ReflectionPad2d(3), nn.Conv2d(3, a, 7), *_normalised(a)),
            *(nn.Conv2d(a, b, 3, 2, 1), *_normalised(b)),
            *(nn.Conv2d(b, c, 3, 2, 1), *_normalised(c)),
            *(_Residual(c) for _ in range(blocks)),
            *(nn.ConvTranspose2d(c, b, 3, 2, 1, output_padding=1), *_normalised(b)),
            *(nn.ConvTranspose2d(b, a, 3, 2, 1, output_padding=1), *_normalised(a)),
            *(nn.ReflectionPad2d(3), nn.Conv2d(a, 3, 7), nn.Tanh()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Translate x (b, 3, h, w), -1..1."""
        if x.shape[2] % 4 or x.shape[3] % 4:
            raise ValueError(f"height and width must be multiples of 4, got {tuple(x.shape[2:])}")
        return self.model(x)


class PatchGAN(nn.Module):
    """Images (b, 3, h, w) in -1..1 to scores of overlapping 70x70 patches (b, 1, h/8 - 2, w/8 - 2), without sigmoid.

    >>> import torch
    >>> PatchGAN(width=0.125)(torch.zeros(1, 3, 128, 128)).shape
    torch.Size([1, 1, 14, 14])
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.config = {"width": width}
        a, b, c, d = (scaled(channels, width) for channels in (64, 128, 256, 512))
        self.model = nn.Sequential(
            *(nn.Conv2d(3, a, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(a, b, 4, 2, 1), nn.InstanceNorm2d(b), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(b, c, 4, 2, 1), nn.InstanceNorm2d(c), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(c, d, 4, 1, 1), nn.InstanceNorm2d(d), nn.LeakyReLU(0.2)),
            nn.Conv2d(d, 1, 4, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Score the patches of x (b, 3, h, w), -1..1."""
        return self.model(x)


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU()


class _Residual(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            *(nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), *_normalised(c)),
            *(nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.InstanceNorm2d(c)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)
