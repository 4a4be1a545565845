"""What a restart knows: as much as was written, whatever was written how often and in which order."""

import asyncio
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Finding
from core.clock import ManualClock
from core.config import Settings
from core.engine import Engine
from core.events import FillSeen, KnownFill, KnownOrder, OperatorCommand, Recovered
from core.orders.fills import FINAL, TrackedFill
from core.orders.order import TERMINAL, Order, State
from core.reconciliation import OVERLAP_SEC
from core.store.changes import Changes
from core.store.database import Store
from core.store.fold import MARGIN_SEC, RECENT_SEC
from core.units import MICRO, SIZE_QUANTUM, Shares, Ticks, grid_of
from tests.builders import MARKET, YES, laws, shares
from tests.core.store.ledger import NOW, a_fill, an_order, changes, opened, rows

OLD = NOW - 3 * RECENT_SEC


async def folded(path: Path, *written: Changes, at: float = NOW) -> Recovered:
    """What a session that starts at ``at`` knows of these writes."""
    store = await opened(path, ManualClock(unix=at, monotonic=100.0))
    for one in written:
        await store.write(one)
    told = await store.recover()
    await store.end("quit", verified=True)
    return told


async def test_a_new_file_knows_nothing(tmp_path: Path) -> None:
    """The first intent is 1, and no trades were ever read."""
    assert await folded(tmp_path / "mm_state.db") == Recovered(next_intent=1, read_until_unix=0.0)


async def test_an_order_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every member, in integers, with the tick of then; and its fill with the venue's latest word."""
    order = an_order(7, State.PARTIAL, outcome="NO", side="ask", grid=grid_of("0.001"), price=Ticks(463))
    order.filled, order.matched = shares(5), shares(8)
    fill = a_fill(order, settlement="mined", source="read", transaction="0xfeed")
    told = await folded(tmp_path / "mm_state.db", changes([order], [fill], trades_read_until=NOW - 60))
    assert told.orders == (
        KnownOrder(
            intent=7, order_id="0x7", market=MARKET, token=YES, outcome="NO", order_side="BUY", tick_text="0.001",
            usd=order.usd, size=shares(600), filled=shares(5), matched=shares(8), side="ask", layer=1, state="PARTIAL",
            reason="new target", created_unix=NOW - 1.0,
        ),
    )  # fmt: skip
    seen = FillSeen(
        trade_id="t1", order_id="0x7", size=shares(5), settlement="mined", unix=NOW, source="read", market=MARKET,
        token=YES, order_side="BUY", price="0.463", transaction="0xfeed",
    )  # fmt: skip
    assert told.fills == (KnownFill(seen, 7),)
    assert (told.holdings, told.next_intent, told.read_until_unix) == ((), 8, NOW - 60)


async def test_what_is_over_is_not_told_again(tmp_path: Path) -> None:
    """Ended, told and final, long before the last complete read: a restart of a busy account stays quick."""
    path = tmp_path / "mm_state.db"
    over, owed, provisional, living = (
        an_order(1, State.DONE), an_order(2, State.CANCELLED), an_order(3, State.MATCHED), an_order(4, State.UNKNOWN),
    )  # fmt: skip
    owed.matched = shares(5)
    fills = [a_fill(over, "t1", settlement="confirmed"), a_fill(provisional, "t3", settlement="retrying")]
    await folded(path, changes([over, owed, provisional, living], fills), at=OLD)
    told = await folded(path, changes([an_order(5, State.CANCELLED)], trades_read_until=NOW))
    assert [known.intent for known in told.orders] == [2, 3, 4, 5]
    assert [known.order for known in told.fills] == [3]
    assert told.holdings == ((MARKET, "YES", shares(5)),)


async def test_a_late_fill_finds_its_order_after_a_long_pause(tmp_path: Path) -> None:
    """What ended when the trades were last read is known, however long ago that is: a fill of it may still be told."""
    path = tmp_path / "mm_state.db"
    await folded(path, changes([an_order(1, State.CANCELLED)], trades_read_until=OLD), at=OLD)
    assert [known.intent for known in (await folded(path)).orders] == [1]
    unread = tmp_path / "never-read.db"
    await folded(unread, changes([an_order(1, State.CANCELLED)]), at=OLD)
    assert [known.intent for known in (await folded(unread)).orders] == [1]


