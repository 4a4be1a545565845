"""What a restart knows: as much as was written, whatever was written how often and in which order."""

import asyncio
import sqlite3
from collections import defaultdict
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.account.reconciliation import OVERLAP_SEC
from core.actions import Finding
from core.clock import ManualClock
from core.config import Settings
from core.engine import Engine
from core.events import FillSeen, JobSeen, KnownFill, KnownJob, KnownOrder, OperatorCommand, Recovered
from core.jobs.job import Baseline
from core.orders.fills import FINAL, TrackedFill
from core.orders.order import TERMINAL, Order, State
from core.portfolio.entries import Booking, Buy, Convert, Flow, Found, Income, Merge, Redeem, Sell, Split
from core.risk.control import Control, Source
from core.store.changes import Changes
from core.store.fold import MARGIN_SEC, RECENT_SEC
from core.store.lines import MARKS, mark_of
from core.units import OUTCOMES, SIZE_QUANTUM, Shares, Ticks, grid_of
from core.views import ControlState
from tests.builders import MARKET, YES, laws, shares, usd
from tests.core.store.ledger import NOW, WALLET, a_fill, a_job, a_line, a_mark, an_order, changes, opened, rows

OLD = NOW - 3 * RECENT_SEC


async def folded(path: Path, *written: Changes, at: float = NOW, wallet: str = WALLET) -> Recovered:
    """What a session that starts at ``at`` knows of these writes."""
    store = await opened(path, ManualClock(unix=at, monotonic=100.0), wallet=wallet)
    for one in written:
        await store.write(one)
    told = await store.recover()
    await store.end("quit", verified=True)
    return told


async def test_a_new_file_knows_nothing(tmp_path: Path) -> None:
    """The first intent is 1, and no trades were ever read."""
    assert await folded(tmp_path / "mm_state.db") == Recovered(next_intent=1, next_seq=1, next_job=1)


async def test_an_order_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every member, in integers, with the tick of then; and its fill with the venue's latest word."""
    order = an_order(7, State.PARTIAL, outcome="NO", side="ask", grid=grid_of("0.001"), price=Ticks(463))
    order.filled, order.matched = shares(5), shares(8)
    fill = a_fill(order, settlement="mined", source="read", transaction="0xfeed", seq=3)
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
    line = Booking(3, MARKET, "t1 0x7", NOW, Buy("NO", shares(5), usd(0.463)), "fill", is_final=False)
    assert (told.bookings, told.next_seq, told.next_intent, told.read_until_unix) == ((line,), 4, 8, NOW - 60)


async def test_what_is_over_is_not_told_again(tmp_path: Path) -> None:
    """Ended, told and final, long before the last complete read: a restart of a busy account stays quick."""
    path = tmp_path / "mm_state.db"
    over, owed, provisional, living = (
        an_order(1, State.DONE), an_order(2, State.CANCELLED), an_order(3, State.MATCHED), an_order(4, State.UNKNOWN),
    )  # fmt: skip
    owed.matched = shares(5)
    fills = [
        a_fill(over, "t1", settlement="confirmed", seq=1), a_fill(provisional, "t3", settlement="retrying", seq=2),
    ]  # fmt: skip
    await folded(path, changes([over, owed, provisional, living], fills), at=OLD)
    told = await folded(path, changes([an_order(5, State.CANCELLED)], trades_read_until=NOW))
    assert [known.intent for known in told.orders] == [2, 3, 4, 5]
    assert [known.order for known in told.fills] == [3]
    assert [(line.key, line.is_final) for line in told.bookings] == [("t1 0x1", True), ("t3 0x3", False)]


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


