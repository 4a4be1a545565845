"""The session's beginning and end, with a gateway that does what a test wants."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, get_args

import msgspec
import pytest

from core.actions import Note, Place, ReadScoring, refusal
from core.clock import Clock
from core.errors import PreflightError, StoreError, VenueUnavailable
from core.events import (
    PREVIEWABLE,
    STOPPING_ACTS,
    Act,
    CancelAnswered,
    FillSeen,
    OperatorCommand,
    OrderAnswered,
    OrderSigned,
    Woken,
)
from core.explaining import Explained
from core.portfolio.markouts import Drift
from core.risk import vitals as vitals_module
from core.risk.gate import Cleared
from core.runtime import ending as ending_module
from core.runtime import journaling as journaling_module
from core.runtime import session as session_module
from core.runtime.control_socket import Explain, ask
from core.runtime.journaling import FLUSH_SEC
from core.runtime.session import Parts, Session
from core.store.database import Store
from core.units import MICRO, Shares, Ticks
from tests.core.runtime.fakes import (
    INSTRUMENT,
    UNKNOWN,
    FakeGateway,
    composing,
    run_until_trading,
    session_in,
    until,
)


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the ending matters here, not its patience."""
    monkeypatch.setattr(session_module, "IDLE_SEC", 0.3, raising=False)
    monkeypatch.setattr(ending_module, "VERIFY_SEC", 1.0)
    monkeypatch.setattr(ending_module, "VERIFY_PAUSE_SEC", 0.02)
    monkeypatch.setattr(session_module, "SETTLE_SEC", 0.2)


def a_place(intent: int = 1) -> Place:
    return Place(
        intent=intent, market=INSTRUMENT.market, token="11", order_side="BUY", price=Ticks(40), price_text="0.4",
        size=Shares(10 * MICRO), side="bid", layer=0, reason="test",
    )  # fmt: skip


def wish(session: Session) -> None:
    """Place an order the way a decision does."""
    session._carry_out(an_intent(session))


async def an_order(session: Session, gateway: FakeGateway) -> str:
    """Place an order and wait until it was sent; it is pulled soon, because the feeds of these sessions are down."""
    assert session._courier is not None
    session._courier._is_wanted = lambda intent: True
    session._courier._clear = lambda signed, now: Cleared(signed)
    intent = an_intent(session)
    session._carry_out(intent)
    await until(lambda: gateway.posted)
    return f"0x{intent.intent:064x}"


def an_intent(session: Session) -> Place:
    """An order that is wished for and not on its way."""
    return session.engine.orders.place(
        INSTRUMENT, outcome="YES", order_side="BUY", price=Ticks(40), size=Shares(10 * MICRO), side="bid", layer=0,
        reason="test", now=session.clock.monotonic(),
    )  # fmt: skip


def last_session_row(session: Session) -> tuple[str | None, int | None, float | None]:
    with closing(sqlite3.connect(session.places.database)) as db:
        row: tuple[str | None, int | None, float | None] = db.execute(
            "SELECT exit_reason, open_orders_verified, ended_unix FROM sessions ORDER BY id DESC"
        ).fetchone()
    return row


async def test_an_ordered_end_cancels_verifies_and_lets_go(tmp_path: Path) -> None:
    """The plain case all others are compared with."""
    gateway, closed = FakeGateway(), list[str]()
    session = session_in(tmp_path, composing(gateway, closed))
    task = await run_until_trading(session)
    await an_order(session, gateway)
    session.request_stop("quit")
    outcome = await task
    assert (outcome.exit_code, outcome.verified, outcome.report["open_orders"]) == (0, True, 0)
    assert outcome.sentence == "stopped (quit): zero open orders verified"
    assert not gateway.open_ids and gateway.closed and closed == ["closed"]
    assert last_session_row(session)[:2] == ("quit", 1)


async def test_no_order_is_sent_once_the_end_has_begun(tmp_path: Path) -> None:
    """A wish that waits in the lane when the end begins must not become an order after the cancelling."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    session.request_stop("quit")
    wish(session)
    outcome = await task
    assert outcome.verified and gateway.posted == [] and not gateway.open_ids


async def test_orders_that_stay_open_are_told_as_not_verified(tmp_path: Path) -> None:
    """Exit code 0 with orders open would be a lie."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    gateway.cancel = _cancels_nothing  # type: ignore[method-assign]
    await an_order(session, gateway)
    session.request_stop("quit")
    outcome = await task
    assert (outcome.exit_code, outcome.report["open_orders"]) == (11, 1)
    assert outcome.sentence == "stopped (quit): NOT verified, 1 orders may be open"
    assert last_session_row(session)[1] == 0