@pytest.mark.parametrize("reason", ["an order that lives", "a trade that is not final", "an order that owes", "none"])
async def test_fills_that_the_next_list_of_trades_shows_are_known(tmp_path: Path, reason: str) -> None:
    """It goes back to the oldest order in doubt: what of ours is in it and not known would pass for a stranger's."""
    path, made = tmp_path / "mm_state.db", OLD - 60.0
    over, quiet, older = an_order(1, State.DONE), an_order(2, State.CANCELLED), an_order(3, State.DONE)
    over.filled = over.matched = older.filled = older.matched = shares(5)
    left = an_order(4, State.LIVE if reason == "an order that lives" else State.DONE)
    left.created_s = 100.0 + made - NOW  # as of the fold's clock
    left.matched = shares(5) if reason == "an order that owes" else Shares(0)
    last = "mined" if reason == "a trade that is not final" else "confirmed"
    long_ago = a_fill(older, "t0", settlement="confirmed", unix=made - RECENT_SEC)
    fills = [a_fill(over, "t1", settlement="confirmed", unix=OLD), a_fill(left, "t2", 5, last, unix=made)]
    clock = ManualClock(unix=made - RECENT_SEC, monotonic=100.0 + made - RECENT_SEC - NOW)
    store = await opened(path, clock)
    await store.write(changes([older], [long_ago]))
    clock.advance_to(100.0 + OLD - NOW)
    await store.write(changes([over, quiet, left], fills))
    await store.write(Changes(trades_read_until=NOW))
    clock.advance_to(100.0)
    told = await store.recover()
    await store.end("quit", verified=True)
    assert [known.intent for known in told.orders] == ([] if reason == "none" else [1, 4])
    reconciliation = Engine(Settings(), own_in_book=True).reconciliation
    reconciliation.recover(told, 100.0, NOW)
    assert reconciliation.trades_from(100.0, NOW) == int((NOW if reason == "none" else made) - OVERLAP_SEC)
    assert MARGIN_SEC > OVERLAP_SEC


async def test_closures_and_failed_trades_are_those_since_an_operator_resumed_the_market(tmp_path: Path) -> None:
    """Each market by itself; what was only held, asked, or resumed elsewhere opens and closes nothing."""
    clock = ManualClock(unix=NOW, monotonic=100.0)
    store = await opened(tmp_path / "mm_state.db", clock)

    async def found(market: str, code: str, effect: Literal["hold", "quarantine"]) -> None:
        clock.advance_to(clock.monotonic() + 1)
        finding = Finding(code, "alarm", effect, market, "t", f"{code} of {market}")
        await store.write(Changes(findings=[(clock.monotonic(), finding)]))

    for market in ("a", "b"):
        await found(market, "settlement_conflict", "quarantine")
        await found(market, "failed_trade", "hold")
        await found(market, "cancel_unsettled", "hold")
    clock.advance_to(200.0)
    store.journal("command", OperatorCommand("resume", "a"))
    store.journal("command", OperatorCommand("pause", "b"))
    store.journal("event", OperatorCommand("resume", "b"))
    await found("a", "failed_trade", "quarantine")
    told = await store.recover()
    assert told.closures == (("b", "settlement_conflict of b"),)
    assert told.failures == (("b", NOW + 5), ("a", NOW + 101))
    await store.end("quit", verified=True)


async def test_a_hundredth_that_is_missing_is_no_debt(tmp_path: Path) -> None:
    """Fills may end a hundredth of a share short; such an order would come back for ever."""
    path = tmp_path / "mm_state.db"
    short = an_order(1, State.CANCELLED)
    short.matched = Shares(SIZE_QUANTUM - 1)
    await folded(path, changes([short]), at=OLD)
    assert (await folded(path, Changes(trades_read_until=NOW))).orders == ()


async def test_holdings_are_confirmed_fills_and_corrections(tmp_path: Path) -> None:
    """A fill that failed or may still fail is nothing one holds; what was adopted and what was put right is."""
    order, sell = an_order(1), an_order(2, order_side="SELL")
    fills = [
        a_fill(order, "t1", 7, "confirmed"), a_fill(order, "t2", 3, "matched"), a_fill(order, "t3", 9, "failed"),
        a_fill(sell, "t4", 2, "confirmed"),
    ]  # fmt: skip
    corrections = [(100.0, MARKET, "YES", MICRO, "adopted"), (100.0, MARKET, "NO", -MICRO, "the chain says so")]
    path = tmp_path / "mm_state.db"
    told = await folded(path, changes([order, sell], fills, corrections=corrections))
    assert sorted(told.holdings) == [(MARKET, "NO", shares(-1)), (MARKET, "YES", shares(6))]
    query = "SELECT outcome, settled_micro, provisional_micro FROM positions ORDER BY outcome"
    assert rows(path, query) == [("NO", shares(-1), 0), ("YES", shares(6), shares(3))]