async def test_the_book_is_all_lines_that_have_not_failed(tmp_path: Path) -> None:
    """Fills and entries in the order of their numbers, whichever was written first; a failed fill keeps its number."""
    order, sell = an_order(1), an_order(2, order_side="SELL")
    fills = [
        a_fill(sell, "t4", 2, "confirmed", seq=6), a_fill(order, "t1", 7, "confirmed", seq=1),
        a_fill(order, "t2", 3, "matched", seq=3), a_fill(order, "t3", 9, "failed", seq=7),
    ]  # fmt: skip
    entries = [
        a_line(4, Found("NO", shares(-1), usd(0.5)), text="not there"), a_line(2, Flow(usd(90)), "", "opening"),
        a_line(5, Income(usd(1), "rebate"), "", "0xdead", unix=NOW - 60),
    ]  # fmt: skip
    path = tmp_path / "mm_state.db"
    told = await folded(path, changes([order, sell], fills, entries=entries))
    assert [(line.seq, line.key, line.is_final, line.source) for line in told.bookings] == [
        (1, "t1 0x1", True, "fill"), (2, "opening", True, "balance"), (3, "t2 0x1", False, "fill"),
        (4, "line 4", True, "balance"), (5, "0xdead", True, "balance"), (6, "t4 0x2", True, "fill"),
    ]  # fmt: skip
    assert [line for line in told.bookings if line.source != "fill"] == sorted(entries, key=lambda line: line.seq)
    assert told.next_seq == 8
    query = "SELECT outcome, settled_micro, provisional_micro FROM positions ORDER BY outcome"
    assert rows(path, query) == [("NO", shares(-1), 0), ("YES", shares(5), shares(3))]


async def test_a_line_told_again_is_no_line(tmp_path: Path) -> None:
    """A key is booked once, under its first number, whoever tells it and however often."""
    path, order = tmp_path / "mm_state.db", an_order()
    first = changes([order], [a_fill(order, seq=1)], entries=[a_line(2, Flow(usd(5)), key="a")])
    again = changes([order], [a_fill(order, settlement="confirmed", seq=3)], entries=[a_line(4, Flow(usd(7)), key="a")])
    unknowing = changes([order], [a_fill(order, settlement="confirmed", seq=0), a_fill(order, "t2", seq=0)])
    late = changes([order], [a_fill(order, "t2", seq=5)])
    told = await folded(path, first, again, unknowing, late)
    assert [(line.seq, line.key) for line in told.bookings] == [(1, "t1 0x1"), (2, "a"), (5, "t2 0x1")]
    assert told.bookings[1].entry == Flow(usd(5))


async def test_a_fill_that_nobody_booked_is_the_last_line(tmp_path: Path) -> None:
    """A session may die between the fill's row and its line: money moved all the same, and its number is its own."""
    path, order = tmp_path / "mm_state.db", an_order()
    fills = [
        a_fill(order, "t1"),
        a_fill(order, "t2"),
        a_fill(order, "t3", seq=2),
        a_fill(order, "t4", settlement="failed"),
    ]
    await folded(path, changes([order], fills, entries=[a_line(5, Flow(usd(5)))]))
    for _ in range(2):
        told = await folded(path)
        assert [(line.seq, line.key) for line in told.bookings] == [
            (2, "t3 0x1"), (5, "line 5"), (6, "t1 0x1"), (7, "t2 0x1"),
        ]  # fmt: skip
        assert told.next_seq == 9


async def test_an_account_goes_on_from_its_last_mark(tmp_path: Path) -> None:
    """That which was written last, also when the machine's time was set back meanwhile."""
    path = tmp_path / "mm_state.db"
    marks = [a_mark(NOW, 3), a_mark(NOW + 60, 3, is_latched=True), a_mark(NOW - 60, 4, cash=usd(-7), is_latched=True)]
    told = await folded(path, Changes(equity=marks[:1]), Changes(equity=marks[1:]))
    assert told.equity == marks[2]
    with closing(sqlite3.connect(path)) as db:
        span = {"account": WALLET, "since": NOW - 60, "until": NOW + 60}
        assert [mark_of(row) for row in db.execute(MARKS, span)] == [marks[2], marks[0]]


