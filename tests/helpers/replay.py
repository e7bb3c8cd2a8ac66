"""What the golden notebooks share: where they are, what in them is a figure, and which machine made them."""

from pathlib import Path

import torch

from gweebp.support.record import processor

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
SMOKE = ROOT / "_build/smoke"
CHANGING = {"provenance", "study"}  # seconds and commits differ in each run; the study's outcomes grow
FIGURES = {f"{prefix}image/{kind}" for prefix in ("", "application/papermill.record/") for kind in ("png", "svg+xml")}


def machine() -> dict[str, str]:
    """What decides the last digits of a training besides its seed: numbers are compared between equal machines only."""
    return {
        "cpu": processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__.partition("+")[0],
    }