MOMENTS = st.sampled_from([OLD - RECENT_SEC, OLD - MARGIN_SEC, OLD, OLD + RECENT_SEC, NOW - RECENT_SEC, NOW - 1, NOW])
MARKETS = st.sampled_from(["0xm", "0xn"])
SETTLEMENTS = st.sampled_from(["matched", "mined", "confirmed", "retrying", "failed"])


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[list[tuple[float, list[Order], list[TrackedFill]]], list[Any]]:
    """Writes of orders and of the latest words on their fills, with repetitions, and corrections; times rise."""
    orders = [
        an_order(
            intent + 1, draw(st.sampled_from(list(State))), market=draw(MARKETS),
            outcome=draw(st.sampled_from(["YES", "NO"])), order_side=draw(st.sampled_from(["BUY", "SELL"])),
            price=Ticks(draw(st.integers(1, 99))),
        )
        for intent in range(draw(st.integers(1, 6)))
    ]  # fmt: skip
    for order in orders:
        order.created_s = 100.0 + draw(MOMENTS) - NOW
        order.filled = Shares(draw(st.integers(0, 3)) * SIZE_QUANTUM)
        order.matched = Shares(order.filled + draw(st.sampled_from([-SIZE_QUANTUM, 0, SIZE_QUANTUM - 1, SIZE_QUANTUM])))
    trade = st.tuples(st.sampled_from(orders), st.integers(1, 3))
    sizes: dict[tuple[int, int], float] = defaultdict(lambda: draw(st.integers(1, 10**6)) / 100)
    matched: dict[tuple[int, int], float] = defaultdict(lambda: draw(MOMENTS))
    writes: list[tuple[float, list[Order], list[TrackedFill]]] = [(OLD, orders, [])]
    for _ in range(draw(st.integers(0, 6))):
        unix = max(writes[-1][0], draw(st.sampled_from([OLD, OLD + RECENT_SEC, NOW - RECENT_SEC, NOW - 1, NOW])))
        some = draw(st.lists(st.sampled_from(orders), unique_by=lambda order: order.intent))
        fills = [
            a_fill(order, f"t{number}", sizes[order.intent, number], draw(SETTLEMENTS), matched[order.intent, number])
            for order, number in draw(st.lists(trade, max_size=6))
        ]
        writes += [(unix, some, fills)] * draw(st.integers(1, 2))
    correction = st.tuples(
        st.just(100.0), MARKETS, st.sampled_from(["YES", "NO"]), st.integers(-(10**12), 10**12), st.just("adopted")
    )
    return writes, draw(st.lists(correction, max_size=3))


@laws(60)
@given(ledgers(), st.sampled_from([OLD, NOW - RECENT_SEC, NOW]))
def test_the_fold_is_what_plain_python_makes_of_the_writes(
    ledger: tuple[list[tuple[float, list[Order], list[TrackedFill]]], list[Any]], read_until: float
) -> None:
    """Orders, fills, holdings and the view are those of a dictionary that was told the same, repetitions included."""
    writes, corrections = ledger
    updated: dict[int, float] = {}
    latest: dict[tuple[str, str], TrackedFill] = {}
    orders = {order.intent: order for order in writes[0][1]}
    steps: set[tuple[str, str, str]] = set()
    for unix, some, fills in writes:
        updated |= {order.intent: unix for order in some}
        latest |= {known.fill.key: known for known in fills}
        steps |= {(*known.fill.key, known.word.settlement) for known in fills}
    unsettled = {known.fill.intent for known in latest.values() if known.word.settlement not in FINAL}
    open_ended = {
        intent
        for intent, order in orders.items()
        if order.state not in TERMINAL or order.matched - order.filled >= SIZE_QUANTUM
    }
    read_from = min(
        [read_until, *(NOW - (100.0 - orders[intent].created_s) for intent in open_ended)]
        + [known.fill.unix for known in latest.values() if known.word.settlement not in FINAL]
    )
    wanted = open_ended | unsettled | {
        intent
        for intent, order in orders.items()
        if updated[intent] >= read_until - RECENT_SEC
        or (order.filled and updated[intent] >= read_from - MARGIN_SEC)
    }  # fmt: skip
    held: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for _, market, outcome, micro, _ in corrections:
        held[market, outcome][0] += micro
    for known in latest.values():
        fill, settlement = known.fill, known.word.settlement
        if settlement != "failed":
            signed = fill.size if fill.order_side == "BUY" else -fill.size
            held[fill.market, fill.outcome][settlement != "confirmed"] += signed

    async def act(path: Path) -> Recovered:
        clock = ManualClock(unix=OLD, monotonic=100.0 + OLD - NOW)
        store = Store(path, clock)
        await store.open("live", "0", 1, {})
        for unix, some, fills in writes:
            clock.advance_to(100.0 + unix - NOW)
            await store.write(changes(some, fills))
        clock.advance_to(100.0)
        await store.write(Changes(corrections=corrections, trades_read_until=read_until))
        told = await store.recover()
        await store.end("quit", verified=True)
        return told

    with TemporaryDirectory() as folder:
        path = Path(folder) / "mm_state.db"
        told = asyncio.run(act(path))
        positions = rows(path, "SELECT market, outcome, settled_micro, provisional_micro FROM positions")
        assert set(rows(path, "SELECT trade_id, order_id, status FROM settlements")) == steps
    assert [(known.intent, State(known.state), known.filled, known.matched) for known in told.orders] == [
        (intent, orders[intent].state, orders[intent].filled, orders[intent].matched) for intent in sorted(wanted)
    ]
    assert {(one.order, one.fill.trade_id): (one.fill.size, one.fill.settlement) for one in told.fills} == {
        (known.fill.intent, known.fill.trade_id): (known.fill.size, known.word.settlement)
        for known in latest.values()
        if known.fill.intent in wanted
    }
    assert {(market, outcome): sums for market, outcome, *sums in positions} == held
    assert {row[:2]: row[2] for row in told.holdings} == {key: sums[0] for key, sums in held.items() if sums[0]}
    assert told.next_intent == max(orders) + 1 and told.read_until_unix == read_until