async def test_control_states_are_the_file_s_and_losses_the_account_s(tmp_path: Path) -> None:
    """A pause holds whoever trades next; what another account lost is not this one's. The newest row of each counts."""
    path = tmp_path / "mm_state.db"

    def control(
        state: ControlState, source: Source, at: float, market: str = "", until: float | None = None
    ) -> Control:
        return Control(state, f"{source} \ud800", source, "jo", market, "", NOW + at, until)

    first = [
        control("PAUSED", "operator", 1, MARKET, NOW + 90), control("KILLED", "kill", 2),
        control("REDUCE_ONLY", "loss", 3), control("REDUCE_ONLY", "drawdown", 4), control("PAUSED", "operator", 5),
    ]  # fmt: skip
    second = [control("ACTIVE", "operator", 6), control("CANCEL_ONLY", "operator", 7, "0xn")]
    await folded(path, Changes(controls=first))
    other = await folded(path, Changes(controls=second), wallet="0xother")
    assert [(one.source, one.market, one.state) for one in other.controls] == [
        ("operator", MARKET, "PAUSED"), ("kill", "", "KILLED"), ("operator", "0xn", "CANCEL_ONLY"),
    ]  # fmt: skip
    assert other.controls[0] == msgspec.structs.replace(first[0], reason="operator ?")
    own = await folded(path, Changes(controls=[control("ACTIVE", "loss", 8)]))
    assert [one.source for one in own.controls] == ["operator", "kill", "drawdown", "operator"]
    assert [one.source for one in (await folded(path, wallet="0xother")).controls] == ["operator", "kill", "operator"]


async def test_what_is_held_comes_with_its_last_fair_value(tmp_path: Path) -> None:
    """Of the last session that saw one; markets that nothing is held of are not looked for."""
    path = tmp_path / "mm_state.db"
    await folded(path, Changes(fairs=[("0xa", NOW, 10_000, 410_000, 1), ("0xb", NOW, 10_000, 420_000, 1)]))
    pairs = [
        a_line(1, Split(shares(5), usd(0.4)), "0xa"), a_line(2, Split(shares(5), usd(0.4)), "0xb"),
        a_line(3, Split(shares(5), usd(0.4)), "0xc"), a_line(4, Merge(shares(5)), "0xb"),
    ]  # fmt: skip
    seen = [("0xa", NOW + 1, 10_000, 430_000, 1), ("0xa", NOW + 2, 10_000, None, None), ("0xb", NOW, 10_000, 9, 9)]
    told = await folded(path, Changes(entries=pairs, fairs=seen))  # type: ignore[arg-type]
    assert told.marks == (("0xa", usd(0.43)),)
    other = await folded(path, Changes(fairs=[("0xa", NOW - 9, 10_000, None, None)]))
    assert other.marks == (("0xa", usd(0.43)),)


async def test_jobs_come_back_as_far_as_they_had_come(tmp_path: Path) -> None:
    """With everything that was ever told of them; what has come to an end does not, and no number is given twice."""
    path, before = tmp_path / "mm_state.db", Baseline(7, NOW, usd(90), (shares(5),))
    steps = [
        (100.0, JobSeen(2, "sending", baseline=before)), (101.0, JobSeen(2, "sent", "r-1", "0xfirst")),
        (101.0, JobSeen(3, "refused", detail="no quota")), (102.0, JobSeen(2, "mined", transaction="0xFEED")),
        (103.0, JobSeen(2, "unknown", detail="no answer")), (103.0, JobSeen(4, "confirmed", "", "0xdone", usd(5))),
    ]  # fmt: skip
    jobs = [(100.0, a_job(number)) for number in (1, 2, 3, 4)]
    told = await folded(path, Changes(jobs=jobs, job_steps=steps), Changes(jobs=jobs))
    assert told.jobs == (
        KnownJob(a_job(1), "planned", "", "", None), KnownJob(a_job(2), "unknown", "r-1", "0xFEED", before),
    )  # fmt: skip
    assert (told.next_job, told.own_transactions) == (5, ("0xdone", "0xfeed", "0xfirst"))
    assert rows(path, "SELECT state, nonce, detail, updated_unix FROM jobs WHERE job_id = 2") == [
        ("unknown", 7, "no answer", NOW + 3)
    ]
    query = "SELECT job_id, state, transaction_id, nonce, amount_micro_usd FROM job_events ORDER BY id"
    assert rows(path, query)[0::5] == [(2, "sending", "", 7, None), (4, "confirmed", "", None, usd(5))]


