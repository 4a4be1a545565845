"""Selling what is held, buying the complement of the rest."""

from hypothesis import given
from hypothesis import strategies as st

from core.quoting.routing import Funds, Layer, route, split_legs
from core.units import SIZE_QUANTUM, Shares, Ticks, Usd, grid_of
from tests.core.quoting.arrange import laws, shares, usd


def test_holding_of_a_fraction_of_a_cent_share_is_rounded_down() -> None:
    assert split_legs(shares(23), shares(22.99695), usd(50), Usd(60_000), shares(5), None) == (shares(22.99), 0)


def test_order_that_scores_whole_is_not_split_when_cash_buys_all_of_it() -> None:
    wanted, held, price = shares(150), shares(100), Usd(500_000)
    assert split_legs(wanted, held, usd(75), price, shares(5), shares(100)) == (0, shares(150))
    assert split_legs(wanted, held, usd(74), price, shares(5), shares(100)) == (shares(100), shares(50))
    assert split_legs(wanted, held, usd(75), price, shares(5), None) == (shares(100), shares(50))
    assert split_legs(wanted, held, usd(75), price, shares(5), shares(20)) == (shares(100), shares(50))


def test_no_cash_still_sells_what_is_held() -> None:
    assert split_legs(shares(50), shares(20), Usd(-5), Usd(500_000), shares(5), None) == (shares(20), 0)


sizes = st.integers(0, 10**10)


@laws
@given(st.sampled_from(["0.01", "0.0025", "0.0001"]), st.data(), sizes, sizes, sizes, st.integers(-(10**9), 10**10))
def test_legs_never_exceed_the_order_the_holding_or_the_cash(
    tick: str, data: st.DataObject, size: int, yes: int, no: int, cash: int
) -> None:
    grid = grid_of(tick)
    ticks = Ticks(data.draw(st.integers(1, grid.k - 1)))
    funds = Funds(Shares(yes), Shares(no), Usd(cash))
    side = data.draw(st.sampled_from(["bid", "ask"]))
    targets = route([Layer(side, 0, ticks, Shares(size))], funds, grid, shares(5), None)
    assert sum(t.size for t in targets) <= size
    assert funds.yes >= 0 and funds.no >= 0 and funds.cash >= min(cash, 0)
    assert [t.order_side for t in targets] in ([], ["SELL"], ["BUY"], ["SELL", "BUY"])
    assert all(t.size >= shares(5) and t.size % SIZE_QUANTUM == 0 for t in targets)
    # Cash that buys one more hundredth of a share is never left idle while the order wants it.
    bought = [t for t in targets if t.order_side == "BUY"]
    if bought:
        price = bought[0].token_ticks * grid.tick_usd
        short = size - sum(t.size for t in targets)
        assert short < SIZE_QUANTUM or funds.cash * 1_000_000 < price * SIZE_QUANTUM
