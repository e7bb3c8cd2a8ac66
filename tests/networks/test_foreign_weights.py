"""Corrupt and foreign weights: whatever a file holds, it gives a network that works, or a ValueError that names it."""

from __future__ import annotations

import json
import struct
import warnings
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import memory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from gweebp import networks
from gweebp.faces.preparation import cyclegan, inpainter
from gweebp.faces.preparation.parser import Parser
from gweebp.faces.preparation.resnet_generator import PatchGAN
from gweebp.networks import checkpoints, weights
from gweebp.support import files

pytestmark = pytest.mark.promise("errors: every refusal is an error of ours")
few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

LOADERS: dict[str, Callable[[Path], nn.Module | Parser]] = {
    "networks.load": networks.load,
    "checkpoints.load": checkpoints.load,
    "Parser.load": Parser.load,
    "weights.load": lambda path: weights.load(PatchGAN, path),
    "inpainter.load": inpainter.load,
    "cyclegan.load": cyclegan.load,
    "cyclegan.published": cyclegan.published,
}
loaders = st.sampled_from(sorted(LOADERS))
CONFIG = {"network": "lcnn9", "width": 0.05, "size": 16, "channels": 1, "embedding": 4, "mean": 0.5, "std": 0.25}
NET = networks.build(**CONFIG, seed=0)
STATE = NET.state_dict()


def refused(load: Callable[[Path], nn.Module | Parser], path: Path) -> bool:
    """Whether `load` refuses the file, in words that name it; a network that it gives is asked for an embedding."""
    found: nn.Module | Parser | ValueError
    try:
        found = load(path)
    except ValueError as error:
        found = error
    if isinstance(found, ValueError):
        assert path.name in str(found) and len(str(found)) < 1000
        return True
    if isinstance(found, networks.EmbeddingNetwork):
        images = torch.randint(256, (1, 3, 20, 20), dtype=torch.uint8)
        with torch.no_grad():
            assert found(networks.as_input(found, images)).shape == (1, found.config["embedding"])
    return False


# ---- pickles of anything ----

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch warns of sparse tensors, and of more
    SPECIAL: list[Tensor] = [
        torch.eye(2).to_sparse(),
        torch.eye(2).to_sparse_csr(),
        torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        torch.zeros(2, 2, device="meta"),
        torch.zeros(1).expand(10**5, 10**7),
        torch.tensor([torch.nan]),
        torch.tensor([1e300], dtype=torch.float64),
        nn.Parameter(torch.ones(2)),
        torch.ones(2, requires_grad=True),
    ]
DTYPES = ("float32", "float64", "float16", "int64", "bool", "complex64", "float8_e4m3fn", "uint16")
NAMES = ("state_dict", "model_state_dict", "module.a", *(f"{kind.sign}.weight" for kind in checkpoints.KINDS.values()),
         "model.1.weight", "features.conv1.weight")  # fmt: skip
plain = st.builds(
    lambda dtype, shape: torch.zeros(shape, dtype=getattr(torch, dtype)),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=4),
)
leaves = (
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=4))
    | st.sampled_from([np.float64(1), np.int32(2), torch.float32, torch.Size([2]), torch.device("cpu")])
    | st.one_of(plain, st.sampled_from(SPECIAL))
)
keys = st.text(max_size=4) | st.integers() | st.none() | st.sampled_from(NAMES)
contents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.builds(OrderedDict, st.dictionaries(keys, inner, max_size=3))
        | st.builds(Counter, st.dictionaries(keys, st.integers(), max_size=3))
    ),
    max_leaves=8,
)


@few
@given(
    content=contents | st.dictionaries(keys, plain | st.sampled_from(SPECIAL), min_size=1),
    old=st.booleans(),
    loader=loaders,
)
@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_pickles_of_anything(tmp_path, content, old, loader):
    path = tmp_path / "x.pth"
    try:
        torch.save(content, path, _use_new_zipfile_serialization=not old)
    except Exception:  # PyTorch can't save everything
        return
    assert refused(LOADERS[loader], path)


