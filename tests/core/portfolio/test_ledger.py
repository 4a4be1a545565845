"""The books of one market: identities that hold after anything, possible or not."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.portfolio.books import Books
from core.portfolio.entries import (
    Buy,
    Convert,
    Entry,
    Fee,
    Flow,
    Found,
    Income,
    Merge,
    Redeem,
    Sell,
    Settle,
    Split,
)
from core.portfolio.fifo import LotHolding
from core.portfolio.inventory import Inventory
from core.portfolio.ledger import Ledger, Pico, pico_of, posting_of, usd_of
from core.units import MICRO, Outcome, Shares, Usd
from tests.core.portfolio.histories import (
    Naive,
    booked,
    dollars,
    histories,
    outcomes,
    payouts,
    prices,
    told,
    trades,
    wild,
    wild_histories,
)
from tests.core.quoting.arrange import laws, shares, usd

EVERY_MARK = (0, 1, MICRO // 3, MICRO - 1, MICRO)


# Identities


@laws
@given(wild_histories, wild)
def test_cash_and_holdings_are_what_the_profits_and_flows_make_them(history: list[Entry], mark: int) -> None:
    """In every view, at any mark, to the last Pico, and the self-check sees it so; impossible entries included."""
    books = booked(history)
    assert books.check() == ""
    for view in (books.average, books.lots):
        gained = view.realised + view.unrealised(Usd(mark)) - view.fees + view.income
        assert view.cash + view.value(Usd(mark)) == gained + view.contributed
        assert view.total(Usd(mark)) == gained
        for held in (view.yes, view.no):
            assert held.shares or held.cost == 0


@laws
@given(wild_histories, wild)
def test_views_differ_only_in_when_profit_is_realised(history: list[Entry], mark: int) -> None:
    books, at = booked(history), Usd(mark)
    average, lots, net = books.average, books.lots, books.net
    assert (lots.cash, lots.fees, lots.income) == (average.cash, average.fees, average.income)
    assert (lots.yes.shares, lots.no.shares) == (average.yes.shares, average.no.shares)
    assert lots.total(at) == average.total(at) == books.total(at)
    assert net.realised + net.unrealised(at) == average.total(at) + average.fees - average.income
    assert net.position == average.yes.shares - average.no.shares


@laws
@given(wild_histories)
def test_views_agree_with_a_ledger_written_anew(history: list[Entry]) -> None:
    """First in, first out to the last fraction; average cost but for its rounding of half a Pico a step."""
    books, naive = booked(history), Naive()
    for entry in history:
        naive.take(entry)
    average, lots = books.average, books.lots
    assert (dollars(lots.cash), dollars(lots.fees), dollars(lots.income)) == (naive.cash, naive.fees, naive.income)
    assert dollars(lots.contributed) == naive.given
    assert dollars(lots.realised) == naive.realised
    for held, outcome in ((lots.yes, "YES"), (lots.no, "NO")):
        assert Fraction(held.shares, MICRO) == naive.shares[outcome]
        assert dollars(held.cost) == sum(size * price for size, price in naive.lots[outcome])
    for mark in EVERY_MARK:
        assert dollars(books.total(Usd(mark))) == naive.total(Fraction(mark, MICRO))
    assert abs(dollars(average.realised) - naive.average_realised) <= Fraction(4 * len(history), MICRO * MICRO)


@laws
@given(histories)
def test_exchanging_the_tokens_changes_no_profit(history: list[Entry]) -> None:
    other: dict[Outcome, Outcome] = {"YES": "NO", "NO": "YES"}

    def mirrored(entry: Entry) -> Entry:
        match entry:
            case Buy(outcome, size, price):
                return Buy(other[outcome], size, price)
            case Sell(outcome, size, price):
                return Sell(other[outcome], size, price)
            case Convert(outcome, size, price):
                return Convert(other[outcome], size, price)
            case Found(outcome, size, price):
                return Found(other[outcome], size, price)
            case Redeem(outcome, size, amount):
                return Redeem(other[outcome], size, amount)
            case Split(size, price):
                return Split(size, Usd(MICRO - price))
            case Settle(price):
                return Settle(Usd(MICRO - price))
        return entry

    one, two = booked(history), booked([mirrored(entry) for entry in history])
    for yes, no in ((one.average, two.average), (one.lots, two.lots)):
        assert (yes.cash, yes.realised, yes.contributed) == (no.cash, no.realised, no.contributed)
        assert (yes.yes.cost, yes.no.cost) == (no.no.cost, no.yes.cost)
    assert (one.net.position, one.net.realised + one.net.unrealised(usd(0.3))) == (
        -two.net.position,
        two.net.realised + two.net.unrealised(usd(0.7)),
    )


@laws
@given(histories, histories)
def test_a_copy_goes_its_own_way_and_the_same_one(before: list[Entry], after: list[Entry]) -> None:
    books = booked(before)
    twin, kept = books.copy(), [told(books.average), told(books.lots), books.net.cost, books.net.realised]
    for entry in after:
        twin.apply(entry)
    assert kept == [told(books.average), told(books.lots), books.net.cost, books.net.realised]
    for entry in after:
        books.apply(entry)
    assert (told(twin.average), told(twin.lots)) == (told(books.average), told(books.lots))
    assert (twin.net.position, twin.net.cost, twin.net.realised, twin.net.payout) == (
        books.net.position,
        books.net.cost,
        books.net.realised,
        books.net.payout,
    )


# Single entries


def test_deposits_in_cash_and_in_kind_are_no_profit() -> None:
    books = booked(
        [Flow(usd(100)), Flow(usd(-30)), Found("NO", shares(10), usd(0.4)), Found("YES", shares(-2), usd(0.6))]
    )
    ledger = books.average
    assert (usd_of(ledger.cash), usd_of(ledger.contributed)) == (usd(70), usd(70 + 4 - 1.2))
    assert ledger.total(usd(0.6)) == 0


def test_fees_and_income_are_booked_beside_the_trading_profit() -> None:
    books = booked(
        [Buy("YES", shares(10), usd(0.5)), Fee(usd(0.25)), Income(usd(1)), Sell("YES", shares(10), usd(0.6))]
    )
    ledger = books.average
    assert (ledger.realised, ledger.fees, ledger.income) == (pico_of(usd(1)), pico_of(usd(0.25)), pico_of(usd(1)))
    assert ledger.total(usd(0)) == ledger.cash == pico_of(usd(1.75))


@pytest.mark.parametrize(("payout", "gained"), [(1.0, 28.0), (0.0, -32.0), (0.5, -2.0)])
def test_settlement_realises_the_profit_and_leaves_claims_worth_the_payout(payout: float, gained: float) -> None:
    books = booked([Buy("YES", shares(100), usd(0.6)), Buy("NO", shares(40), usd(0.3)), Settle(usd(payout))])
    ledger = books.average
    assert (ledger.yes.shares, ledger.no.shares, ledger.payout) == (shares(100), shares(40), usd(payout))
    assert usd_of(ledger.cash) == usd(-72), "no cash has moved yet"
    for view in (ledger, books.lots):
        assert (usd_of(view.realised), view.unrealised(usd(0.77))) == (usd(gained), 0)
        assert view.total(usd(0.01)) == view.total(usd(0.99)) == view.realised
    assert books.net.unrealised(usd(0.9)) == 0
    for outcome, size, worth in (("YES", 100, payout), ("NO", 40, 1 - payout)):
        assert books.apply(Redeem(outcome, shares(size), usd(size * worth))) is None
    assert (ledger.yes.shares, ledger.no.shares, ledger.cost, usd_of(ledger.cash)) == (0, 0, 0, usd(gained))
    assert usd_of(ledger.realised) == usd(gained), "redemption changes cash, not profit (market-making.md 3.5)"
    assert books.check() == ""


@laws
@given(st.integers(1, 50 * MICRO), st.lists(st.integers(1, 10 * MICRO), max_size=6), payouts, prices)
def test_redemption_in_parts_of_odd_micro_shares_ends_with_nothing_left(
    held: int, parts: list[int], payout: Usd, price: Usd
) -> None:
    """Each part pays whole micro-dollars, rounded down; what is lost by that is less than one a part, and realised."""
    books = booked([Buy("YES", Shares(held), price), Settle(payout)])
    settled, left, paid = books.average.realised, held, 0
    for part in [*(min(part, held) for part in parts), held]:
        size = min(part, left)
        amount = size * payout // MICRO
        assert books.apply(Redeem("YES", Shares(size), Usd(amount))) is None
        left, paid = left - size, paid + amount
    ledger = books.average
    assert (ledger.yes.shares, ledger.yes.cost, books.lots.yes.cost, books.net.cost) == (0, 0, 0, 0)
    assert ledger.cash == paid * MICRO - held * price == ledger.realised
    assert -MICRO * (len(parts) + 1) < ledger.realised - settled <= 0
    assert books.check() == ""


def test_lots_of_a_resolved_market_are_one() -> None:
    """They are all worth the same, and nothing of what they cost is kept."""
    lots = booked([*(Buy("YES", shares(1), usd(cents / 100)) for cents in range(1, 99)), Settle(usd(1))]).lots
    assert isinstance(lots.yes, LotHolding)
    assert list(lots.yes._lots) == [(shares(98), usd(1))]


def test_redemption_that_is_told_before_the_resolution_takes_the_cost_along() -> None:
    books = booked([Buy("YES", shares(10), usd(0.4)), Redeem("YES", shares(10), usd(10)), Settle(usd(1))])
    assert (usd_of(books.average.cash), usd_of(books.average.realised)) == (usd(6), usd(6))
    assert books.check() == ""


@pytest.mark.parametrize("late", [Buy("YES", shares(10), usd(0.4)), Sell("NO", shares(10), usd(0.6))])
def test_fill_that_is_told_after_the_resolution_is_profit_at_once(late: Entry) -> None:
    books = booked([Settle(usd(1)), late])
    ledger = books.average
    for view in (ledger, books.lots, books.net):
        assert (usd_of(view.realised), view.unrealised(usd(0.2))) == (usd(6), 0)
    assert ledger.total(usd(0.2)) == ledger.realised
    assert books.check() == ""


def test_sale_told_before_its_purchase_ends_flat_with_the_right_profit() -> None:
    books = Books()
    assert books.apply(Sell("YES", shares(10), usd(0.5))) == "10 YES leave, 0 are held"
    assert (books.average.yes.shares, usd_of(books.average.cash)) == (shares(-10), usd(5)), "the money has moved"
    assert books.average.yes.average == pytest.approx(0.5)
    assert books.copy().apply(Sell("YES", shares(1), usd(0.5))) == "1 YES leave, 0 are held"
    assert books.apply(Buy("YES", shares(10), usd(0.4))) is None
    for view in (books.average, books.lots):
        assert (view.yes.shares, view.yes.cost, usd_of(view.realised), usd_of(view.cash)) == (0, 0, usd(1), usd(1))


def test_merge_told_before_the_pairs_ends_flat_with_the_right_profit() -> None:
    books = Books()
    assert books.apply(Merge(shares(5))) == "5 YES leave, 0 are held; 5 NO leave, 0 are held"
    books.apply(Buy("YES", shares(5), usd(0.45)))
    books.apply(Buy("NO", shares(5), usd(0.48)))
    for view in (books.average, books.lots):
        assert (view.yes.shares, view.no.shares, view.cost) == (0, 0, 0)
        assert usd_of(view.realised) == usd_of(view.cash) == usd(0.35)


@pytest.mark.parametrize(("paid", "sold", "realised"), [(5, 1, -2), (4, 1, -1), (5, 2, -3), (5, 3, -5)])
def test_average_cost_is_rounded_to_the_nearest_pico_and_the_last_share_takes_the_rest(
    paid: int, sold: int, realised: int
) -> None:
    """Three micro-shares for ``paid`` Pico, given away for nothing."""
    ledger = booked([Buy("YES", Shares(2), Usd(1)), Buy("YES", Shares(1), Usd(paid - 2))]).average
    assert (ledger.yes.shares, ledger.yes.cost) == (3, paid)
    ledger.post(posting_of(Sell("YES", Shares(sold), Usd(0))))
    assert (ledger.realised, ledger.yes.cost) == (realised, paid + realised)


def test_lots_leave_in_the_order_they_came() -> None:
    books = booked([Buy("YES", shares(1), usd(p)) for p in (0.3, 0.3, 0.5, 0.2)])
    books.apply(Sell("YES", shares(2.5), usd(0.6)))
    assert usd_of(books.lots.realised) == usd(0.3 + 0.3 + 0.05)
    assert usd_of(books.average.realised) == usd(2.5 * (0.6 - 0.325))
    assert books.lots.yes.average == pytest.approx((0.5 * 0.5 + 0.2) / 1.5)


def test_net_position_that_crosses_zero_starts_a_new_average() -> None:
    net = booked([Buy("YES", shares(100), usd(0.4)), Buy("NO", shares(150), usd(0.45))]).net
    assert (net.position, net.average) == (shares(-50), pytest.approx(0.55))
    assert usd_of(net.realised) == usd(15)


@laws
@given(trades, st.lists(st.one_of(st.builds(Split, st.just(shares(7)), prices), st.just(Merge(shares(7)))), max_size=5))
def test_pairs_change_nothing_of_the_net_view(trade: Entry, pairs: list[Entry]) -> None:
    alone, among = booked([trade]).net, booked([trade, *pairs]).net
    assert (alone.position, alone.cost, alone.realised) == (among.position, among.cost, among.realised)


# Conversions


@st.composite
def conversions(draw: st.DrawFn) -> tuple[Shares, int, list[Convert]]:
    """Size, number of outcomes whose NO is given, and the legs of one conversion of NO into YES of all others."""
    fairs = draw(st.lists(st.integers(0, MICRO), min_size=2, max_size=6))
    given_up = draw(st.integers(1, len(fairs)))
    size = Shares(draw(st.integers(1, 10 * MICRO)))
    legs = [Convert("NO", Shares(-size), Usd(MICRO - fair)) for fair in fairs[:given_up]]
    legs += [Convert("YES", size, Usd(fair)) for fair in fairs[given_up:]]
    # what the fair values miss of a dollar together goes to the first leg
    first = legs[0]
    legs[0] = Convert("NO", first.size, Usd(first.price + sum(fairs) - MICRO))
    return size, given_up, legs


@laws
@given(conversions(), prices)
def test_conversion_conserves_what_the_group_pays_whoever_wins(
    conversion: tuple[Shares, int, list[Convert]], price: Usd
) -> None:
    """NO of k outcomes is YES of all others and k - 1 dollars (market-making.md 2.11)."""
    size, given_up, legs = conversion
    group = [booked([Buy(leg.outcome, size, price)] if leg.size < 0 else []) for leg in legs]

    def paid(winner: int) -> int:
        return sum(books.total(Usd(MICRO if number == winner else 0)) for number, books in enumerate(group))

    before, cash = [paid(winner) for winner in range(len(legs))], sum(books.average.cash for books in group)
    assert [books.apply(leg) for books, leg in zip(group, legs, strict=True)] == [None] * len(legs)
    assert sum(books.average.cash for books in group) - cash == (given_up - 1) * size * MICRO
    assert [paid(winner) for winner in range(len(legs))] == before
    assert all(books.check() == "" for books in group)
    assert all(books.average.no.shares == 0 for books in group)


# What cannot be


@pytest.mark.parametrize(
    ("entry", "words", "cash"),
    [
        (Sell("YES", shares(11), usd(0.5)), "11 YES leave, 10 are held", 5.5),
        (Sell("NO", shares(1), usd(0.5)), "1 NO leave, 0 are held", 0.5),
        (Merge(shares(1)), "1 NO leave, 0 are held", 1),
        (Convert("NO", shares(-2), usd(0.7)), "2 NO leave, 0 are held", 1.4),
        (Redeem("YES", shares(12), usd(12)), "12 YES leave, 10 are held", 12),
        (Redeem("YES", shares(2), usd(3)), "3 dollars paid for 2 shares", 3),
        (Redeem("YES", shares(0), usd(3)), "3 dollars paid for 0 shares", 3),
        (Buy("YES", shares(-1), usd(0.5)), "-1 shares", 0.5),
        (Buy("YES", shares(1), usd(1.1)), "1.1 dollars a share", -1.1),
        (Sell("YES", shares(1), usd(-0.1)), "-0.1 dollars a share", -0.1),
        (Settle(usd(-0.1)), "-0.1 dollars a share", 0),
        (Settle(usd(1.000001)), "1.000001 dollars a share", 0),
        (Income(usd(-1)), "an amount of -1 dollars", -1),
        (Found("YES", shares(-11), usd(0.5)), "11 YES leave, 10 are held", 0),
    ],
)
def test_what_cannot_be_is_told_and_booked_where_money_moved(entry: Entry, words: str, cash: float) -> None:
    books = booked([Buy("YES", shares(10), usd(0.5))])
    assert books.apply(entry) == words
    assert (usd_of(books.average.cash), books.average.payout) == (usd(cash - 5), None)
    assert books.check() == ""


@pytest.mark.parametrize(
    "entry",
    [
        Sell("YES", shares(10), usd(0.5)),
        Redeem("YES", shares(10), usd(0)),
        Redeem("YES", shares(10), usd(10)),
        Found("YES", shares(-10), usd(0.5)),
        Convert("YES", shares(1), usd(-0.01)),
        Convert("YES", shares(1), usd(1.01)),
        Settle(usd(0)),
        Settle(usd(1)),
        Settle(usd(0.5)),
        Flow(usd(-1_000)),
        Buy("NO", shares(1), usd(0)),
        Buy("NO", shares(1), usd(1)),
    ],
)
def test_nothing_is_said_of_what_may_be(entry: Entry) -> None:
    assert booked([Buy("YES", shares(10), usd(0.5))]).apply(entry) is None


@pytest.mark.parametrize(
    ("outcome", "amount", "words"),
    [
        ("YES", 2.5, None),
        ("YES", 2.499999, "2.499999 dollars paid, 2.5 are due"),
        ("YES", 2.500001, "2.500001 dollars paid, 2.5 are due"),
        ("NO", 7.5, None),
        ("NO", 2.5, "2.5 dollars paid, 7.5 are due"),
    ],
)
def test_redemption_that_pays_other_than_the_payout_is_told(outcome: Outcome, amount: float, words: str | None) -> None:
    books = booked([Split(shares(10), usd(0.5)), Settle(usd(0.25))])
    assert books.apply(Redeem(outcome, shares(10), usd(amount))) == words
    assert usd_of(books.average.cash) == usd(amount - 10)


def test_other_payout_than_before_is_told_and_is_the_one_that_counts() -> None:
    books = booked([Buy("YES", shares(10), usd(0.4)), Settle(usd(1))])
    assert books.apply(Settle(usd(1))) is None
    assert books.apply(Settle(usd(0))) == "resolved at 0 dollars, before at 1"
    assert (usd_of(books.average.realised), books.check()) == (usd(-4), "")


@laws
@given(
    histories, outcomes, st.sampled_from(["realised", "cash", "fees", "income", "contributed", "shares", "cost", "net"])
)
def test_books_that_contradict_themselves_are_found(history: list[Entry], outcome: Outcome, what: str) -> None:
    """One Pico or one micro-share is enough, in either ledger."""
    for view in ("average", "lots"):
        books = booked(history)
        ledger: Ledger = getattr(books, view)
        held = ledger.yes if outcome == "YES" else ledger.no
        if what == "shares":
            held.shares = Shares(held.shares + 1)
        elif what == "cost":
            held.cost = Pico(held.cost + 1)
        elif what == "net":
            books.net.realised = Pico(books.net.realised + 1)
        else:
            setattr(ledger, what, Pico(getattr(ledger, what) + 1))
        assert books.check() != ""


def test_pairs_are_no_risk() -> None:
    held = Inventory(shares(500), shares(800))
    assert (held.net, held.pairs) == (shares(-300), shares(500))
    assert held.exposure(0.25) == pytest.approx(225.0)
    assert Inventory(shares(300), shares(0)).exposure(0.25) == pytest.approx(75.0)


def test_shares_sold_before_they_came_make_no_negative_pairs() -> None:
    held = Inventory(shares(-2), shares(5))
    assert (held.net, held.pairs) == (shares(-7), 0)
