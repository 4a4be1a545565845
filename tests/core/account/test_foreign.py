"""What is on the account and not ours: told once, shown apart."""

import pytest
from msgspec.structs import replace

from core.account import foreign
from core.account.foreign import Foreign
from core.events import FillSeen, ListedOrder
from tests.builders import MARKET, YES, shares

ROW = ListedOrder("0xa", MARKET, YES, "SELL", "0.41" + "0" * 40, shares(30))
FILL = FillSeen(
    trade_id="t", order_id="0xa", size=shares(30), settlement="matched", unix=1.0, market=MARKET, token=YES,
    order_side="SELL", price="0.41",
)  # fmt: skip


def test_order_is_told_once_and_shown_until_a_complete_list_lacks_it() -> None:
    apart = Foreign()
    [found] = apart.list_orders([ROW], is_complete=False)
    assert (found.code, found.severity, found.effect, found.market) == ("foreign_order", "warning", "none", MARKET)
    assert found.text == "an open order on this account is not ours: SELL 30 shares at 0.4100000000", (
        "foreign text, cut"
    )
    assert apart.list_orders([], is_complete=False) == [] and apart.orders
    assert apart.list_orders([], is_complete=True) == [] and not apart.orders
    assert apart.list_orders([ROW], is_complete=True) == [], "it is no news when it comes back"


def test_side_that_nobody_told_is_not_invented() -> None:
    [found] = Foreign().list_orders([replace(ROW, order_side="")], is_complete=True)
    assert "a side that is not told, 30 shares" in found.text


def test_trade_is_told_once_and_its_latest_word_is_kept() -> None:
    apart = Foreign()
    [found] = apart.take_fill(FILL)
    assert (found.code, found.subject) == ("foreign_fill", "t")
    assert apart.take_fill(replace(FILL, settlement="failed")) == []
    assert [fill.settlement for fill in apart.fills.values()] == ["failed"]
    assert len(apart.take_fill(replace(FILL, order_id="0xb"))) == 1, "one trade, two of their orders"


def test_trade_of_a_stranger_is_nobody_s_business() -> None:
    apart = Foreign()
    assert (apart.take_fill(replace(FILL, owned=False)), apart.fills) == ([], {})


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "KEPT", 3)
    apart = Foreign()
    for number in range(9):
        apart.take_fill(replace(FILL, trade_id=f"t{number}"))
        apart.list_orders([replace(ROW, order_id=f"0x{number}")], is_complete=True)
    assert (len(apart.fills), len(apart.orders), len(apart._told)) == (3, 1, 3)