OPCODES = [*b"\x80\x02}]()q\x00r\x85\x86\x87\x88\x89NK\x01MJGX\x00U\x8a\x8bceuasbtRQ0."]
GLOBALS = ["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch FloatStorage", "torch Tensor",
           "torch._utils _rebuild_sparse_tensor", "collections OrderedDict", "collections Counter", "torch Size",
           "torch.storage UntypedStorage", "builtins bytearray", "_codecs encode", "torch device", "os system",
           "numpy dtype", "numpy.core.multiarray scalar"]  # fmt: skip
pieces = st.sampled_from(OPCODES).map(lambda b: bytes([b]))
pieces |= st.sampled_from(GLOBALS).map(lambda name: b"c" + name.replace(" ", "\n").encode() + b"\n")
pieces |= st.integers(-2, 2**31 - 1).map(lambda n: b"J" + struct.pack("<i", n))
pieces |= st.sampled_from(["storage", "cpu", "0", "meta", "a"]).map(
    lambda s: b"X" + struct.pack("<I", len(s)) + s.encode()
)
whole = st.sampled_from(
    [
        b"ctorch.storage\nUntypedStorage\n(ctorch\nTensor\nJ\x00\x00\x00@\x85R",
        b"cbuiltins\nbytearray\nJ\x00\xff\xff\x7f\x85R",
    ]
)


@few
@given(body=st.lists(pieces | whole, max_size=30), packed=st.booleans(), loader=loaders)
def test_pickles_of_any_operations(tmp_path, body, packed, loader):
    path, program = tmp_path / "x.pth", b"\x80\x02" + b"".join(body) + b"."
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", program)
            archive.writestr("x/version", "3\n")
            archive.writestr("x/data/0", bytes(16))
    else:
        path.write_bytes(program)
    assert refused(LOADERS[loader], path)


# ---- files of ours and of others, damaged ----


def good_files(folder: Path) -> dict[str, bytes]:
    networks.save(NET, folder / "net.safetensors")
    torch.save(STATE, folder / "net.pth")
    torch.save({"state_dict": STATE}, folder / "old.pth", _use_new_zipfile_serialization=False)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    return good_files(tmp_path_factory.mktemp("good"))


@few
@given(data=st.data(), name=st.sampled_from(["net.safetensors", "net.pth", "old.pth"]), loader=loaders)
def test_damaged_files(tmp_path, good, data, name, loader):
    content = bytearray(good[name])
    for _ in range(data.draw(st.integers(0, 4), "changes")):
        # the header and the directory of the archive, where damage says most
        place = data.draw(st.integers(0, 2000) | st.integers(0, len(content) - 1) | st.integers(-1500, -1), "place")
        place = min(place % len(content), len(content) - 1)
        content[place] = data.draw(st.integers(0, 255), "byte")
    cut = data.draw(st.none() | st.integers(0, len(content)), "cut")
    path = tmp_path / name
    path.write_bytes(content[:cut])
    refused(LOADERS[loader], path)


entries = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F64", "F4", "F8_E4M3", "BOOL", "I64", "X", "C64"])
        | st.none()
        | st.integers(),
        "shape": st.lists(st.integers(-1, 2**62) | st.integers(0, 4), max_size=3) | st.none(),
        "data_offsets": st.lists(st.integers(-1, 64), max_size=3) | st.just([0, 4]) | st.just([0, 0]),
    },
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["config", "record", "size"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@few
@given(
    header=st.dictionaries(st.sampled_from([*NAMES, *STATE]), entries, max_size=3) | documents,
    metadata=st.none() | st.fixed_dictionaries({files.METADATA: documents.map(json.dumps) | st.text(max_size=5)}),
    loader=loaders,
)
def test_safetensors_of_anything(tmp_path, header, metadata, loader):
    if metadata is not None and isinstance(header, dict):
        header = {"__metadata__": metadata, **header}
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
    assert refused(LOADERS[loader], path)


numbers = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.sampled_from([300, 1e9, 10**9, 32.0, -1, 0])
)
OPTIONS = (
    "width",
    "size",
    "channels",
    "embedding",
    "mean",
    "std",
    "hidden",
    "blocks",
    "classes",
    "seed",
    "network",
    "depth",
)


