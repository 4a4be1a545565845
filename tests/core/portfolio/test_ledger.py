"""The account of one market: identities that hold after anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.portfolio.fifo import LotHolding
from core.portfolio.inventory import Inventory
from core.portfolio.ledger import Buy, Entry, Fee, Holding, Income, Ledger, Merge, Pico, Sell, Settle, Split, usd_of
from core.portfolio.net import NetLedger
from core.units import MICRO, Outcome, Shares, Usd
from tests.core.quoting.arrange import laws, shares, usd

outcomes = st.sampled_from(["YES", "NO"])
sizes = st.integers(0, 10**9).map(Shares)
prices = st.integers(0, MICRO).map(Usd)
amounts = st.integers(0, 10**8).map(Usd)
entries = st.lists(
    st.one_of(
        st.builds(Buy, outcomes, sizes, prices),
        st.builds(Buy, outcomes, sizes, prices),
        st.builds(Sell, outcomes, sizes, prices),
        st.builds(Split, sizes, prices),
        st.builds(Merge, sizes),
        st.builds(Settle, prices),
        st.builds(Fee, amounts),
        st.builds(Income, amounts),
    ),
    max_size=25,
)


def booked(history: list[Entry], ledger: Ledger) -> list[Entry]:
    """Book what is possible; returns it, with sizes cut to what is held."""
    done: list[Entry] = []
    for entry in history:
        if isinstance(entry, Sell):
            held = ledger.yes if entry.outcome == "YES" else ledger.no
            entry = Sell(entry.outcome, min(entry.size, held.shares), entry.price)
        elif isinstance(entry, Merge):
            entry = Merge(min(entry.size, ledger.yes.shares, ledger.no.shares))
        ledger.apply(entry)
        done.append(entry)
    return done


@laws
@given(entries, prices, st.sampled_from([Holding, LotHolding]))
def test_profits_add_up_to_cash_and_holdings_exactly(history: list[Entry], mark: Usd, holding: type[Holding]) -> None:
    ledger = Ledger(holding)
    booked(history, ledger)
    ledger.verify(mark)
    assert ledger.total(mark) == ledger.realised + ledger.unrealised(mark) - ledger.fees + ledger.income
    for held in (ledger.yes, ledger.no):
        assert held.shares >= 0 and held.cost >= 0
        assert held.shares or held.cost == 0


@laws
@given(entries, prices)
def test_methods_differ_only_in_when_profit_is_realised(history: list[Entry], mark: Usd) -> None:
    average, lots, net = Ledger(), Ledger(LotHolding), NetLedger()
    for entry in booked(history, average):
        lots.apply(entry)
        net.apply(entry)
    assert (lots.cash, lots.yes.shares, lots.no.shares) == (average.cash, average.yes.shares, average.no.shares)
    assert lots.total(mark) == average.total(mark)
    trading = average.total(mark) + average.fees - average.income
    assert net.realised + net.unrealised(mark) == trading
    assert net.position == average.yes.shares - average.no.shares


@laws
@given(entries)
def test_exchanging_the_tokens_changes_no_profit(history: list[Entry]) -> None:
    yes, no = Ledger(), Ledger()
    other: dict[Outcome, Outcome] = {"YES": "NO", "NO": "YES"}
    for entry in booked(history, yes):
        match entry:
            case Buy(outcome, size, price):
                no.apply(Buy(other[outcome], size, price))
            case Sell(outcome, size, price):
                no.apply(Sell(other[outcome], size, price))
            case Split(size, fair):
                no.apply(Split(size, Usd(MICRO - fair)))
            case Settle(payout):
                no.apply(Settle(Usd(MICRO - payout)))
            case _:
                no.apply(entry)
    assert (yes.cash, yes.realised, yes.yes.cost, yes.no.cost) == (no.cash, no.realised, no.no.cost, no.yes.cost)


def test_half_payout_pays_both_tokens() -> None:
    ledger = Ledger()
    ledger.apply(Buy("YES", shares(100), usd(0.6)))
    ledger.apply(Buy("NO", shares(40), usd(0.3)))
    ledger.apply(Settle(usd(0.5)))
    assert (usd_of(ledger.cash), usd_of(ledger.realised)) == (usd(-2), usd(-2))
    assert (ledger.yes.average, ledger.no.average) == (None, None)


@pytest.mark.parametrize(
    "entry",
    [
        Sell("YES", shares(11), usd(0.5)),
        Sell("NO", shares(1), usd(0.5)),
        Merge(shares(1)),
        Buy("YES", shares(-1), usd(0.5)),
        Buy("YES", shares(1), usd(1.1)),
        Settle(usd(-0.1)),
    ],
)
@pytest.mark.parametrize("holding", [Holding, LotHolding])
def test_what_cannot_have_happened_breaks_the_books_and_changes_nothing(entry: Entry, holding: type[Holding]) -> None:
    ledger = Ledger(holding)
    ledger.apply(Buy("YES", shares(10), usd(0.5)))
    with pytest.raises(InvariantBroken):
        ledger.apply(entry)
    assert (ledger.yes.shares, usd_of(ledger.cash)) == (shares(10), usd(-5))


def test_books_that_contradict_themselves_are_found() -> None:
    ledger = Ledger()
    ledger.realised = Pico(1)
    with pytest.raises(InvariantBroken):
        ledger.verify(usd(0.5))


def test_net_position_that_crosses_zero_starts_a_new_average() -> None:
    net = NetLedger()
    net.apply(Buy("YES", shares(100), usd(0.4)))
    net.apply(Buy("NO", shares(150), usd(0.45)))
    assert (net.position, net.average) == (shares(-50), pytest.approx(0.55))
    assert usd_of(net.realised) == usd(15)


def test_pairs_are_no_risk() -> None:
    held = Inventory(shares(500), shares(800))
    assert (held.net, held.pairs) == (shares(-300), shares(500))
    assert held.exposure(0.25) == pytest.approx(225.0)
    assert Inventory(shares(300), shares(0)).exposure(0.25) == pytest.approx(75.0)
