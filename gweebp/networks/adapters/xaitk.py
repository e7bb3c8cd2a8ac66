"""`explain` behind xaitk-saliency's interface of image similarity: a reference, queries, a generator of descriptors.

The interface has no non-mate. A query's map is that of the reference as the probe and the query as the mate, against
the face nearest to the reference among the other queries, or among `others`, where these are given. It is signed:
positive where the reference speaks for the query, negative where it speaks for the other face.

    saliency = Similarity()(reference, [query, another], Descriptors(net))  # (2, height, width), in [−1, 1]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gweebp.excitation.layers import embeddings_of
from gweebp.networks.adapters.triplets import maps_at_image
from gweebp.networks.embedding import as_input
from gweebp.networks.gallery import nearest_impostor

_Generator: Any = object
_Saliency: Any = object
try:
    from smqtk_descriptors.interfaces.image_descriptor_generator import (  # type: ignore[no-redef]
        ImageDescriptorGenerator as _Generator,
    )
    from xaitk_saliency.interfaces.gen_image_similarity_blackbox_sal import (  # type: ignore[no-redef]
        GenerateImageSimilarityBlackboxSaliency as _Saliency,
    )
except ModuleNotFoundError:  # the classes below do what the interfaces ask, and are not of their kind
    pass

__all__ = ["Descriptors", "Similarity"]


class Descriptors(_Generator):
    """A network as a generator of descriptors; methods that look inside find it here.

    Attributes:
        net: has `size`, `channels`, `mean`, `std`, as `networks.as_input` needs.
    """

    def __init__(self, net: nn.Module) -> None:
        """Of a network."""
        self.net = net

    def input_of(self, image: np.ndarray) -> Tensor:
        """The network's input for one image.

        Args:
            image: uint8 (h, w) or (h, w, 3).

        Returns:
            (1, c, height, width).
        """
        x = torch.from_numpy(np.ascontiguousarray(image))
        x = x[..., None].expand(-1, -1, 3) if x.ndim == 2 else x[..., :3]
        like = next(self.net.parameters(), torch.zeros(()))
        return as_input(self.net, x.permute(2, 0, 1)[None].to(like.device)).to(like.dtype)

    def generate_arrays_from_images(self, img_mat_iter: Iterable[Any]) -> Iterator[np.ndarray]:
        """Embeddings of images.

        Args:
            img_mat_iter: images uint8 (h, w) or (h, w, 3).

        Yields an embedding (d,) per image.
        """
        for image in img_mat_iter:
            yield embeddings_of(self.net, self.input_of(image))[0].cpu().numpy()

    def get_config(self) -> dict[str, Any]:
        """Nothing: a network is not a value that JSON holds."""
        return {}


class Similarity(_Saliency):
    """Maps of a reference image, one per query."""

    def __init__(self, method: str = "gweebp", *, others: Tensor | None = None, **options: Any) -> None:
        """By a method of `explain` and its options, `layer` among them.

        Args:
            method: as of `explain`.
            others: embeddings (g, d) of other people, from which non-mates are taken; None: the other queries.
            options: of `explain`.
        """
        self.method, self.others, self.given = method, others, options

    def generate(self, ref_image: np.ndarray, query_images: Sequence[np.ndarray], blackbox: Any) -> np.ndarray:
        """Maps of the reference.

        Args:
            ref_image: uint8 (h, w) or (h, w, 3).
            query_images: of the same kind, of any size.
            blackbox: `Descriptors`.

        Returns:
            (queries, h, w), in [−1, 1]; each divided by its largest magnitude.

        Raises:
            TypeError: for a blackbox that is not `Descriptors`. ValueError: for a single query without `others`.
        """
        if ref_image.ndim not in (2, 3):
            raise ValueError(f"ref_image has shape {ref_image.shape}; expected (h, w) or (h, w, 3)")
        return self._generate(ref_image, query_images, blackbox)

    __call__ = generate

    def _generate(self, ref_image: np.ndarray, query_images: Sequence[np.ndarray], blackbox: Any) -> np.ndarray:
        if not isinstance(blackbox, Descriptors):
            raise TypeError(
                f"blackbox must be Descriptors(net), which shows its network; got {type(blackbox).__name__}"
            )
        net, probe = blackbox.net, blackbox.input_of(ref_image)
        queries = torch.cat([embeddings_of(net, blackbox.input_of(image), "query_images") for image in query_images])
        if self.others is None and len(queries) < 2:
            raise ValueError("a single query image has no other face to compare with: give others=, embeddings (g, d)")
        b, faces = len(queries), queries if self.others is None else self.others.to(queries)
        own = torch.eye(b, dtype=torch.bool, device=queries.device) if self.others is None else None
        index, _ = nearest_impostor(embeddings_of(net, probe).expand(b, -1), faces, own=own)
        probes, options = probe.expand(b, -1, -1, -1), {"method": self.method, **self.given}
        maps = maps_at_image(net, probes, queries, faces[index], signed=True, **options)
        size = (ref_image.shape[0], ref_image.shape[1])
        maps = torch.nn.functional.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        largest = maps.abs().amax((1, 2), keepdim=True)
        found: np.ndarray = (maps / torch.where(largest > 0, largest, 1)).cpu().numpy()
        return found

    def get_config(self) -> dict[str, Any]:
        """The method and its options."""
        return {"method": self.method, **self.given}