async def test_two_accounts_in_one_file_know_nothing_of_each_other(tmp_path: Path) -> None:
    """Orders, lines, marks, jobs, closures and what was read; only intents and jobs have numbers of the whole file."""
    path = tmp_path / "mm_state.db"
    for number, wallet in enumerate(("0xaa", "0xbb"), 1):
        order = an_order(number)
        closed = Finding("settlement_conflict", "alarm", "quarantine", wallet, "t", "odd")
        failed = Finding("failed_trade", "alarm", "hold", wallet, "t", "odd")
        written = changes([order], [a_fill(order, f"t{number}", number, seq=1)])
        written.entries, written.equity = [a_line(2, Flow(usd(number)), "", "opening")], [a_mark(NOW, cash=usd(number))]
        written.jobs, written.estimates = [(100.0, a_job(number))], [(1, MARKET, number, number, 1.0)]
        written.findings, written.trades_read_until = [(100.0, closed), (100.0, failed)], NOW + number
        await folded(path, written, wallet=wallet)
    for number, wallet in enumerate(("0xaa", "0xbb"), 1):
        told = await folded(path, wallet=wallet.upper())
        assert [known.intent for known in told.orders] == [known.order for known in told.fills] == [number]
        assert [line.key for line in told.bookings] == [f"t{number} 0x{number}", "opening"]
        assert told.bookings[1].entry == Flow(usd(number)) and told.next_seq == 3
        assert told.equity is not None and told.equity.cash == usd(number)
        assert [known.job.job_id for known in told.jobs] == [number]
        assert (told.closures, told.failures) == (((wallet, "odd"),), ((wallet, NOW),))
        assert (told.read_until_unix, told.next_intent, told.next_job) == (NOW + number, 3, 3)
    anew = await folded(path, wallet="")
    assert anew == Recovered(next_intent=3, next_job=3)
    assert rows(path, "SELECT account, reward_micro_usd FROM estimates") == [("0xaa", 1), ("0xbb", 2)]


@pytest.mark.parametrize("state", [State.LIVE, State.CANCELLED])
async def test_another_account_s_doubts_bring_back_nothing_of_ours(tmp_path: Path, state: State) -> None:
    """Its old orders and trades are not asked for by us; what of ours is as old is history."""
    path = tmp_path / "mm_state.db"
    over, theirs = an_order(1, State.DONE), an_order(2, state)
    over.filled = over.matched = shares(5)
    theirs.created_s = 100.0 if state is State.CANCELLED else 100.0 - RECENT_SEC
    trade = a_fill(
        theirs, "t2", settlement="mined" if state is State.CANCELLED else "confirmed", unix=OLD - 60.0, seq=1
    )
    await folded(path, changes([over], [a_fill(over, settlement="confirmed", unix=OLD, seq=1)]), at=OLD)
    await folded(path, changes([theirs], [trade]), at=OLD, wallet="0xbeef")
    told = await folded(path, Changes(trades_read_until=NOW))
    assert (told.orders, told.fills, len(told.bookings)) == ((), (), 1)
    assert [known.intent for known in (await folded(path, wallet="0xbeef")).orders] == [2]


async def test_another_account_s_resume_opens_nothing(tmp_path: Path) -> None:
    """An operator looked into the other one."""
    path = tmp_path / "mm_state.db"
    closed = Finding("settlement_conflict", "alarm", "quarantine", MARKET, "t", "odd")
    await folded(path, Changes(findings=[(100.0, closed)]))
    store = await opened(path, ManualClock(unix=NOW + 9, monotonic=100.0), wallet="0xbeef")
    store.journal("command", OperatorCommand("resume", MARKET))
    await store.write(Changes())
    await store.end("quit", verified=True)
    assert (await folded(path)).closures == ((MARKET, "odd"),)


MOMENTS = st.sampled_from([OLD - RECENT_SEC, OLD - MARGIN_SEC, OLD, OLD + RECENT_SEC, NOW - RECENT_SEC, NOW - 1, NOW])
MARKETS = st.sampled_from(["0xm", "0xn"])
SETTLEMENTS = st.sampled_from(["matched", "mined", "confirmed", "retrying", "failed"])


class Written(NamedTuple):
    """One write of an account's session."""

    unix: float
    orders: list[Order]
    fills: list[TrackedFill]
    entries: list[Booking]


