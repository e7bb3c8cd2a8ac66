"""gweEBP with one thing changed, and the released code taken apart: what each change does, on shared trials.

The study plays variants under names of its own (data/study/plan.yaml). Here they get words, and pairs to compare:

    ablations   gweEBP less itself with one thing changed
    leads       gweEBP less EBP, cEBP, tcEBP, all of them computed in one of four WAYS
    added       how much a way adds to a lead by the equations: a difference of differences, on the same trials
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gweebp.experiment.evidence import Evidence
from gweebp.experiment.study.summary import differences
from gweebp.games.bootstrap import Difference
from gweebp.games.jackknife import above, below, error_of, interval
from gweebp.methods.names import label_of

#: what is changed -> the variant's name in the plan
ABLATIONS = {
    "no gradient weighting (eEBP)": "eebp",
    "no negative responses (gwEBP)": "gwebp",
    "Eq. (6) as printed": "gwe-printed",
    "dead ends share unweighted": "gwe-dead-ends",
    "cosine gain": "gwe-cosine",
    "a layer nearer to the image": "gwe-earlier",
    "a layer nearer to the embedding": "gwe-later",
    "smoothed as released": "gweebp-blur",
    "the released code": "gweebp-paper-code",
}
#: how all methods of a comparison are computed -> what their names end in
WAYS = {
    "equations": "",
    "equations, released smoothing": "-blur",
    "released rule, no smoothing": "-code-sharp",
    "released code": "-code",
}
RIVALS = ("ebp", "cebp", "tcebp")


def variant_of(method: str, way: str) -> str:
    """A method's name in the plan when it is computed in one of the WAYS.

    >>> variant_of("ebp", "released code"), variant_of("gweebp", "released code")
    ('ebp-code', 'gweebp-paper-code')
    """
    ending = WAYS[way]
    return "gweebp-paper-code" if (method, ending) == ("gweebp", "-code") else f"{method}{ending}"


def ablations(study: Sequence[Evidence], game: str) -> dict[str, dict[str, Difference]]:
    """Title -> what is changed -> gweEBP less the changed method; what is not played yet is left out."""
    return differences(study, game, {label: ("gweebp", name) for label, name in ABLATIONS.items()})


def sides(found: Mapping[str, Difference]) -> tuple[list[str], list[str]]:
    """The changes that make gweEBP clearly better, and those that make it clearly worse: whose interval excludes 0.

    >>> sides({"a": Difference(-0.1, -0.2, -0.05, 0.01), "b": Difference(0.1, -0.1, 0.3, 0.4)})
    (['a'], [])
    """
    return [k for k, d in found.items() if d.high < 0], [k for k, d in found.items() if d.low > 0]


def leads(study: Sequence[Evidence], game: str) -> dict[str, dict[str, dict[str, Difference]]]:
    """Way -> title -> rival -> gweEBP less the rival, both in that way."""
    found = {}
    for way in WAYS:
        pairs = {label_of(m): (variant_of("gweebp", way), variant_of(m, way)) for m in RIVALS}
        if played := differences(study, game, pairs):
            found[way] = played
    return found


def added(study: Sequence[Evidence], game: str, way: str) -> dict[str, dict[str, Difference]]:
    """Title -> rival -> gweEBP's lead in a way less its lead by the equations, on trials that all four played."""
    found: dict[str, dict[str, Difference]] = {}
    for run in study:
        for rival in RIVALS:
            one, two = (variant_of(m, way) for m in ("gweebp", rival))
            methods = ["gweebp", rival, one, two]
            own = [unit for unit in run.units if set(methods) <= unit.plays(game)]
            if not own:
                continue
            figures = [[unit.figure(game, m, methods) for m in methods] for unit in own]
            e = error_of([c.minus(d).minus(a.minus(b)) for a, b, c, d in figures])
            found.setdefault(run.title, {})[label_of(rival)] = Difference(
                e.value, *interval(e), min(1.0, 2 * min(above(e), below(e)))
            )
    return found
