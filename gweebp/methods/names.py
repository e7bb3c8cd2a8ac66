"""What methods are called in print, and in which order tables and figures list them."""

from __future__ import annotations

from collections.abc import Iterable

LABELS = {
    "random": "random",
    "center": "centre",
    "gradient-input": "Grad × input",
    "integrated-gradients": "Int. gradients",
    "gradcam": "Grad-CAM",
    "ebp": "EBP",
    "cebp": "cEBP",
    "tcebp": "tcEBP",
    "eebp": "eEBP",
    "ecebp": "ecEBP",
    "etcebp": "etcEBP",
    "gweebp": "gweEBP",
    "gweebp-paper-code": "gweEBP (code)",
    "pairwisesim": "PairwiseSIM",
    "xface": "XFace",
    "corrrise": "CorrRISE",
    "xssab": "xSSAB",
    "fggb": "FGGB",
    "attention": "Attention",
    "rollout": "Rollout",
    "gradient-rollout": "Grad. rollout",
}  #: method → its name in print, in the book's order


def label_of(method: str) -> str:
    """The name of a method in print; a method that is not in `LABELS` keeps its own name.

    Args:
        method: as `explain(method=...)` takes it.

    Example:
        >>> label_of("gweebp"), label_of("mine")
        ('gweEBP', 'mine')
    """
    return LABELS.get(method, method)


def in_order(methods: Iterable[str]) -> list[str]:
    """Method names in the book's order, those that are not in `LABELS` last.

    Args:
        methods: names, as `explain(method=...)` takes them.

    Example:
        >>> in_order(["mine", "gweebp", "random"])
        ['random', 'gweebp', 'mine']
    """
    known = list(LABELS)
    return sorted(methods, key=lambda m: known.index(m) if m in LABELS else len(known))
