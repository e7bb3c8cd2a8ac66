"""What each torch operation is to excitation backprop, by its name.

Rules belong to operations, not to module classes, so that functional calls, re-used modules and a residual `+` work:

* Mixings, y = W a + bias, share each parent's probability among its children by Eq. (1)-(4): convolutions and other
  products with a constant, averages, sums, attention over values, the centring x − mean of a norm (rules.py).
* PASSES: one child per parent, which gets the parent's probability whole: activations, scaling by a constant, the rest
  of a norm. A product of two responses passes half to each; beside a gate, an attention or a normaliser (GATES), which
  count as constants, the other factor gets all.
* WINS (maxima, ReLU, sorting) and COPIES (views, concatenation, padding, masks): autograd's own backward already sends
  a parent's probability to the child that won, or that it copies, and conserves it.
* Operations that are made of others are run in their parts, each by its own rule (composites.py).

An operation without a rule runs as it is. It raises UnsupportedOperation if probability reaches it, and is harmless
where only a gradient does, as below a gate: never a silently wrong map.
"""

from __future__ import annotations

from typing import Any

SUMS = set("add radd sub rsub subtract".split())  #: between two responses they mix; with a constant they pass
SCALES = set("mul rmul div truediv true_divide multiply divide".split())  #: of one response by a constant, they pass
DIVISIONS = set("div truediv true_divide divide".split())
DROPOUTS = set("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout".split())
PASSES = DROPOUTS | set(
    (
        "batch_norm leaky_relu prelu rrelu relu6 hardtanh elu selu celu gelu silu mish softplus softsign sigmoid "
        "log_sigmoid tanh hardswish hardsigmoid hardshrink softshrink threshold clamp clip clamp_min clamp_max "
        "normalize neg pow sqrt rsqrt square exp log abs layer_norm group_norm instance_norm rms_norm "
        "local_response_norm softmax softmin log_softmax erf erfc reciprocal rdiv rtruediv sign sin cos sinh cosh atan "
        "asinh log1p log2 log10 expm1 exp2 nan_to_num expit ndtr logit rpow ldexp"
    ).split()
)  #: one child per parent
WINS = set(
    (
        "relu max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
        "max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
        "adaptive_max_pool2d_with_indices fractional_max_pool2d fractional_max_pool3d max maximum amax min minimum "
        "amin aminmax cummax cummin fmax fmin topk sort msort kthvalue median logsumexp"
    ).split()
)  #: the winner takes all, by autograd's own backward
REPLACEMENTS = set(
    "where masked_fill masked_scatter index_fill index_copy index_put scatter slice_scatter select_scatter tril triu "
    "put copied".split()
)  #: copies in which some entries are replaced by others, or by constants
JOINS = REPLACEMENTS | set("cat concat concatenate stack hstack vstack dstack column_stack pad diag_embed".split())
COPIES = JOINS | set(
    (
        "view view_as reshape reshape_as flatten unflatten ravel permute transpose swapaxes swapdims t movedim "
        "moveaxis squeeze unsqueeze expand expand_as broadcast_to broadcast_tensors repeat repeat_interleave tile "
        "contiguous clone chunk split split_with_sizes tensor_split hsplit vsplit dsplit unsafe_chunk unsafe_split "
        "unbind narrow select getitem index_select take_along_dim gather masked_select flip fliplr flipud roll rot90 "
        "pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle to type float double type_as half "
        "bfloat16 cpu cuda get alias pos positive identity requires_grad_ as_subclass unfold diagonal atleast_1d "
        "atleast_2d atleast_3d adjoint meshgrid detach as_strided max_unpool1d max_unpool2d max_unpool3d"
    ).split()
)  #: the same neurons in another place, by autograd's own backward
CASTS = set("to type type_as half bfloat16".split())  #: may change the precision; above the layer it stays
LIKE = set("expand_as view_as reshape_as type_as to type".split())  #: only the shape or type of others matters
CONSTANTS = set(
    "zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full new_empty "
    "new_tensor size stride dim numel".split()
)  #: whose output does not depend on the values of any argument
NORMS = set("norm vector_norm matrix_norm frobenius_norm linalg_norm linalg_vector_norm linalg_matrix_norm".split())
GATES = {
    **dict.fromkeys(("sigmoid", "hardsigmoid", "expit", "ndtr"), "gate"),
    **dict.fromkeys(("softmax", "softmin"), "attention"),
    **dict.fromkeys(("exp", "exp2"), "exp"),
    **dict.fromkeys(("tanh", "erf"), "tanh"),
    "relu6": "six",
    **dict.fromkeys(("rsqrt", "reciprocal", "rdiv", "rtruediv", "std", "var", *NORMS), "scale"),
}  #: operations whose output weighs what it is multiplied with, and how (tags.py)
NEVER_NEGATIVE = NORMS | set("sigmoid hardsigmoid expit ndtr softmax softmin exp exp2 relu6 rsqrt std var".split())
INPLACE_FLAG = DROPOUTS | set(
    "leaky_relu rrelu relu6 hardtanh elu selu celu silu mish hardswish hardsigmoid threshold".split()
)  #: whose last argument, or `inplace`, asks for the work to be done in place
KEEP = DROPOUTS | set(
    "clamp clip clamp_min clamp_max interpolate upsample mean sum neg avg_pool1d avg_pool2d adaptive_avg_pool1d "
    "adaptive_avg_pool2d gumbel_softmax nan_to_num pow square sqrt abs".split()
)  #: through which a factor stays one, beside copies, maxima, sums and scaling


def operation_name(func: Any) -> tuple[str, bool]:
    """(name, in_place): F.conv2d → ("conv2d", False), torch.relu_ → ("relu", True), Tensor.__iadd__ → ("add", True).

    Example:
        >>> import torch
        >>> operation_name(torch.Tensor.add_), operation_name(torch.nn.functional.conv2d)
        (('add', True), ('conv2d', False))
    """
    name = getattr(func, "__name__", None) or str(func)
    dunder, plain = name.startswith("__"), name.strip("_").removeprefix("special_")
    if dunder and plain in ("iadd", "isub", "imul", "itruediv", "setitem"):
        return plain.removeprefix("i").replace("truediv", "div"), True
    return plain, name.endswith("_") and not dunder and name != "requires_grad_"


def asks_in_place(name: str, args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether a call of a function of torch.nn.functional is to change its input.

    Example:
        >>> asks_in_place("hardtanh", ("x", -1, 1, True), {}), asks_in_place("dropout", ("x", 0.5, True), {})
        (True, False)
    """
    places = {"dropout": 3, "rrelu": 4, "hardtanh": 3, "threshold": 3, "leaky_relu": 2, "elu": 2, "celu": 2}
    place = 3 if name in DROPOUTS else places.get(name, 1)
    return name in INPLACE_FLAG and bool(kwargs.get("inplace", args[place] if len(args) > place else False))


def is_identity(name: str, args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether a call changes nothing: x + 0, x · 1, a dropout at rest.

    Example:
        >>> is_identity("radd", ("x", 0), {}), is_identity("dropout", ("x", 0.5, True), {})
        (True, False)
    """
    other = args[1] if len(args) > 1 else kwargs.get("other", kwargs.get("exponent"))
    if name in DROPOUTS:
        active = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
        return not active or kwargs.get("p", other) == 0
    if isinstance(other, (bool, complex)) or not isinstance(other, (int, float)):
        return False
    return (name in SUMS - {"rsub"} and other == 0) or (name in SCALES | {"pow"} and other == 1)