ENTRIES = st.one_of(
    st.builds(Found, st.sampled_from(["YES", "NO"]), st.integers(-(10**12), 10**12), st.just(usd(0.5))),
    st.builds(Split, st.integers(1, 10**9), st.just(usd(0.4))),
    st.builds(Merge, st.integers(1, 10**9)),
    st.builds(Convert, st.sampled_from(["YES", "NO"]), st.integers(-(10**9), 10**9), st.just(usd(-0.01))),
    st.builds(Redeem, st.sampled_from(["YES", "NO"]), st.integers(1, 10**9), st.just(usd(3))),
    st.builds(Flow, st.integers(-(10**9), 10**9)),
    st.builds(Income, st.integers(0, 10**9), st.sampled_from(["reward", "rebate", "other"])),
)


@st.composite
def ledgers(draw: st.DrawFn, first_intent: int) -> list[Written]:
    """Writes of orders, of the latest words on their fills and of entries, with repetitions; times rise.

    Fills are told again without a number, as after a restart, and may never have had one; entries under keys that are
    known have other numbers and amounts.
    """
    orders = [
        an_order(
            first_intent + place, draw(st.sampled_from(list(State))), market=draw(MARKETS),
            outcome=draw(st.sampled_from(["YES", "NO"])), order_side=draw(st.sampled_from(["BUY", "SELL"])),
            price=Ticks(draw(st.integers(1, 99))),
        )
        for place in range(draw(st.integers(1, 6)))
    ]  # fmt: skip
    for order in orders:
        order.created_s = 100.0 + draw(MOMENTS) - NOW
        order.filled = Shares(draw(st.integers(0, 3)) * SIZE_QUANTUM)
        order.matched = Shares(order.filled + draw(st.sampled_from([-SIZE_QUANTUM, 0, SIZE_QUANTUM - 1, SIZE_QUANTUM])))
    trade = st.tuples(st.sampled_from(orders), st.integers(1, 3))
    sizes: dict[tuple[int, int], float] = defaultdict(lambda: draw(st.integers(1, 10**6)) / 100)
    matched: dict[tuple[int, int], float] = defaultdict(lambda: draw(MOMENTS))
    numbers = count(1)
    lines: dict[tuple[int, int], int] = defaultdict(lambda: next(numbers))
    writes = [Written(OLD, orders, [], [])]
    for _ in range(draw(st.integers(0, 6))):
        unix = max(writes[-1].unix, draw(st.sampled_from([OLD, OLD + RECENT_SEC, NOW - RECENT_SEC, NOW - 1, NOW])))
        some = draw(st.lists(st.sampled_from(orders), unique_by=lambda order: order.intent))
        fills = [
            a_fill(
                order, f"t{number}", sizes[order.intent, number], draw(SETTLEMENTS), matched[order.intent, number],
                seq=draw(st.sampled_from([0, lines[order.intent, number]])),
            )
            for order, number in draw(st.lists(trade, max_size=6))
        ]  # fmt: skip
        entries = [
            a_line(next(numbers), draw(ENTRIES), draw(MARKETS), draw(st.sampled_from("abcdef")))
            for _ in range(draw(st.integers(0, 3)))
        ]
        writes += [Written(unix, some, fills, entries)] * draw(st.integers(1, 2))
    return writes


def plain_lines(writes: list[Written]) -> tuple[list[Booking], int]:
    """The account's book by dictionaries that were told the same, and the number of its next line."""
    entries: dict[str, Booking] = {}
    fills: dict[tuple[str, str], TrackedFill] = {}
    numbers: dict[tuple[str, str], int] = {}
    for write in writes:
        entries = {line.key: line for line in write.entries[::-1]} | entries
        for known in write.fills:
            fills[known.fill.key] = known
            numbers[known.fill.key] = numbers.get(known.fill.key, 0) or known.seq
    last = max([0, *numbers.values(), *[line.seq for line in entries.values()]])
    for key, seq in numbers.items():
        if not seq:
            last += 1
            numbers[key] = last
    traded = [
        Booking(
            numbers[known.fill.key], known.fill.market, " ".join(known.fill.key), known.fill.unix,
            (Buy if known.fill.order_side == "BUY" else Sell)(known.fill.outcome, known.fill.size, known.fill.usd),
            "fill", known.word.settlement == "confirmed",
        )
        for known in fills.values() if known.word.settlement != "failed"
    ]  # fmt: skip
    return sorted([*entries.values(), *traded], key=lambda line: line.seq), last + 1