@pytest.mark.parametrize("error", [VenueUnavailable("gone"), UNKNOWN, RuntimeError("client is closed")])
async def test_a_venue_that_cannot_be_asked_leaves_the_end_unverified(tmp_path: Path, error: Exception) -> None:
    """No answer is no evidence; and whatever the gateway raises, the end is carried through."""
    gateway, closed = FakeGateway(), list[str]()
    session = session_in(tmp_path, composing(gateway, closed))
    task = await run_until_trading(session)
    gateway.listing_error = gateway.cancel_error = error
    session.request_stop("quit")
    outcome = await task
    assert not outcome.verified and outcome.exit_code in (11, 15) and "NOT verified" in outcome.sentence
    assert closed == ["closed"] and last_session_row(session)[1:2] == (0,)


async def test_a_venue_that_is_down_at_the_end_is_told_once_and_nothing_counted_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An order in doubt is one of those at risk; the same refusal every fifth of a second is no news."""
    gateway = FakeGateway()
    gateway.post = _answers_nothing  # type: ignore[method-assign]
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    gateway.listing_error = gateway.cancel_error = VenueUnavailable("service not ready")
    assert session._courier is not None
    session._courier._is_wanted = lambda intent: True
    session._courier._clear = lambda signed, now: Cleared(signed)
    wish(session)
    await until(lambda: session.engine.orders.in_doubt() == 1)
    session.request_stop("quit")
    outcome = await task
    assert outcome.report["open_orders"] == 1 and "1 orders may be open" in outcome.sentence
    assert not [record for record in caplog.records if record.exc_info]
    assert sum("cancelling at the end: service not ready" in event.text for event in session._events) == 1


async def test_a_placement_without_an_answer_is_never_called_verified(tmp_path: Path) -> None:
    """Its order may land after the venue was seen empty."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    sending = asyncio.Event()

    async def never_answered() -> None:
        sending.set()
        await asyncio.Event().wait()

    gateway.on_post = never_answered
    session._courier._is_wanted = lambda intent: True  # the feeds of this session are down, which pulls all wishes
    session._courier._clear = lambda signed, now: Cleared(signed)
    wish(session)
    await asyncio.wait_for(sending.wait(), 5)
    session.request_stop("quit")
    outcome = await task
    assert outcome.exit_code == 11 and not outcome.verified


async def test_an_order_of_unknown_outcome_is_never_called_verified(tmp_path: Path) -> None:
    """An empty listing proves nothing about an order whose bytes may still be on their way."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)

    async def knows_nothing(order_ids: Sequence[str]) -> list[CancelAnswered]:
        return [CancelAnswered(order_id=order, outcome="gone") for order in order_ids]

    gateway.cancel = knows_nothing  # type: ignore[method-assign]
    intent = an_intent(session).intent
    session.emit(OrderSigned(intent=intent, order_id="0xaa"))
    session.emit(OrderAnswered(intent=intent, outcome="unknown", detail="reset"))
    session.request_stop("quit")
    outcome = await task
    assert (outcome.exit_code, outcome.verified, outcome.report["unknown_orders"]) == (11, False, 1)
    assert "NOT verified" in outcome.sentence


@pytest.mark.parametrize("trouble", ["refused", "broken", "hangs"])
async def test_fills_that_cannot_be_read_back_do_not_undo_what_was_verified(tmp_path: Path, trouble: str) -> None:
    """The last look at fills comes after the verdict on open orders; it may fail, but not change it or hold it up."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    gateway.fills_hang = trouble == "hangs"
    gateway.fills_error = {"refused": UNKNOWN, "broken": RuntimeError("wrong")}.get(trouble)
    session.request_stop("quit")
    async with asyncio.timeout(10):
        outcome = await task
    assert outcome.verified and "zero open orders verified" in outcome.sentence


