"""The algorithm, Eq. (1)-(6) of Wang et al. (2025): from a network and a triplet to marginal winning probabilities.

Read in this order:

    equations      Eq. (1)-(4): how each parent shares its probability among its children; `mwp`, the call
    gain           Eq. (5) and (6): the gain of a triplet, and the responses that work for it
    watch          one forward pass of the unmodified network, watched, so that autograd can walk it back by a rule
    operations     what each torch operation is to the equations: a mixing, one child per parent, a winner, a copy
    closed_form    Eq. (3)-(4) in half the products
    layers         where the walk ends: a layer of the network
    triplet        checks of the probe, the mate and the non-mate
    released_code  where the authors' released code departs from the equations
"""

from gweebp.excitation.equations import LostMassWarning, mwp, mwps

__all__ = ["LostMassWarning", "mwp", "mwps"]
