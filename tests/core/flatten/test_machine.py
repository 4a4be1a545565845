"""The machine against venues that do what they like: it never costs more than its cap, and it always ends."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.flatten.cost import (
    Blocked,
    Crossing,
    Terms,
    least_resting_price,
    most_lost_crossing,
    most_lost_resting,
    next_crossing,
    why_unknown,
)
from core.flatten.machine import (
    MERGE_SEC,
    PATIENCE_SEC,
    Cross,
    End,
    Flattening,
    Look,
    MergePairs,
    Pull,
    Rest,
    Wait,
    Wish,
)
from core.flatten.preview import Facts, preview
from core.market.book import Level
from core.market.fees import FeeSchedule, taker_fee
from core.units import MICRO, SIZE_QUANTUM, Shares, Ticks, Usd, grid_of
from tests.builders import laws, shares

GRID: Final = grid_of("0.01")
LEAST: Final = shares(5)
LOOK_SEC: Final = 0.5
LONGEST_SEC: Final = 2_000.0
"""A flattening whose venue never lets it end is a failure here."""
FREE: Final = FeeSchedule(rate=0)
DEAR: Final = FeeSchedule(rate=70_000)

makers = st.lists(st.integers(10_000, 60_000_000), min_size=1, max_size=4)
"""Micro-shares of the orders at one level: dust of a hundredth of a share too."""
books = st.dictionaries(st.integers(1, 98), makers, max_size=7)
schedules = st.sampled_from([FREE, FeeSchedule(rate=40_000), DEAR, FeeSchedule(rate=250_000, exponent=2)])


def terms(fair: float = 0.5, fees: FeeSchedule | None = FREE, gap: int = 3) -> Terms:
    return Terms(Usd(round(fair * MICRO)), GRID, fees, gap)


def levels(*bids: tuple[int, float]) -> tuple[Level, ...]:
    return tuple((Ticks(price), shares(size)) for price, size in bids)


def facts(held: float, fair: float, bids: tuple[Level, ...], **over: object) -> Facts:
    plain: dict[str, object] = {
        "market": "0xaa",
        "title": "Will it?",
        "yes": shares(held),
        "no": Shares(0),
        "outcome": "YES",
        "free": shares(held),
        "cost": Usd(500_000),
        "fair": Usd(round(fair * MICRO)),
        "bids": bids,
        "ask": Ticks(bids[0][0] + 2) if bids else None,
        "unproven": "",
        "proof_age_s": 0.0,
        "merge_why_not": "nothing goes to the chain in paper",
        "route": "",
        "flow": 0.0,
    }
    return Facts(**(plain | over))  # type: ignore[arg-type]


class Venue:
    """One token's bids, maker by maker, and at most one order of ours that rests."""

    def __init__(self, bids: dict[int, list[int]], fees: FeeSchedule, fair: Usd, held: int) -> None:
        self.bids = {price: list(sizes) for price, sizes in bids.items()}
        self.fees = fees
        self.fair = fair
        self.held = held
        self.resting: tuple[Ticks, Shares, float] | None = None
        self.cost = 0
        """Exact, millionths of a micro-dollar."""
        self.crossed: list[tuple[Ticks, Shares]] = []
        self.trades: list[tuple[int, Usd, Shares, Usd]] = []
        """That may still fail: cost, price told, size and fee."""

    def shown(self) -> tuple[Level, ...]:
        return tuple((Ticks(price), Shares(sum(self.bids[price]))) for price in sorted(self.bids, reverse=True))

    def sold(self, price: int, size: int, fee: int) -> None:
        self.held -= size
        self.cost += (self.fair - GRID.dollars_of(price)) * size + fee * MICRO

    def cross(self, order: Cross, machine: Flattening, now: float) -> None:
        """Match maker by maker, each with a fee of its own."""
        left, cash, fees, before = int(order.size), 0, 0, self.cost
        for price in sorted(self.bids, reverse=True):
            if price < order.price:
                break
            while self.bids[price] and left:
                size = min(left, self.bids[price][0])
                fee = taker_fee(GRID.dollars_of(price), Shares(size), self.fees)
                self.sold(price, size, fee)
                self.crossed.append((Ticks(price), Shares(size)))
                cash, fees, left = cash + GRID.dollars_of(price) * size, fees + fee, left - size
                self.bids[price][0] -= size
                if not self.bids[price][0]:
                    self.bids[price].pop(0)
        self.bids = {price: sizes for price, sizes in self.bids.items() if sizes}
        if left < order.size:
            size = order.size - left
            self.tell(self.cost - before, Usd(cash // size), Shares(size), Usd(fees), machine, now)

    def tell(self, cost: int, price: Usd, size: Shares, fee: Usd, machine: Flattening, now: float) -> None:
        self.trades.append((cost, price, size, fee))
        machine.filled(price, size, fee, now)

    def fail(self, machine: Flattening) -> None:
        """The last trade turns out never to have been: its shares are ours again."""
        if self.trades:
            cost, price, size, fee = self.trades.pop()
            self.held, self.cost = self.held + size, self.cost - cost
            machine.failed(price, size, fee)

    def fill(self, part: float, machine: Flattening, now: float) -> None:
        """Somebody takes a part of what rests."""
        if self.resting is None:
            return
        price, size, since = self.resting
        taken = Shares(min(size, max(1, int(size * part))))
        before = self.cost
        self.sold(price, taken, 0)
        self.tell(self.cost - before, GRID.dollars_of(price), taken, Usd(0), machine, now)
        self.resting = (price, Shares(size - taken), since) if taken < size else None


def look(venue: Venue, now: float, trouble: str = "", merging: bool = False) -> Look:
    return Look(
        now=now,
        left=Shares(venue.held),
        free=Shares(venue.held),
        orders=venue.resting is not None,
        is_crossing=False,
        resting=venue.resting,
        bids=venue.shown(),
        ask=None,
        fair=venue.fair,
        pairs=Shares(0),
        is_merging=merging,
        may_cross=trouble,
        may_rest=trouble,
        must_pull=trouble,
    )


def begun(venue: Venue, fair: float, cap: float, passive_s: float = 0.0, gap: int = 3) -> Flattening:
    seen = facts(venue.held / MICRO, fair, venue.shown())
    made = preview(seen, terms(fair, venue.fees, gap), Usd(round(cap * MICRO)), passive_s, None, LEAST)
    return Flattening(made, "test", 0.0, LEAST)


def carry_out(wish: Wish, venue: Venue, machine: Flattening, now: float) -> None:
    match wish:
        case Cross():
            assert venue.resting is None
            venue.cross(wish, machine, now)
        case Rest(price, size):
            assert venue.resting is None and size >= LEAST
            venue.resting = (price, size, now)
        case Pull():
            venue.resting = None


moves = st.lists(
    st.tuples(
        st.sampled_from(["still", "new", "vanish", "fall", "rise", "fill", "fail", "trouble"]),
        books,
        st.integers(1, 12),
        st.floats(0.01, 1.0),
    ),
    max_size=40,
)


@laws(300)
@given(
    bids=books,
    fees=schedules,
    fair=st.integers(2, 98),
    held=st.integers(1, 20_000),
    cap=st.floats(0, 40),
    passive_s=st.sampled_from([0.0, 3.0, 10.0]),
    happens=moves,
)
def test_whatever_the_venue_does_it_costs_no_more_than_its_cap_and_ends(
    bids: dict[int, list[int]],
    fees: FeeSchedule,
    fair: int,
    held: int,
    cap: float,
    passive_s: float,
    happens: list[tuple[str, dict[int, list[int]], int, float]],
) -> None:
    """The promise of the preview. Levels come and go, fall and gap; fills come when they like, and books are lost."""
    venue = Venue(bids, fees, GRID.dollars_of(fair), held * SIZE_QUANTUM)
    machine = begun(venue, fair / 100, cap, passive_s)
    now, step, trouble = 0.0, 0, ""
    while True:
        wish = machine.next(look(venue, now, trouble))
        if isinstance(wish, Cross):
            assert not trouble, "it crossed on a book that was not proven"
        carry_out(wish, venue, machine, now)
        assert venue.cost <= machine.cap * MICRO
        assert venue.cost <= machine.cost * MICRO <= machine.spent * MICRO <= machine.cap * MICRO
        if isinstance(wish, End):
            break
        now += LOOK_SEC
        assert now < LONGEST_SEC
        if step < len(happens):
            kind, other, ticks, part = happens[step]
            step += 1
            trouble = "the book is lost" if kind == "trouble" else ""
            if kind == "new":
                venue.bids = {price: list(sizes) for price, sizes in other.items()}
            elif kind == "vanish":
                venue.bids.pop(max(venue.bids, default=0), None)
            elif kind in ("fall", "rise"):
                by = -ticks if kind == "fall" else ticks
                venue.bids = {price + by: sizes for price, sizes in venue.bids.items() if 0 < price + by < 99}
            elif kind == "fill":
                venue.fill(part, machine, now)
            elif kind == "fail":
                venue.fail(machine)
        else:
            trouble = ""
    assert venue.resting is None
    assert wish.is_flat == (venue.held < SIZE_QUANTUM)
    assert wish.is_flat or wish.why


@laws(200)
@given(
    price=st.integers(1, 99),
    better=st.lists(st.tuples(st.integers(0, 98), st.integers(10_000, 9_000_000)), min_size=1, max_size=20),
    fees=schedules,
    fair=st.integers(1, 99),
)
def test_bound_of_an_order_that_crosses_holds_for_whatever_it_meets(
    price: int, better: list[tuple[int, int]], fees: FeeSchedule, fair: int
) -> None:
    """Any part of it, at its price or better, maker by maker with rounded fees, costs no more than was said."""
    bound_terms = Terms(GRID.dollars_of(fair), GRID, fees, 3)
    size = sum(part for _, part in better)
    bound = most_lost_crossing(Ticks(price), Shares(size), bound_terms)
    cost = 0
    for more, part in better:
        usd = GRID.dollars_of(min(99, price + more))
        cost += (bound_terms.fair - usd) * part + taker_fee(usd, Shares(part), fees) * MICRO
        assert cost <= bound * MICRO


@laws(200)
@given(fair=st.integers(1, 99), size=st.integers(1, 10_000), left=st.integers(0, 5_000_000_000))
def test_least_resting_price_is_affordable_and_the_one_below_is_not(fair: int, size: int, left: int) -> None:
    """The floor of what rests is exact."""
    seen = terms(fair / 100)
    sold = Shares(size * SIZE_QUANTUM)
    price = least_resting_price(sold, Usd(left), seen)
    if price is None:
        assert most_lost_resting(Ticks(99), sold, seen) > left
        return
    assert most_lost_resting(price, sold, seen) <= left
    assert price == 1 or most_lost_resting(Ticks(price - 1), sold, seen) > left


@pytest.mark.parametrize(
    ("bids", "size", "left", "fees", "expected"),
    [
        # 100 shares at 49, a cent below the fair value each: a dollar is enough, less its rounding
        (levels((49, 200)), 100, 1.1, FREE, (49, 100)),
        # half a dollar: half of them, less what rounding may take
        (levels((49, 200)), 100, 0.5, FREE, (49, 49.5)),
        # the second level is taken with the first when all of both is affordable
        (levels((49, 50), (48, 200)), 100, 5.0, FREE, (48, 100)),
        # 4 % of p (1 - p) is a cent a share: 2 cents in all
        (levels((49, 200)), 100, 2.2, FeeSchedule(rate=40_000), (49, 100)),
        # above the fair value it costs nothing
        (levels((52, 200)), 100, 0.01, FREE, (52, 100)),
    ],
)
def test_next_crossing_is_what_the_cap_allows(
    bids: tuple[Level, ...], size: float, left: float, fees: FeeSchedule, expected: tuple[int, float]
) -> None:
    """Worked by hand: sizes and prices for a fair value of 50 cents."""
    order = next_crossing(list(bids), shares(size), Usd(round(left * MICRO)), None, terms(0.5, fees))
    assert isinstance(order, Crossing)
    assert order.price == expected[0]
    assert order.size == pytest.approx(shares(expected[1]), rel=0.01)


@pytest.mark.parametrize(
    ("bids", "anchor", "why"),
    [
        ((), 49, "nobody bids"),
        (levels((45, 200)), 49, "4 ticks below the last"),
        (levels((49, 1)), 49, "less than a dollar"),
        (levels((10, 200)), 10, "at its cap"),
    ],
)
def test_next_crossing_says_why_there_is_none(bids: tuple[Level, ...], anchor: int, why: str) -> None:
    """No bids, a gap, less than a dollar, nothing affordable: each in words."""
    order = next_crossing(list(bids), shares(1.5), Usd(300_000), Ticks(anchor), terms(0.5))
    assert isinstance(order, Blocked) and why in order.why


def test_crossing_ends_before_a_gap_within_the_book() -> None:
    """49 and 48 are taken, 44 lies behind a gap."""
    bids = list(levels((49, 10), (48, 10), (44, 500)))
    order = next_crossing(bids, shares(100), Usd(50 * MICRO), Ticks(49), terms())
    assert isinstance(order, Crossing) and (order.price, order.size) == (48, shares(20))


def test_what_a_gap_hid_stays_uncrossed_when_the_levels_before_it_are_gone() -> None:
    """Its own sales make the touch fall: the level behind the gap is the best then, and is a gap all the same."""
    venue = Venue({49: [10_000_000], 40: [500_000_000]}, FREE, Usd(500_000), 100 * MICRO)
    machine = begun(venue, 0.5, 50.0)
    now, wish = 0.0, None
    while not isinstance(wish, End):
        wish = machine.next(look(venue, now))
        carry_out(wish, venue, machine, now)
        now += LOOK_SEC
    assert venue.crossed == [(49, shares(10))]
    assert (wish.is_flat, venue.held) == (False, shares(90))
    assert "9 ticks below the last" in wish.why and now >= PATIENCE_SEC


@pytest.mark.parametrize(
    ("fees", "why"),
    [
        (None, "not told"),
        (FeeSchedule(rate=40_000, exponent=0.5), "no bound"),
        (FeeSchedule(rate=1_000_001), "no bound"),
        (FREE, ""),
        (DEAR, ""),
    ],
)
def test_crossing_needs_a_fee_whose_bound_is_known(fees: FeeSchedule | None, why: str) -> None:
    """Fees that nobody told, or that might rise faster than the price, are no ground for a promise."""
    assert (why in why_unknown(fees)) and bool(why) == bool(why_unknown(fees))


def test_merge_is_asked_for_once_and_not_waited_for_for_ever() -> None:
    """A merge that hangs holds nothing up: after a minute what is left goes on to the touch."""
    seen = facts(100, 0.5, levels((49, 200)), no=shares(40), merge_why_not="", route="relayer")
    made = preview(seen, terms(), Usd(MICRO), 10.0, None, LEAST)
    machine = Flattening(made, "test", 0.0, LEAST)
    venue = Venue({49: [200_000_000]}, FREE, Usd(500_000), 60 * MICRO)
    paired = look(venue, 0.0)
    paired = Look(**{name: getattr(paired, name) for name in paired.__struct_fields__} | {"pairs": shares(40)})
    assert machine.next(paired) == MergePairs(shares(40))
    machine.has_asked_to_merge = True
    assert machine.next(look(venue, 5.0, merging=True)) == Wait() and machine.step == "merge"
    assert isinstance(machine.next(look(venue, MERGE_SEC, merging=True)), Rest) and machine.step == "passive"


def test_stop_ends_it_once_its_order_is_gone() -> None:
    """Abort between steps: the order that rests is cancelled first."""
    venue = Venue({49: [200_000_000]}, FREE, Usd(500_000), 60 * MICRO)
    machine = begun(venue, 0.5, 1.0, passive_s=60.0)
    carry_out(machine.next(look(venue, 0.0)), venue, machine, 0.0)
    assert venue.resting is not None
    machine.stop("stopped by test")
    assert machine.next(look(venue, 1.0)) == Pull()
    venue.resting = None
    assert machine.next(look(venue, 2.0)) == End("stopped by test", is_flat=False)


def test_resting_price_follows_the_touch_but_never_below_the_floor() -> None:
    """A tick inside the touch where that is worth the fair value, else at the touch; the cap's floor wins."""
    venue = Venue({47: [200_000_000]}, FREE, Usd(480_000), 100 * MICRO)
    machine = begun(venue, 0.48, 1.0)
    bids = venue.shown()
    assert machine.resting_price(shares(100), bids, Ticks(50), Usd(485_000)) == 49
    assert machine.resting_price(shares(100), bids, Ticks(49), Usd(485_000)) == 49
    assert machine.resting_price(shares(100), levels((40, 9)), Ticks(42), Usd(410_000)) == 47
    assert machine.resting_price(shares(100), bids, None, Usd(485_000)) == 49


def test_what_was_gained_frees_nothing_to_be_lost() -> None:
    """A gain may be taken back when its trade fails: only losses count for the cap, and no failure lowers them."""
    venue = Venue({49: [200_000_000]}, FREE, Usd(500_000), 100 * MICRO)
    machine = begun(venue, 0.5, 1.0)
    machine.filled(Usd(600_000), shares(10), Usd(0), 1.0)
    assert (machine.spent, machine.cost) == (0, -MICRO)
    machine.filled(Usd(450_000), shares(10), Usd(1_000), 2.0)
    assert (machine.spent, machine.cost) == (501_000, 501_000 - MICRO)
    machine.failed(Usd(600_000), shares(10), Usd(0))
    assert (machine.spent, machine.cost) == (501_000, 501_000)
