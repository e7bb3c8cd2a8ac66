"""Search in galleries: exact to the bit, whatever the block; from a file; by an index; and ranks with ties."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from gweebp.networks.gallery import nearest_impostor
from gweebp.networks.search import open_gallery, recall, save_gallery, search
from gweebp.networks.verification import distances, ranks, unit


@st.composite
def galleries(draw):
    """Probe, gallery and who is passed over; with repeated faces, near and far ones, embeddings of any length."""
    t, g, d = draw(st.integers(1, 4)), draw(st.integers(2, 40)), draw(st.integers(1, 9))
    generator = torch.manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    kinds = draw(st.integers(1, g))
    gallery = torch.randn(kinds, d, generator=generator, dtype=dtype)[torch.randint(kinds, (g,), generator=generator)]
    gallery = gallery * 10.0 ** torch.randint(-3, 4, (g, 1), generator=generator)
    probe = torch.randn(t, d, generator=generator, dtype=dtype)
    if draw(st.booleans()):
        probe[0] = gallery[-1]
    own = torch.rand(t, g, generator=generator) < draw(st.sampled_from([0.0, 0.3]))
    own[:, 0] = False
    return probe, gallery, own


@given(galleries(), st.integers(1, 3), st.sampled_from([1, 7, 50, 2**22]))
def test_search_is_what_sorting_all_distances_gives_to_the_bit(case, k, block):
    probe, gallery, own = case
    k = min(k, int((~own).sum(1).min()))
    d = distances(unit(probe), unit(gallery)).masked_fill(own, torch.inf).sort(dim=1, stable=True)
    index, distance = search(probe, gallery, k, own=own, block=block)
    assert torch.equal(index, d.indices[:, :k])
    assert torch.equal(distance, d.values[:, :k])
    if k == 1:
        assert all(torch.equal(a, b[:, 0]) for a, b in zip(nearest_impostor(probe, gallery, own), (index, distance)))


@given(galleries(), st.sampled_from([1, 7, 50, 2**22]), st.data())
def test_ranks_count_ties_against_the_mate_in_any_block(case, block, data):
    probe, gallery = unit(case[0]), unit(case[1])
    mate = torch.tensor(data.draw(st.lists(st.integers(0, len(gallery) - 1), min_size=len(probe), max_size=len(probe))))
    d = distances(probe, gallery)
    wanted = (d <= d.gather(1, mate[:, None])).sum(1)
    assert torch.equal(ranks(probe, gallery, mate, block=block), wanted)
    assert torch.equal(ranks(probe, gallery.numpy(), mate, block=block), wanted)


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_a_fast_product_changes_nothing(precision):
    generator = torch.manual_seed(0)
    probe, gallery = unit(torch.randn(4, 64, generator=generator)), unit(torch.randn(500, 64, generator=generator))
    wanted, mate = search(probe, gallery, 5), torch.arange(4)
    rank = ranks(probe, gallery, mate)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        assert all(torch.equal(a, b) for a, b in zip(search(probe, gallery, 5), wanted))
        assert torch.equal(ranks(probe, gallery, mate), rank)
    finally:
        torch.set_float32_matmul_precision(before)


@given(galleries(), st.sampled_from(["float16", "float32"]), st.integers(1, 7))
def test_a_file_is_searched_as_what_it_holds(tmp_path_factory, case, dtype, batch):
    probe, gallery, own = case
    path = tmp_path_factory.mktemp("gallery") / "gallery.npy"
    assert save_gallery(path, gallery.float().split(batch), dtype=dtype) == tuple(gallery.shape)
    opened = open_gallery(path)
    stored = torch.from_numpy(np.array(opened))
    assert opened.dtype == dtype
    torch.testing.assert_close(stored.float(), unit(gallery.float()), atol=1e-3 if dtype == "float16" else 0, rtol=0)
    found = search(probe.float(), opened, own=own, block=16)
    assert all(torch.equal(a, b) for a, b in zip(found, search(probe.float(), stored.float(), own=own)))
    with pytest.raises(ValueError, match="read-only"):
        opened[0] = 0


class Sorted:
    """An index as FAISS's, over the gallery's unit embeddings, which sees only a part of them."""

    def __init__(self, gallery, sees):
        self.gallery, self.sees = unit(gallery).float(), sees

    def search(self, x, k):
        d = distances(torch.from_numpy(x), self.gallery).masked_fill(~self.sees, torch.inf)
        found = d.topk(min(k, d.shape[1]), largest=False)
        rows = found.indices.masked_fill(found.values.isinf(), -1)
        return found.values.numpy(), torch.nn.functional.pad(rows, (0, k - rows.shape[1]), value=-1).numpy()


@given(galleries(), st.data())
def test_an_index_names_candidates_and_distances_stay_exact(case, data):
    probe, gallery, own = case
    everything = Sorted(gallery, torch.ones(len(gallery), dtype=torch.bool))
    exact = search(probe, gallery, own=own)
    found = search(probe, gallery, own=own, index=everything)
    assert torch.equal(found[1], exact[1])
    assert recall(probe, gallery, everything, own=own) == 1
    sees = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(gallery), max_size=len(gallery))))
    part = Sorted(gallery, sees)
    assert recall(probe, gallery, part, own=own) == sees[exact[0]].double().mean()
    if (sees & ~own).any(1).all():
        index, distance = search(probe, gallery, own=own, index=part)
        assert sees[index].all()
        assert (distance >= exact[1]).all()
    else:
        with pytest.raises(ValueError, match="that the index names"):
            search(probe, gallery, own=own, index=part)


def test_what_cannot_be_searched_is_refused(tmp_path):
    e = torch.eye(3)
    with pytest.raises(ValueError, match="probe has embeddings of length 3 and gallery of length 2"):
        search(e, torch.eye(2))
    with pytest.raises(ValueError, match="4 faces are wanted, and a probe has 3 others in the gallery"):
        search(e, e, 4)
    with pytest.raises(ValueError, match="gallery embeddings are zero"):
        search(e, torch.zeros(3, 3))
    with pytest.raises(TypeError, match="gallery must be a tensor or an array"):
        search(e, [e])
    for k in (0, -1, 1.0, True):
        with pytest.raises(ValueError, match="k must be a whole number"):
            search(e, e, k)


def test_a_gallery_is_written_whole_or_not_and_over_nothing(tmp_path):
    path = tmp_path / "gallery.npy"
    for blocks, message in [([], "no embeddings"), ([torch.eye(3), torch.eye(2)], "of two networks"),
                            ([torch.zeros(1, 3)], "zero")]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            save_gallery(path, blocks)
        assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"must end in \.npy"):
        save_gallery(tmp_path / "gallery.txt", [torch.eye(3)])
    save_gallery(path, [torch.eye(3)])
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists"):
        save_gallery(path, [torch.eye(2)])
    assert path.read_bytes() == before


@given(st.data())
def test_a_file_that_is_no_gallery_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("gallery") / "gallery.npy"
    save_gallery(path, [torch.eye(3)])
    whole = path.read_bytes()
    kind = data.draw(st.sampled_from(["cut", "text", "objects", "vector", "whole numbers"]))
    if kind == "cut":
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    elif kind == "text":
        path.write_bytes(data.draw(st.binary(max_size=50)))
    else:
        values = {"objects": np.array([[None]]), "vector": np.ones(3), "whole numbers": np.ones((2, 2), dtype=int)}
        np.save(path, values[kind], allow_pickle=True)
    with pytest.raises(ValueError, match=r"gallery\.npy"):
        open_gallery(path)
