"""Networks of torchvision, timm and this package, as factories: name → (function that builds it, side, channels)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

from torch import nn

from gweebp import networks

WITHOUT_TIMM = (
    "timm is not installed, and its networks are left out: install it beside the locked torch with "
    "`pip install --no-deps timm huggingface_hub`, and run again"
)


class Subject(NamedTuple):
    """A network of the sweep: build() makes it; it reads images (b, channels, side, side)."""

    build: Callable[[], nn.Module]
    side: int
    channels: int = 3


def ours() -> dict[str, Subject]:
    """The networks that ship, at a small width."""

    def size(name: str) -> int:
        return 64 if name in ("vgg16", "lcnn9") else 112

    return {
        name: Subject(
            lambda n=name: networks.build(n, seed=0, width=0.25, size=size(n)),
            size(name),
            networks.build(name, seed=0, width=0.05, size=size(name)).channels,
        )
        for name in networks.NETWORKS
    }


TORCHVISION = {
    "alexnet": 112, "vgg11_bn": 112, "squeezenet1_1": 112, "resnet18": 112, "resnet50": 112, "resnext50_32x4d": 112,
    "wide_resnet50_2": 112, "densenet121": 112, "mobilenet_v2": 112, "mobilenet_v3_small": 112,
    "mobilenet_v3_large": 112, "efficientnet_b0": 112, "efficientnet_v2_s": 112, "mnasnet0_5": 112,
    "shufflenet_v2_x0_5": 112, "googlenet": 112, "inception_v3": 112, "regnet_x_400mf": 112, "regnet_y_400mf": 112,
    "convnext_tiny": 112, "swin_t": 112, "swin_v2_t": 112, "maxvit_t": 224,
}  # fmt: skip


def torchvision() -> dict[str, Subject]:
    """One network of each family of torchvision.models."""
    from torchvision import models

    options: dict[str, dict[str, Any]] = {"googlenet": dict(aux_logits=False), "inception_v3": dict(aux_logits=False)}

    def build(name: str) -> nn.Module:
        return models.get_model(name, num_classes=64, **options.get(name, {}))

    found = {name: Subject(lambda n=name: build(n), side) for name, side in TORCHVISION.items()}
    return found | {
        "vit (small)": Subject(lambda: models.VisionTransformer(112, 16, 4, 4, 64, 128, num_classes=64), 112)
    }


TIMM: dict[str, Any] = {
    # residual, gated, grouped
    "resnet10t": 112, "resnetblur50": 112, "seresnext26d_32x4d": 112, "ecaresnet26t": 112, "eca_resnet33ts": 112,
    "skresnet18": 112, "resnest14d": 112, "resnetrs50": 112, "res2net50_14w_8s": 112, "resnetv2_50": 112,
    "resnet50_gn": 112, "nf_resnet26": 112, "nfnet_f0": 112, "gcresnet33ts": 112, "gernet_s": 112, "halonet26t": 256,
    "lambda_resnet26t": 256, "botnet26t_256": 256, "lamhalobotnet50ts_256": 256, "cspresnet50": 112,
    "cspdarknet53": 112,
    "darknetaa53": 112, "dla34": 128, "dpn48b": 112, "hrnet_w18_small": 128, "selecsls42": 112, "sebotnet33ts_256": 256,
    "legacy_seresnet18": 112, "legacy_xception": 112, "inception_v4": 112, "inception_resnet_v2": 112,
    "inception_next_atto": 112, "xception41": 112, "densenetblur121d": 112, "regnetz_005": 112, "regnetv_040": 112,
    # small
    "ghostnet_050": 112, "ghostnetv2_100": 112, "ghostnetv3_050": 112, "mobilenetv4_conv_small": 112,
    "mobilenetv4_hybrid_medium": 112, "mobileone_s0": 112, "repvgg_a0": 112, "repvit_m0_9": 112, "repghostnet_050": 112,
    "rexnet_100": 112, "rexnetr_100": 112, "tinynet_e": 112, "lcnet_050": 112, "fbnetv3_b": 112, "hardcorenas_a": 112,
    "mixnet_s": 112, "spnasnet_100": 112, "semnasnet_050": 112, "tf_efficientnet_lite0": 112, "efficientnet_es": 112,
    "starnet_s1": 112, "mambaout_femto": 112, "edgenext_xx_small": 112, "fastvit_t8": 112, "mobilevit_xxs": 128,
    "mobilevitv2_050": 128, "efficientvit_b0": 112, "efficientvit_m0": 224, "shvit_s1": 224, "swiftformer_xs": 224,
    "efficientformer_l1": 224, "efficientformerv2_s0": 224, "vovnet39a": 112, "ese_vovnet19b_slim": 112,
    "hgnet_tiny": 112, "hgnetv2_b0": 112, "csatv2": 512,
    # convolutions after transformers
    "convnext_atto": 112, "convnextv2_atto": 112, "convmixer_768_32": 112, "focalnet_tiny_srf": 112,
    "poolformer_s12": 112, "poolformerv2_s12": 112, "caformer_s18": 112, "convformer_s18": 112,
    # transformers
    "vit_tiny_patch16_224": (112,), "vit_small_patch16_rope_224": (112,), "vit_relpos_small_patch16_224": (112,),
    "vit_srelpos_small_patch16_224": (112,), "vit_base_patch16_rpn_224": (112,), "deit3_small_patch16_224": (112,),
    "deit_tiny_distilled_patch16_224": (112,), "vit_small_patch14_reg4_dinov2": (112,), "beit_base_patch16_224": (112,),
    "beitv2_base_patch16_224": (112,), "eva02_tiny_patch14_224": (112,), "vit_so150m_patch16_reg4_map_256": (112,),
    "vit_tiny_r_s16_p8_224": (128,), "flexivit_small": (112,), "samvit_base_patch16_224": (112,), "hiera_tiny_224": 224,
    "cait_xxs24_224": (112,), "xcit_nano_12_p16_224": (112,), "crossvit_tiny_240": 240, "convit_tiny": (112,),
    "tnt_s_patch16_224": (112,), "pit_ti_224": 224, "levit_128s": 224, "visformer_tiny": (112,), "pvt_v2_b0": 112,
    "twins_pcpvt_small": 112, "twins_svt_small": 112, "volo_d1_224": (112,), "davit_tiny": 112, "gcvit_xxtiny": 224,
    "swin_tiny_patch4_window7_224": 224, "swinv2_tiny_window8_256": 256, "swinv2_cr_tiny_224": 224,
    "maxvit_rmlp_pico_rw_256": 256, "coatnet_nano_rw_224": 224, "coatnet_rmlp_nano_rw_224": 224, "coat_lite_tiny": 224,
    "mvitv2_tiny": 224, "nextvit_small": 112, "nest_tiny": 224, "sequencer2d_s": 224, "tiny_vit_5m_224": 224,
    "rdnet_tiny": 112, "naflexvit_base_patch16_gap": 224, "vitamin_small_224": 112, "mobilenetv5_base": 256,
    "efficientvit_l1": 112, "fasternet_t0": 112, "vit_dpwee_patch16_reg1_gap_256": 256,
    # mixers
    "mixer_s32_224": 224, "resmlp_12_224": 224, "gmixer_12_224": 224, "gmlp_ti16_224": 224, "mixer_b16_224": 224,
}  # fmt: skip


def timm() -> dict[str, Subject]:
    """Networks of timm, one or a few of each family; empty where timm is not installed."""
    if find_spec("timm") is None:
        return {}
    import timm as library

    known = set(library.list_models())

    def build(name: str, side: Any) -> nn.Module:
        given = {"img_size": side[0]} if isinstance(side, tuple) else {}
        return library.create_model(name, pretrained=False, num_classes=64, **given)

    return {
        f"timm {name}": Subject(lambda n=name, s=side: build(n, s), side[0] if isinstance(side, tuple) else side)
        for name, side in TIMM.items()
        if name in known
    }


def timm_version() -> str | None:
    """None where it is not installed."""
    return version("timm") if find_spec("timm") else None