@few
@given(
    changes=st.dictionaries(st.sampled_from(OPTIONS), numbers | st.lists(numbers, max_size=3), min_size=1, max_size=2),
    loader=loaders,
)
def test_configurations_of_anything(tmp_path, changes, loader):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path, metadata={files.METADATA: json.dumps({"config": CONFIG | changes})})
    refused(LOADERS[loader], path)


@settings(few, max_examples=30)
@given(data=st.data())
def test_a_tensor_of_another_kind_in_a_network_of_ours(tmp_path, data):
    name = data.draw(st.sampled_from(sorted(STATE)))
    changed = data.draw(
        st.sampled_from(["int64", "bool", "complex64", "float64", "float16", "shape", "dims", "nan", "large"])
    )
    tensor = STATE[name]
    if changed in ("shape", "dims"):
        tensor = torch.cat([tensor, tensor]) if changed == "shape" else tensor[None]
    elif changed in ("nan", "large"):
        tensor = torch.full(tensor.shape, torch.nan if changed == "nan" else 1e300, dtype=torch.float64)
    else:
        tensor = tensor.to(getattr(torch, changed))
    path = tmp_path / "x.safetensors"
    files.write_tensors(path, STATE | {name: tensor}, {"config": CONFIG})
    assert refused(networks.load, path) is (changed not in ("float64", "float16"))


def test_a_small_file_takes_little_memory(tmp_path):
    (tmp_path / "bytes.pth").write_bytes(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    torch.save({"a": torch.zeros(2**26)}, tmp_path / "large.pth")  # 256 MiB of zeros, a few hundred kB packed
    with zipfile.ZipFile(tmp_path / "large.pth") as large, zipfile.ZipFile(tmp_path / "packed.pth", "w") as packed:
        for name in large.namelist():
            packed.writestr(name, large.read(name), zipfile.ZIP_DEFLATED)
    (tmp_path / "large.pth").unlink()
    for name, change in {"wide": {"width": 60}, "long": {"embedding": 10**9}, "big": {"size": 8000}}.items():
        save_file(STATE, tmp_path / f"{name}.safetensors", {files.METADATA: json.dumps({"config": CONFIG | change})})
    torch.save({"conv1_1.weight": torch.zeros(2)}, tmp_path / "vgg.pth")  # 580 MB, were it what its key says
    code = """
    for path in sorted(Path(sys.argv[1]).iterdir()):
        try:
            networks.load(path)
        except ValueError as error:
            assert path.name in str(error), error
        else:
            raise AssertionError(f"{path} was loaded")
    """
    assert memory.peak("from pathlib import Path\nfrom gweebp import networks", code, tmp_path) < 100


class Reads(nn.Module):
    """A network of a user, whose constructor reads numbers: an outline of it can't be made."""

    def __init__(self, width=3):
        super().__init__()
        self.config = {"network": "test: reads", "width": width}
        self.fc = nn.Linear(2, width + int(torch.linspace(0, 1, 3).sum().round() * 0))


def test_a_network_without_an_outline_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "test: reads", Reads)
    weights.save(Reads(), tmp_path / "x.safetensors")
    assert isinstance(networks.load(tmp_path / "x.safetensors"), Reads)
    files.write_tensors(tmp_path / "x.safetensors", Reads().state_dict(), {"config": Reads(width=4).config})
    with pytest.raises(
        ValueError, match=r"x\.safetensors: fc\.weight has shape \(3, 2\), but this Reads expects \(4, 2\)"
    ):
        networks.load(tmp_path / "x.safetensors")
    files.write_tensors(
        tmp_path / "x.safetensors", Reads().state_dict(), {"config": {"network": "test: reads", "depth": 4}}
    )
    with pytest.raises(ValueError, match=r"x\.safetensors holds another network than it names: .*depth"):
        networks.load(tmp_path / "x.safetensors")


def test_loading_leaves_the_random_state(tmp_path):
    networks.save(NET, tmp_path / "x.safetensors")
    before = torch.get_rng_state()
    networks.load(tmp_path / "x.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
