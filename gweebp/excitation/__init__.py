"""The algorithm, Eq. (1)-(6) of Wang et al. (2025): from a network and a triplet to marginal winning probabilities.

Read in this order:

    propagation    `mwp`, the call: record, differentiate, weight, walk
    equations      Eq. (1)-(4): how each parent shares its probability among its children
    gain           Eq. (5) and (6): the gain of a triplet, and the responses that work for it (responses)
    closed_form    Eq. (3)-(4) in half the products
    watch          one forward pass of the unmodified network, recorded, so that autograd can walk it back by any rule
    dispatch       each torch operation of that pass to its rule
    operations     what each torch operation is to the equations, by its name; rules, mixings, products, composites: how
    tags, means    what depends on the image, what is a gate; what is the mean of what
    copies         which tensors hold the same neurons
    nodes, graph   what is recorded, and what escaped the record; lost_mass: where probability did not arrive
    guard          a network lent to one call, one thread at a time, and left as it was
    layers         where the walk ends: a layer of the network (taps: how its output is read as a map)
    positions      where the cells of a map look, from places, carried through a pass; evenness: what strides do to it
    triplet        checks of the probe, the mate and the non-mate (tensors: what all must be, and unit length)
    released_code  where the authors' released code departs from the equations
"""

from gweebp.excitation.lost_mass import LostMassWarning, TokenWarning
from gweebp.excitation.propagation import mwp

__all__ = ["LostMassWarning", "TokenWarning", "mwp"]
