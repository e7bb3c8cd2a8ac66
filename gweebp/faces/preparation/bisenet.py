"""BiSeNet for face parts: the network of the public checkpoint of face-parsing.PyTorch, 19 classes.

Architecture: Yu et al., "BiSeNet: Bilateral segmentation network for real-time semantic segmentation", ECCV 2018, in
the published variant: no separate spatial path, the trunk's own 1/8 features take its place. Names of modules are those
of the checkpoint. `CLASSES` is this network's order, which differs from the usual one of CelebAMask-HQ.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gweebp.networks.embedding import scaled

__all__ = ["CELEBAMASK", "CLASSES", "BiSeNet"]

CLASSES = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r"),
    *("nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
)
# the usual order of CelebAMask-HQ: the label i there is CLASSES.index(CELEBAMASK[i]) here
CELEBAMASK = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)


class BiSeNet(nn.Module):
    """Images (b, 3, h, w), (x - ImageNet mean)/std, to class logits (b, classes, h, w).

    Args:
        classes: of the output; the published checkpoint has 19, `CLASSES`.
        width: scales every layer's channels; 1 is the published network, at 512x512.

    >>> BiSeNet(classes=6, width=0.125).eval()(torch.zeros(1, 3, 64, 48)).shape
    torch.Size([1, 6, 64, 48])
    """

    def __init__(self, classes: int = 19, width: float = 1.0) -> None:
        super().__init__()
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
            raise ValueError(f"classes must be a whole number of at least 1, got {classes!r}")
        self.config = {"classes": classes, "width": width}
        w64, w128, w256 = (scaled(channels, width) for channels in (64, 128, 256))
        self.cp = _ContextPath(width)
        self.ffm = _Fusion(2 * w128, w256, w64)
        self.conv_out = _Head(w256, w256, classes)
        self.conv_out16 = _Head(w128, w64, classes)
        self.conv_out32 = _Head(w128, w64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (b, classes, h, w); the label of a pixel is the class of the largest."""
        at8, head16, _ = self.cp(x)
        return _enlarge(self.conv_out(self.ffm(at8, head16)), x)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The logits and those of the two auxiliary heads, which training uses, each (b, classes, h, w)."""
        at8, head16, head32 = self.cp(x)
        main = self.conv_out(self.ffm(at8, head16))
        return _enlarge(main, x), _enlarge(self.conv_out16(head16), x), _enlarge(self.conv_out32(head32), x)


def _enlarge(logits: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(logits, size=like.shape[2:], mode="bilinear", align_corners=True)


class _Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, c: int, out: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, out, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)))


class _Head(nn.Module):
    def __init__(self, c: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.conv = _Unit(c, hidden)
        self.conv_out = nn.Conv2d(hidden, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


class _Attention(nn.Module):
    """Refinement of a feature by a factor a channel, computed from the feature's global mean."""

    def __init__(self, c: int, out: int) -> None:
        super().__init__()
        self.conv = _Unit(c, out)
        self.conv_atten = nn.Conv2d(out, out, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(x.mean((2, 3), keepdim=True))))


class _Fusion(nn.Module):
    """Trunk and context, mixed by a 1x1 unit and weighted by channel."""

    def __init__(self, c: int, out: int, hidden: int) -> None:
        super().__init__()
        self.convblk = _Unit(c, out, kernel=1)
        self.conv1 = nn.Conv2d(out, hidden, 1, bias=False)
        self.conv2 = nn.Conv2d(hidden, out, 1, bias=False)

    def forward(self, trunk: Tensor, context: Tensor) -> Tensor:
        f = self.convblk(torch.cat([trunk, context], dim=1))
        return f * torch.sigmoid(self.conv2(torch.relu(self.conv1(f.mean((2, 3), keepdim=True))))) + f


class _ContextPath(nn.Module):
    """Trunk features at 1/8; context from 1/32, over 1/16, up to 1/8 (second output) and 1/16 (third)."""

    def __init__(self, width: float) -> None:
        super().__init__()
        w128, w256, w512 = (scaled(channels, width) for channels in (128, 256, 512))
        self.resnet = _Resnet18(width)
        self.arm16 = _Attention(w256, w128)
        self.arm32 = _Attention(w512, w128)
        self.conv_head32 = _Unit(w128, w128)
        self.conv_head16 = _Unit(w128, w128)
        self.conv_avg = _Unit(w512, w128, kernel=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        at8, at16, at32 = self.resnet(x)
        # the global mean is one pixel: adding it broadcasts, which is nearest upsampling
        context = self.arm32(at32) + self.conv_avg(at32.mean((2, 3), keepdim=True))
        head32 = self.conv_head32(F.interpolate(context, size=at16.shape[2:]))
        head16 = self.conv_head16(F.interpolate(self.arm16(at16) + head32, size=at8.shape[2:]))
        return at8, head16, head32


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the first one may halve the image."""

    def __init__(self, c: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(c, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.downsample(x))


class _Resnet18(nn.Module):
    """Features at 1/8, 1/16 and 1/32."""

    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module

    def __init__(self, width: float) -> None:
        super().__init__()
        c = [scaled(channels, width) for channels in (64, 64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(3, c[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(c[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i in range(1, 5):
            stage = nn.Sequential(_Block(c[i - 1], c[i], 1 if i == 1 else 2), _Block(c[i], c[i], 1))
            self.add_module(f"layer{i}", stage)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        at8 = self.layer2(self.layer1(self.maxpool(torch.relu(self.bn1(self.conv1(x))))))
        at16 = self.layer3(at8)
        return at8, at16, self.layer4(at16)