async def test_a_fill_that_was_missed_is_read_back_at_the_end(tmp_path: Path) -> None:
    """The user channel has no history: without this the last position would be wrong."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    order_id = await an_order(session, gateway)
    size = Shares(4 * MICRO)
    gateway.fills = [FillSeen(trade_id="t", order_id=order_id, size=size, settlement="confirmed", unix=0.0)]
    session.request_stop("quit")
    outcome = await task
    assert outcome.exit_code == 0 and outcome.report["fills"] == 1
    assert outcome.report["positions"][0]["yes"] == 4.0


async def test_an_order_that_is_not_ours_is_never_touched(tmp_path: Path) -> None:
    """Somebody placed it by hand: neither start nor end of a session cancels it, nor does it spoil the proof."""
    gateway = FakeGateway()
    gateway.open_ids.add("by hand")
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    await until(lambda: not session.engine.reconciliation.recovering())
    session.request_stop("quit")
    outcome = await task
    assert (outcome.exit_code, outcome.verified) == (0, True)
    assert gateway.open_ids == {"by hand"} and gateway.cancel_alls == 0


async def test_an_order_of_an_earlier_session_is_cancelled_before_anything_is_placed(tmp_path: Path) -> None:
    """The journal knows it, so it is ours; while it may be open, recovery is not over, and the end says so."""
    gateway = FakeGateway()
    cancel, gateway.cancel = gateway.cancel, _cancels_nothing  # type: ignore[method-assign]
    first = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(first)
    order_id = await an_order(first, gateway)
    first.request_stop("quit")
    assert (await task).exit_code == 11
    first.places.release()
    second = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(second)
    await until(lambda: second.engine.reconciliation.recovering())
    assert gateway.open_ids == {order_id} and len(gateway.posted) == 1
    gateway.cancel = cancel  # type: ignore[method-assign]
    await until(lambda: not gateway.open_ids)
    second.request_stop("quit")
    assert (await task).exit_code == 0


async def test_a_hanging_venue_does_not_hold_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole ending has a deadline, also when one request never returns."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    monkeypatch.setattr(gateway, "open_orders", asyncio.Event().wait)
    session.request_stop("quit")
    async with asyncio.timeout(10):
        assert (await task).exit_code == 11


async def test_who_insists_waits_for_no_politeness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second interrupt: orders are cancelled and verified at once, whatever else would be waited for."""
    for name in ("IDLE_SEC", "SETTLE_SEC"):
        monkeypatch.setattr(session_module, name, 60.0)
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    assert session._courier is not None
    monkeypatch.setattr(session._courier, "wait_idle", asyncio.Event().wait)
    gateway.fills_hang = True
    session.request_stop("quit")
    done, _ = await asyncio.wait({task}, timeout=0.2)
    assert not done, "it waits for the answer to a placement"
    session.hurry()
    async with asyncio.timeout(10):
        outcome = await task
    assert (outcome.exit_code, outcome.verified) == (0, True)


