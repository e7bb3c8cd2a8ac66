"""What is lost is said, with its place; what is dead or subnormal gives numbers; identities change nothing."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gweebp


def dead(bias):
    """A network whose hidden neurons only a bias keeps alive; half of them where the bias is one-sided."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        net[1].weight.copy_(torch.diag(torch.tensor([1.0, 1.0, -1.0, -1.0])))
        net[1].bias.fill_(bias), net[3].weight.fill_(1.0), net[3].bias.zero_()
    return net


TRIPLET = (torch.ones(2, 1, 2, 2).double(), torch.tensor([[1.0, 0.2, 0.1]]), torch.tensor([[0.1, 0.2, 1.0]]))


def test_a_warning_says_how_much_was_lost_where_and_of_which_samples():
    with pytest.warns(
        gweebp.LostMassWarning, match=r"up to 40\.0% .*Linear '1' 40\.0%.* at batch indices \[0, 1\]$"
    ) as caught:
        p = gweebp.mwp(dead(5.0), *TRIPLET, layer="input", weighted=False)  # 6 + 6 + 4 + 4: the last are its bias alone
    torch.testing.assert_close(p.flatten(1).sum(1), torch.full((2,), 0.6).double())
    (warning,) = (w for w in caught if w.category is gweebp.LostMassWarning)
    assert warning.filename == __file__
    assert abs(warning.message.share - 0.4) < 1e-12 and warning.message.indices == [0, 1]
    ((place, share),) = warning.message.places
    assert place == "Linear '1'" and abs(share - 0.4) < 1e-12


def test_a_maximum_that_a_constant_won_is_named():
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 4, bias=False), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 3)
    ).double()
    torch.manual_seed(0)
    with torch.no_grad():
        (
            net[1].weight.copy_(torch.eye(4) * torch.tensor([1.0, 1, 1, -1])),
            net[3].bias.fill_(1),
            net[4].weight.fill_(1.0),
        )
    with pytest.warns(gweebp.LostMassWarning, match="maxima that a constant won, such as the 0 of a ReLU 14"):
        gweebp.mwp(
            net, *TRIPLET, layer="input", weighted=False
        )  # 2 + 2 + 2 + 1, of which a norm's shift keeps the last


class Weighted(nn.Module):
    """Two layers between which many weighted responses are 0."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.a, self.b = nn.Conv2d(2, 6, 3), nn.Linear(6 * 4, 5)
        nn.init.normal_(self.a.bias, std=1.5)

    def forward(self, x):
        return self.b(self.a(x).relu().flatten(1))


def test_dead_ends_may_share_by_the_responses_as_they_are():
    net = Weighted().double()
    probe = torch.randn(4, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        e = net(probe)
    nonmate = e.flip(1)
    mate = e * torch.linspace(0.5, 1.5, 5)
    mate[3], nonmate[3] = -e[3], e[3]  # no gain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lost, kept = (
            gweebp.mwp(net, probe, mate, nonmate, layer="input", dead_ends=how) for how in ("lost", "unweighted")
        )
        alone = gweebp.mwp(net, probe[:1], mate[:1], nonmate[:1], layer="input", dead_ends="unweighted")
    a, b = lost.flatten(1).sum(1), kept.flatten(1).sum(1)
    assert (a[:3] < 0.95).any() and (b >= a - 1e-12).all() and (kept >= lost - 1e-12).all()
    assert b[:3].min() > a[:3].min() + 0.05 and b[3] == 0
    torch.testing.assert_close(alone, kept[:1])
    with pytest.raises(ValueError, match="dead_ends='kept' is unknown; expected 'lost' or 'unweighted'"):
        gweebp.explain(net, probe, mate, nonmate, layer="input", dead_ends="kept")


@pytest.mark.parametrize("scale", [1e-38, 1e-40, 1e-43])
def test_subnormal_weighted_responses_give_numbers(scale):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4, bias=False), nn.Linear(4, 3))
    with torch.no_grad():
        net[2].weight.copy_(torch.eye(3, 4))
        net[1].weight.copy_(torch.eye(4) * scale)
        net[2].bias.copy_(torch.tensor([1.0, 0.9, 1.1]))
    probe = torch.rand(1, 1, 2, 2) + 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = gweebp.mwp(net, probe, torch.tensor([[1.0, 0.9, 1.0]]), torch.tensor([[1.0, 0.1, 0.2]]), layer="input")
    assert p.isfinite().all() and 0 <= p.sum() <= 1.0001


IDENTITIES = {
    "dropout": lambda net, x: net.drop(x),
    "functional dropout": lambda net, x: F.dropout(x, 0.3, net.training),
    "no dropout": lambda net, x: F.dropout(x, 0.0, True),
    "+ 0": lambda net, x: x + 0,
    "0 +": lambda net, x: 0.0 + x,
    "- 0": lambda net, x: x - 0,
    "* 1": lambda net, x: x * 1.0,
    "1 *": lambda net, x: 1 * x,
    "/ 1": lambda net, x: x / 1,
    "** 1": lambda net, x: x**1,
    "in place": lambda net, x: x.clone().mul_(1).add_(0),
    "sum of a list": lambda net, x: sum([x]),
    "clone": lambda net, x: x.clone(),
    "contiguous": lambda net, x: x.contiguous(),
    "same type": lambda net, x: x.to(torch.float64),
    "identity": lambda net, x: nn.Identity()(x),
    "+x": lambda net, x: +x,
    "views": lambda net, x: x.permute(1, 0, 2, 3).reshape(8, -1).view(8, len(x), 7, 7).transpose(0, 1),
    "pad and crop": lambda net, x: F.pad(x, (1, 1, 1, 1))[..., 1:-1, 1:-1],
}


class Branch(nn.Module):
    """x + f(identity(x)): the copy is the same neuron as x."""

    def __init__(self, identity):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8 * 49, 6)
        self.identity, self.drop = identity, nn.Dropout(0.3)

    def forward(self, x):
        x = self.stem(x)
        return self.fc((x + self.conv(self.identity(self, x))).flatten(1))


@pytest.mark.filterwarnings("ignore::gweebp.LostMassWarning")
@pytest.mark.parametrize("method", ["ebp", "eebp", "gweebp", "gweebp-paper-code"])
@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_changes_no_map(name, method):
    p, n = torch.rand(2, 2, 3, 9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    m = 0.9 * p + 0.1 * n.flip(0)
    maps = [
        gweebp.explain(Branch(identity).double().train(), p, m, n, method=method, layer="stem")
        for identity in (IDENTITIES[name], lambda net, x: x)
    ]
    assert maps[1].sum() > 0
    torch.testing.assert_close(*maps, atol=1e-12, rtol=0)
