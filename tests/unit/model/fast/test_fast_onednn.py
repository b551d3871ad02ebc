"""Products by oneDNN give what torch's own give, views and all."""

from __future__ import annotations

import pickle

import pytest
import torch

from nmt.model.fast import onednn
from nmt.model.fast.onednn import PrepackedWeight, linear, paired_linear, uses_onednn


@pytest.fixture(params=["oneDNN", "torch"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "torch":
        monkeypatch.setattr(onednn, "_has_onednn", lambda: False)
    elif not uses_onednn(torch.empty(1)):
        pytest.skip("needs oneDNN")
    return str(request.param)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_products_of_views(dtype: torch.dtype, rows: int) -> None:
    torch.manual_seed(1)
    wide = torch.randn(rows, 9).to(dtype)
    for given in (wide[:, 2:6], wide[:, :4].t().contiguous().t()):
        for weight in (torch.randn(7, 4).to(dtype), torch.randn(4, 7).to(dtype).t()):
            expected = given.double() @ weight.double().t()
            near = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-5}
            torch.testing.assert_close(linear(given, weight).double(), expected, **near)
            for plus in (torch.randn(rows, 11).to(dtype)[:, 3:10], torch.randn(7).to(dtype)):
                before = plus.clone()
                out = torch.full((rows, 20), 9.0, dtype=dtype)
                found = linear(given, weight, plus, out=out[:, 5:12])
                assert found.data_ptr() == out[:, 5:12].data_ptr() and found.dtype == dtype
                torch.testing.assert_close(found.double(), expected + plus.double(), **near)
                assert bool((out[:, :5] == 9.0).all() and (out[:, 12:] == 9.0).all())
                assert torch.equal(plus, before)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("offset", [True, False])
def test_two_products_at_once(offset: bool) -> None:
    torch.manual_seed(1)
    rows, weights, plus = torch.randn(2, 5, 4), torch.randn(2, 7, 4), torch.randn(2, 7)
    found = paired_linear(rows, weights, plus if offset else None)
    for place in (0, 1):
        expected = rows[place] @ weights[place].t() + (plus[place] if offset else 0.0)
        torch.testing.assert_close(found[place], expected, rtol=1e-5, atol=1e-5)


def test_a_product_is_laid_out_again_where_it_is_sent() -> None:
    torch.manual_seed(1)
    sent = PrepackedWeight(torch.randn(7, 4), torch.randn(7), torch.float32)
    inputs = torch.randn(5, 4)
    assert (sent.reordered is not None) == uses_onednn(inputs)
    arrived = pickle.loads(pickle.dumps(sent))
    assert (arrived.reordered is None) == (sent.reordered is None)
    assert torch.equal(arrived(inputs), sent(inputs))