def plain_holdings(lines: list[Booking]) -> dict[tuple[str, str], list[int]]:
    """Settled and provisional micro-shares by market and outcome."""
    held: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for line in lines:
        match line.entry:
            case Buy(outcome, size) | Found(outcome, size) | Convert(outcome, size):
                held[line.market, outcome][not line.is_final] += size
            case Sell(outcome, size) | Redeem(outcome, size):
                held[line.market, outcome][not line.is_final] -= size
            case Split(size) | Merge(size):
                for outcome in OUTCOMES:
                    held[line.market, outcome][0] += size if isinstance(line.entry, Split) else -size
    return held


def plain_orders(writes: list[Written], read_until: float) -> list[int]:
    """Intents of the orders that a start is to know."""
    updated: dict[int, float] = {}
    latest: dict[tuple[str, str], TrackedFill] = {}
    orders = {order.intent: order for order in writes[0].orders}
    for write in writes:
        updated |= {order.intent: write.unix for order in write.orders}
        latest |= {known.fill.key: known for known in write.fills}
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
    return sorted(
        open_ended | unsettled | {
            intent
            for intent, order in orders.items()
            if updated[intent] >= read_until - RECENT_SEC
            or (order.filled and updated[intent] >= read_from - MARGIN_SEC)
        }
    )  # fmt: skip


@laws(60)
@given(ledgers(1), ledgers(101), st.sampled_from([OLD, NOW - RECENT_SEC, NOW]))
def test_the_fold_is_what_plain_python_makes_of_the_writes(
    ours: list[Written], theirs: list[Written], read_until: float
) -> None:
    """Orders, fills, lines and views of each account are those of dictionaries that were told the same."""
    ledger = {"0xaa": ours, "0xbb": theirs}

    async def act(path: Path) -> dict[str, Recovered]:
        for wallet, writes in ledger.items():
            clock = ManualClock(unix=OLD, monotonic=100.0 + OLD - NOW)
            store = await opened(path, clock, wallet=wallet)
            for unix, orders, fills, entries in writes:
                clock.advance_to(100.0 + unix - NOW)
                await store.write(changes(orders, fills, entries=entries))
            await store.write(Changes(trades_read_until=read_until))
            await store.end("quit", verified=True)
        return {wallet: await folded(path, wallet=wallet) for wallet in ledger}

    with TemporaryDirectory() as folder:
        path = Path(folder) / "mm_state.db"
        told = asyncio.run(act(path))
        positions = rows(path, "SELECT account, market, outcome, settled_micro, provisional_micro FROM positions")
        steps = set(rows(path, "SELECT trade_id, order_id, status FROM settlements"))
    words = [known for writes in ledger.values() for write in writes for known in write.fills]
    assert steps == {(*known.fill.key, known.word.settlement) for known in words}
    for wallet, writes in ledger.items():
        one, wanted = told[wallet], plain_orders(writes, read_until)
        orders = {order.intent: order for order in writes[0].orders}
        assert [(known.intent, State(known.state), known.filled, known.matched) for known in one.orders] == [
            (intent, orders[intent].state, orders[intent].filled, orders[intent].matched) for intent in wanted
        ]
        latest = {known.fill.key: known for write in writes for known in write.fills}
        assert {
            (known.order, known.fill.trade_id): (known.fill.size, known.fill.settlement) for known in one.fills
        } == {
            (known.fill.intent, known.fill.trade_id): (known.fill.size, known.word.settlement)
            for known in latest.values()
            if known.fill.intent in wanted
        }
        lines, next_seq = plain_lines(writes)
        assert (list(one.bookings), one.next_seq) == (lines, next_seq)
        held = {(market, outcome): sums for account, market, outcome, *sums in positions if account == wallet}
        assert held == plain_holdings(lines)
        assert one.next_intent == 101 + len(theirs[0].orders) and one.read_until_unix == read_until
