"""What each operation does to places: one rule for a kind of operation, found by the operation's name.

An operation without a rule of its own keeps its operands' places where the shapes say that it works entry by entry;
where they do not, it is not known where its output looks, and `Lost` says so.
"""

from __future__ import annotations

from collections.abc import Callable

from gweebp.excitation.places import mixes, windows
from gweebp.excitation.places.call import Call, Found, Lost


def _table(rule: Callable[[Call], Found], names: str) -> dict[str, Callable[[Call], Found]]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Callable[[Call], Found]] = {
    **_table(
        mixes.copied,
        "view view_as reshape reshape_as flatten unflatten ravel permute transpose swapaxes swapdims t movedim "
        "moveaxis adjoint squeeze unsqueeze expand expand_as broadcast_to broadcast_tensors repeat "
        "repeat_interleave tile cat concat concatenate stack hstack vstack dstack column_stack chunk split "
        "tensor_split unsafe_chunk unsafe_split split_with_sizes unbind narrow select getitem get index_select "
        "take_along_dim gather flip fliplr flipud roll rot90 pixel_unshuffle channel_shuffle diagonal where",
    ),
    **_table(windows.convolution, "conv1d conv2d conv3d"),
    **_table(windows.transposed_convolution, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    **_table(windows.deformable, "deform_conv2d"),
    **_table(
        windows.pooling,
        "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices "
        "avg_pool1d avg_pool2d avg_pool3d lp_pool1d lp_pool2d",
    ),
    **_table(
        windows.adaptive,
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d "
        "adaptive_max_pool3d adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices "
        "adaptive_max_pool3d_with_indices",
    ),
    **_table(
        mixes.reduced,
        "mean sum nansum nanmean amax amin max min norm vector_norm frobenius_norm std var prod logsumexp median "
        "std_mean var_mean aminmax",
    ),
    **_table(mixes.chosen, "topk sort msort kthvalue"),
    **_table(mixes.linear, "linear"),
    **_table(mixes.product, "matmul rmatmul mm bmm addmm baddbmm"),
    **_table(mixes.einsum, "einsum"),
    **_table(mixes.attention, "scaled_dot_product_attention multi_head_attention_forward"),
    **_table(windows.resampled, "interpolate upsample"),
    **_table(windows.shuffled, "pixel_shuffle"),
    **_table(windows.padded, "pad"),
    **_table(windows.unfolded, "unfold im2col"),
    **_table(windows.folded, "fold"),
    **_table(windows.sampled, "grid_sample"),
    **_table(mixes.repeated, "lstm gru rnn_tanh rnn_relu"),
    **_table(
        mixes.constant,
        "zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones new_empty "
        "new_full new_tensor argmax argmin argsort size",
    ),
}  #: name of an operation → its rule


def after(call: Call) -> Found:
    """Places of what an operation gives; Lost where they are not known."""
    rule = RULES.get(call.name, mixes.elementwise)
    try:
        return rule(call)
    except (RuntimeError, IndexError, TypeError, ValueError, AttributeError, KeyError) as error:
        raise Lost(call.name) from error
