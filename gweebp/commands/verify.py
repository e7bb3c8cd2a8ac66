"""A network on the test faces: ranks, ROC and threshold; the triplets and quadruplets that the games are played on."""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch import Tensor

from gweebp import networks
from gweebp.commands.casework.strangers import quantiles
from gweebp.commands.common import add_inputs, add_optional, add_run, device_of, progress
from gweebp.commands.trials import inputs_of
from gweebp.experiment.triplets import hiding_triplets
from gweebp.faces.faceset import FaceSet
from gweebp.faces.quadruplets import Quadruplets, qualified
from gweebp.networks import verification
from gweebp.support import files
from gweebp.support.claim import claim
from gweebp.support.ranges import DISTANCE, SHARE
from gweebp.support.record import environment
from gweebp.support.rests_on import MUST_NAME, belong_together

RANKS = (1, 5, 10, 50)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the stage takes."""
    add_inputs(parser, "faces", "quadruplets", "weights", "out")
    tau = parser.add_mutually_exclusive_group(required=True)
    add_optional(tau, fpr=(SHARE, "false-positive rate that sets the threshold"))
    add_optional(
        tau, threshold=(DISTANCE, "threshold as an L2 distance between unit embeddings, such as a published one")
    )
    parser.add_argument(
        "--trained-elsewhere",
        action="store_true",
        help="the weights were trained on another set of faces, which holds none of the test people",
    )
    add_run(parser)


def run(options: argparse.Namespace) -> None:
    """Embed the test sketches and the gallery, and write what follows from their distances."""
    with claim(options.out, "verify", inputs=inputs_of(options)):
        _verify(options)


def _verify(options: argparse.Namespace) -> None:
    started = time.perf_counter()
    device = device_of(options)
    must_name = MUST_NAME | ({} if options.trained_elsewhere else {"weights": ("faces",)})
    meant = {"weights": "; where they are meant to be tested on other faces, add --trained-elsewhere"}
    rests_on = belong_together(inputs_of(options), must_name, may_differ=meant)
    faces, quadruplets = FaceSet.load(options.faces), Quadruplets.load(options.quadruplets)
    net = networks.load(options.weights).to(device)
    probe = verification.embed(net, faces.sketches[faces.test], progress=progress())
    gallery = verification.embed(net, faces.gallery(), progress=progress())
    mate = torch.arange(len(probe))  # row i of the gallery is test subject i
    genuine, impostor = verification.pairs(probe, gallery, mate)
    threshold = options.threshold
    if threshold is None:
        threshold = verification.threshold_at_fpr(impostor, options.fpr)
    rank = verification.ranks(probe, gallery, mate)
    probes, mates, nonmates = hiding_triplets(probe, gallery, mate)
    result = {
        "dataset": faces.name,
        "network": net.config["network"],
        "weights_sha256": files.sha256(options.weights),
        "alignment": faces.record.get("frame"),
        "pairs": {"genuine": len(genuine), "impostor": len(impostor)},
        "strangers": {"distances": [round(d, 6) for d in quantiles(impostor)], "count": len(impostor)},
        "probes": len(probe),
        "gallery": len(gallery),
        "rank": rank.tolist(),
        "rank_k": {str(k): verification.rank_k(rank, k) for k in RANKS if k <= len(gallery)},
        "roc": _roc(genuine, impostor),
        "fpr": options.fpr,
        "threshold": threshold,
        "fpr_at_threshold": (impostor <= threshold).double().mean().item(),
        "tpr_at_threshold": (genuine <= threshold).double().mean().item(),
        # rows: probe among the test subjects, mate and nonmate in the gallery
        "hiding": {"probe": probes.tolist(), "mate": mates.tolist(), "nonmate": nonmates.tolist()},
        "inpainting": _inpainting(net, quadruplets, threshold),
    }
    record = environment(seed=options.seed, started=started, device=device)
    files.write_json(options.out, result | {"record": record | {"stage": "verify", "rests_on": rests_on}})


def _roc(genuine: Tensor, impostor: Tensor) -> dict[str, list[float]]:
    """The corners of the ROC: its points are as many as distances, and all but these lie on lines between them."""
    fpr, tpr, threshold = verification.roc(genuine, impostor)
    step = tpr.diff() > 0
    ends = torch.tensor([True])
    keep = torch.cat([ends, step]) | torch.cat([step, ends])
    return {"fpr": fpr[keep].tolist(), "tpr": tpr[keep].tolist(), "threshold": threshold[keep].tolist()}


def _inpainting(net: networks.EmbeddingNetwork, quadruplets: Quadruplets, threshold: float) -> dict[str, Any]:
    """Which candidates qualify by Eq. (7)-(8); none for a set that has no candidates at all."""
    if len(quadruplets) == 0:
        return {"candidates": 0, "qualified": [], "candidates_by_part": {}, "qualified_by_part": {}}
    op, om, ip, in_ = (
        verification.embed(net, images, progress=progress())
        for images in (quadruplets.op, quadruplets.om, quadruplets.ip, quadruplets.in_)
    )
    d_op_om, d_op_in, d_ip_in, d_ip_om = ((a - b).norm(dim=1) for a, b in ((op, om), (op, in_), (ip, in_), (ip, om)))
    index = qualified(d_op_om, d_op_in, d_ip_in, d_ip_om, threshold).nonzero().flatten()
    return {
        "candidates": len(quadruplets),
        "qualified": index.tolist(),
        "candidates_by_part": quadruplets.counts(),
        "qualified_by_part": quadruplets.select(index).counts(),
    }