async def test_a_database_that_fails_while_trading_kills_and_the_session_still_ends_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It observes until it is stopped; orders are cancelled and verified without the database, the code says why."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)

    async def broken(*arguments: object, **rows: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(session._store, "write", broken)
    gateway.open_ids.add("a")
    wish(session)
    await until(lambda: session.engine.is_killed)
    assert session.switch.latch.read().by == "storage" and not task.done()
    session.request_stop("quit")
    outcome = await task
    assert (outcome.exit_code, outcome.verified) == (5, True), outcome.sentence
    assert gateway.posted == [], "what cannot be journaled is not sent"
    assert session._store._db is None, "the file is let go of"


async def test_nothing_is_written_after_the_database_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The periodic writer must not wake up in the middle of closing and turn a clean end into exit code 5."""
    session = session_in(tmp_path, composing(FakeGateway()))
    end = Store.end

    async def slow_end(store: Store, reason: str, verified: bool) -> None:
        await end(store, reason, verified)
        session._store.journal("event", Woken(unix=0.0))
        await asyncio.sleep(2 * FLUSH_SEC)

    monkeypatch.setattr(Store, "end", slow_end)
    task = await run_until_trading(session)
    session.request_stop("quit")
    assert (await task).exit_code == 0


@pytest.mark.parametrize("error", [AssertionError("wrong"), AttributeError("wrong"), RuntimeError("wrong"), KeyError()])
async def test_an_engine_that_dies_of_anything_ends_the_session_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """An engine that failed once may not go on deciding."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    await an_order(session, gateway)

    def broken(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(session.engine, "handle", broken)
    session.command(OperatorCommand(act="pause_all"))
    outcome = await task
    assert (outcome.exit_code, outcome.verified) == (15, True) and not gateway.open_ids


async def test_a_session_asked_to_end_while_it_starts_ends_soon(tmp_path: Path) -> None:
    """A venue that does not answer at the start must not hold the operator for its time-outs."""

    begun = asyncio.Event()

    async def never(session: Session) -> Parts:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    session = session_in(tmp_path, never)
    task = asyncio.create_task(session.run())
    await begun.wait()
    session.request_stop("SIGTERM")
    async with asyncio.timeout(5):
        outcome = await task
    assert (outcome.exit_code, outcome.sentence) == (0, "not started: SIGTERM")
    assert last_session_row(session)[0] == "SIGTERM"


async def test_a_session_that_cannot_start_says_why_and_closes_its_database(tmp_path: Path) -> None:
    """Nothing was traded, so nothing is verified or cancelled; the row tells the failure."""

    async def refuse(session: Session) -> Parts:
        raise PreflightError("no markets")

    session = session_in(tmp_path, refuse)
    outcome = await session.run()
    assert (outcome.exit_code, outcome.sentence) == (3, "not started: PreflightError: no markets")
    reason, verified, ended = last_session_row(session)
    assert reason == "failure" and verified == 0 and ended is not None


async def test_a_kill_while_starting_is_latched_and_nothing_is_ever_placed(tmp_path: Path) -> None:
    """The operator's kill counts from the first screen on, not from the first order on."""
    gateway, begun, go = FakeGateway(), asyncio.Event(), asyncio.Event()

    async def slow(session: Session) -> Parts:
        begun.set()
        await go.wait()
        return await composing(gateway)(session)

    session = session_in(tmp_path, slow)
    task = asyncio.create_task(session.run())
    await begun.wait()
    assert session.command(OperatorCommand(act="kill")).text.startswith("KILLED")
    assert session.switch.latch.read().state == "killed"
    go.set()
    await until(lambda: gateway.cancel_alls)
    wish(session)
    await until(lambda: session._courier is not None and session._courier.is_idle)
    session.request_stop("quit")
    outcome = await task
    assert (outcome.exit_code, outcome.verified) == (10, True) and gateway.posted == []


async def test_a_second_stop_changes_neither_reason_nor_code(tmp_path: Path) -> None:
    """Quit, then a signal: the first reason is the one that is told."""
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    session.request_stop("quit")
    session.request_stop("SIGTERM")
    outcome = await task
    assert (outcome.exit_code, outcome.report["exit_reason"]) == (0, "quit")


async def _cancels_nothing(order_ids: object) -> list[object]:
    return []


async def _answers_nothing(batch: Sequence[Cleared]) -> list[OrderAnswered]:
    return [OrderAnswered(intent=each.signed.place.intent, outcome="unknown") for each in batch]


# What others may ask, and what is kept for later


async def test_a_running_session_explains_its_markets(tmp_path: Path) -> None:
    """From before the first order to the end; afterwards nobody answers."""
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    told = await asyncio.to_thread(ask, session.places.control, Explain("rain"), Explained)
    assert told.explanation is not None and told.explanation.market == INSTRUMENT.market
    assert told.explanation.blocked
    nobody = await asyncio.to_thread(ask, session.places.control, Explain("snow"), Explained)
    assert nobody.explanation is None and [one.title for one in nobody.candidates] == ["Rain?"]
    session.request_stop("quit")
    await task
    with pytest.raises(PreflightError, match="no session runs"):
        await asyncio.to_thread(ask, session.places.control, Explain("rain"), Explained)


async def test_a_session_that_cannot_be_asked_trades_all_the_same(tmp_path: Path) -> None:
    """The socket is a convenience; its lack is a warning."""
    session = session_in(tmp_path, composing(FakeGateway()))
    session.places.control.mkdir()
    task = await run_until_trading(session)
    assert any("no command but `kill` reaches it" in event.text for event in session._events)
    session.request_stop("quit")
    assert (await task).exit_code == 0


async def test_fair_values_and_drifts_are_written(tmp_path: Path) -> None:
    """What calibration reads later; a write that failed is made up for."""
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    await until(lambda: rows_of(session, "SELECT 1 FROM fairs"))
    drift = Drift(("t", "0xa"), 0.0, "bid", 1, Shares(5 * MICRO), 30.0, 0.007, -0.0035)
    session.engine._drifts.append((INSTRUMENT.market, drift))
    await until(lambda: rows_of(session, "SELECT 1 FROM markouts"))
    session.request_stop("quit")
    await task
    assert rows_of(session, "SELECT market, tick_micro_usd, fair_micro_usd FROM fairs") == [
        (INSTRUMENT.market, 10_000, None)
    ]
    query = (
        "SELECT trade_id, order_id, horizon_s, side, layer, size_micro, spread_micro_usd, drift_micro_usd FROM markouts"
    )
    assert rows_of(session, query) == [("t", "0xa", 30.0, "bid", 1, 5_000_000, 7_000, -3_500)]


async def test_questions_which_orders_score_reach_the_venue(tmp_path: Path) -> None:
    """A wish of the engine's is carried out; asked twice a minute, it is no part of the journal."""
    gateway, asked = FakeGateway(), list[Sequence[str]]()

    async def read_scoring(order_ids: Sequence[str]) -> None:
        asked.append(order_ids)

    gateway.read_scoring = read_scoring  # type: ignore[method-assign, assignment]
    session = session_in(tmp_path, composing(gateway))
    task = await run_until_trading(session)
    session._carry_out(ReadScoring(("0xa",)))
    await until(lambda: asked == [["0xa"]])
    session.request_stop("quit")
    await task
    assert rows_of(session, "SELECT 1 FROM journal WHERE body LIKE '%0xa%'") == []


@pytest.mark.parametrize("act", ["resume_all", "rearm"])
async def test_nothing_is_lifted_before_it_is_known_what_holds(
    tmp_path: Path, act: Literal["resume_all", "rearm"]
) -> None:
    """Else the answer is "resumed", and what an earlier session left holds a moment later."""
    gateway, begun, go = FakeGateway(), asyncio.Event(), asyncio.Event()

    async def slow(session: Session) -> Parts:
        begun.set()
        await go.wait()
        return await composing(gateway)(session)

    session = session_in(tmp_path, slow)
    task = asyncio.create_task(session.run())
    await begun.wait()
    answer = session.command(OperatorCommand(act=act, reason="go on"))
    assert not answer.done and "is not read yet" in answer.text
    go.set()
    await until(lambda: session.command(OperatorCommand(act="resume_all")).done)
    session.request_stop("quit")
    await task


@pytest.mark.parametrize(
    ("note", "is_done"), [(Note("warning", "", "done, and grave"), True), (refusal("", "not done"), False)]
)
def test_an_answer_says_refused_only_when_nothing_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note: Note, is_done: bool
) -> None:
    """A shell's exit code 2 promises that nothing has changed; how grave a line is says nothing about that."""
    session = session_in(tmp_path, composing(FakeGateway()))
    monkeypatch.setattr(session, "emit", lambda command: [note])
    assert session.command(OperatorCommand(act="cancel_all")).done == is_done


@pytest.mark.parametrize("act", get_args(Act))
def test_a_preview_is_told_or_done_or_refused_and_never_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    """What the engine answers to a preview is carried out only of acts that stop, and those always are."""
    session = session_in(tmp_path, composing(FakeGateway()))
    monkeypatch.setattr(session, "_why_not", lambda command: "")
    done: list[OperatorCommand] = []
    monkeypatch.setattr(session, "emit", lambda command: done.append(command) or [Note("info", "", "done")])
    answer = session.command(OperatorCommand(act=act, market=INSTRUMENT.market, preview=True))
    if act == "stop":
        assert answer.done and session._ending.is_set()
    elif act in STOPPING_ACTS:
        assert answer.done and [command.preview for command in done] == [False]
    else:
        assert not done and not session._ending.is_set()
        assert act in PREVIEWABLE or answer.text == f"{act}: there is no preview of it; nothing was done"


def rows_of(session: Session, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(session.places.database)) as db:
        return db.execute(query).fetchall()


async def test_what_an_operator_holds_is_on_the_disk_at_once_and_holds_the_next_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that loses its power right after a pause comes back paused, not trading."""
    monkeypatch.setattr(journaling_module, "FLUSH_SEC", 3600.0)
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    pause = OperatorCommand(act="pause", market=INSTRUMENT.market, who="jo", reason="lunch", for_s=600.0)
    assert session.command(pause).done
    query = "SELECT state, source, reason, author, until_unix - since_unix FROM controls"
    async with asyncio.timeout(5):
        while True:
            with closing(sqlite3.connect(session.places.database)) as db:
                if rows := db.execute(query).fetchall():
                    break
            await asyncio.sleep(0.01)
    assert rows == [("PAUSED", "operator", "lunch", "jo", 600.0)]
    session.request_stop("quit")
    await task
    session.places.release()
    after = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(after)
    [held] = after.engine.controls.held()
    assert held.words == "paused: lunch, by jo"
    assert 590.0 < (after.engine.controls.left_s(held, after.clock.monotonic()) or 0.0) <= 600.0
    assert after.command(OperatorCommand(act="resume", market=INSTRUMENT.market)).text.startswith("resumed")
    after.request_stop("quit")
    await task


async def test_sizes_over_the_bankroll_end_the_session_before_any_order(tmp_path: Path) -> None:
    """What was made for a larger account is a matter of the settings, and of no kill switch."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway), max_size_usd=2_000.0)
    outcome = await session.run()
    assert (outcome.exit_code, outcome.verified) == (2, True)
    assert outcome.sentence == (
        "stopped (ConfigError: max_size_usd: 2000 is over the bankroll of 1000 dollars; lower it, or raise that): "
        "zero open orders verified"
    )
    assert gateway.posted == [] and not session.switch.is_closed


async def test_a_journal_that_waits_for_the_disk_stops_new_orders_and_then_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second writer keeps the database locked: what leaves now could not be remembered."""
    gateway = FakeGateway()
    session = session_in(tmp_path, composing(gateway))
    monkeypatch.setattr(vitals_module, "JOURNAL_KILL_SEC", 2.5)
    task = await run_until_trading(session)
    release = asyncio.Event()

    async def wait_for_the_disk(changes: object) -> None:
        await release.wait()

    with monkeypatch.context() as patch:
        patch.setattr(session._store, "write", wait_for_the_disk)
        await until(lambda: session.engine.vitals.journal)
        assert not session.switch.is_closed
        await until(lambda: session.switch.is_closed)
        assert session.engine.is_killed
        release.set()
    await until(lambda: not session.engine.vitals.journal)
    session.request_stop("quit")
    assert (await task).exit_code == 10


async def test_a_loop_that_stood_still_is_told_to_the_engine_once_it_hears_anything(tmp_path: Path) -> None:
    """At a start imports hold the loop up, and nothing is old yet."""
    session = session_in(tmp_path, composing(FakeGateway()))
    session._on_stall(2.0)
    assert session.engine.vitals.lag_s == 0.0
    task = await run_until_trading(session)
    session._on_stall(2.0)
    assert session.engine.vitals.lag_s == 2.0
    session.request_stop("quit")
    assert (await task).exit_code == 0


class _Ahead:
    """A clock that shows more than another."""

    def __init__(self, clock: Clock, ahead_s: float) -> None:
        self._clock = clock
        self._ahead_s = ahead_s

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._ahead_s

    def unix(self) -> float:
        return self._clock.unix() + self._ahead_s


async def test_on_an_old_view_things_are_stopped_but_nothing_is_opened(tmp_path: Path) -> None:
    """A key pressed on a picture of before a standstill must not put more at risk; stopping is always right."""
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    await until(lambda: session.view)
    assert session.view is not None
    seen, market, clock = session.view.seq, INSTRUMENT.market, session.clock
    tighten = OperatorCommand(act="tighten", market=market, view_seq=seen)
    assert "older than" not in session.command(tighten).text

    session.clock = _Ahead(clock, session_module.OLD_VIEW_SEC + 1.0)  # type: ignore[assignment]
    assert session.command(tighten).text.startswith("tighten: refused: what was on the screen was older than 5 s")
    assert session.command(OperatorCommand(act="pause", market=market, view_seq=seen)).done
    resume = OperatorCommand(act="resume", market=market, view_seq=seen)
    assert "older than" in session.command(resume).text
    assert "older than" not in session.command(msgspec.structs.replace(resume, preview=True)).text
    assert "older than" not in session.command(msgspec.structs.replace(resume, view_seq=0)).text, "no console asks"
    session._publish()
    assert "older than" not in session.command(msgspec.structs.replace(resume, view_seq=session.view.seq)).text
    session.clock = clock
    session.request_stop("quit")
    await task


@pytest.mark.parametrize(
    ("command", "opens"),
    [
        (OperatorCommand(act="widen"), False),
        (OperatorCommand(act="widen", amount=-1.0), True),
        (OperatorCommand(act="size", amount=0.5), False),
        (OperatorCommand(act="size", amount=2.0), True),
        (OperatorCommand(act="one_side", sides="bid"), False),
        (OperatorCommand(act="one_side"), True),
        (OperatorCommand(act="flatten", confirm="1"), True),
        (OperatorCommand(act="flatten", preview=True), False),
        (OperatorCommand(act="cancel_all"), False),
        (OperatorCommand(act="reduce_all"), False),
        (OperatorCommand(act="flatten_stop"), False),
        (OperatorCommand(act="kill"), False),
        (OperatorCommand(act="stop"), False),
    ],
)
def test_which_acts_may_put_more_at_risk(command: OperatorCommand, opens: bool) -> None:
    assert command.opens == opens
