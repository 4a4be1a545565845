"""The lanes between engine and gateway: what goes out, in which order, and what is said when it could not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import pytest
from msgspec import structs

from core.actions import (
    AccountSection,
    Cancel,
    CancelAll,
    CancelMarket,
    Place,
    ReadAccount,
    ReadOrder,
    ReadScoring,
    SignedPlace,
)
from core.clock import ManualClock
from core.errors import OutcomeUnknown, StoreError, VenueRefused
from core.events import (
    BudgetSeen,
    CancelAnswered,
    Event,
    IndexedTradesRead,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    PositionsRead,
    Refusal,
    TradesRead,
    VenueSeen,
)
from core.risk.gate import Cleared, Denial
from core.runtime import courier as courier_module
from core.runtime import inquiries as inquiries_module
from core.runtime.courier import BATCH, NO_ORDER, PATIENCE_SEC, REPEATS, Courier
from core.runtime.inquiries import LEFT_BY_ACCOUNT, READS, SCORING_BATCH
from core.units import MICRO, Shares, Ticks
from core.venue.gateway import Gateway, ModeSign, RateSign
from tests.core.runtime.scripted import Script, hang, until
from tests.loopback.jumping import jumping_loop


def place(intent: int) -> Place:
    return Place(
        intent=intent, market="m", token="11", order_side="BUY", price=Ticks(40), price_text="0.4",
        size=Shares(10 * MICRO), side="bid", layer=0, reason="test",
    )  # fmt: skip


def cancel(order_id: str) -> Cancel:
    return Cancel(order_id=order_id, market="m", reason="test")


RESTARTING = ModeSign("RESTARTING", detail="service not ready")
CARRIED_OUT = ModeSign("CANCEL_ONLY", at_least=True)


class Desk:
    """What the courier says and asks, in order, on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock(unix=1_000_000.0, monotonic=100.0)
        self.gateway = Script()
        self.told: list[Event] = []
        self.commits = 0
        self.on_commit: Callable[[], Awaitable[object]] | None = None
        self.pulled: set[int] = set()
        self.open_orders = 0
        self.denials: dict[int, Denial] = {}
        """By intent: what the gate stops."""
        self.tokens = ["11", "12"]
        gateway: Gateway = self.gateway
        self.courier = Courier(
            gateway,
            self.clock,
            self.told.append,
            self.commit,
            self.clear,
            is_neg_risk=lambda market: False,
            is_wanted=lambda intent: intent not in self.pulled,
            open_orders=lambda: self.open_orders,
            tokens=lambda: self.tokens,
        )
        self.gateway.tell = self.courier.hear

    def clear(self, signed: SignedPlace, now: float) -> Cleared | Denial:
        return self.denials.get(signed.place.intent) or Cleared(signed)

    async def commit(self) -> None:
        self.commits += 1
        if self.on_commit is not None:
            await self.on_commit()

    def pass_time(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.monotonic() + seconds)

    async def settle(self) -> None:
        """Let the lanes do all that they can do at this moment, several looks long."""
        for _ in range(5):
            await asyncio.sleep(2 * LOOK)

    def answers(self) -> list[tuple[int, str]]:
        return [(event.intent, event.outcome) for event in self.told if isinstance(event, OrderAnswered)]

    def cancels(self) -> list[tuple[str, str]]:
        return [(event.order_id, event.outcome) for event in self.told if isinstance(event, CancelAnswered)]

    def modes(self) -> list[str]:
        return [event.mode for event in self.told if isinstance(event, VenueSeen)]

    def told_of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.told if isinstance(event, kind)]


LOOK = 0.001
LOOP_FACTORY = jumping_loop
"""Whoever has paused for two looks has seen the lanes do all that they can: no luck of the machine's is needed."""
TURNS = 50
"""Of the loop: more than any lane needs for what it can do without a pause."""
GRANTED = int(READS.burst - LEFT_BY_ACCOUNT)
"""Routine reads that find budget while the clock stands still."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Looks are short: the clock that counts is the test's."""
    monkeypatch.setattr(courier_module, "LOOK_SEC", LOOK)
    monkeypatch.setattr(courier_module, "REPEAT_SEC", LOOK)
    monkeypatch.setattr(inquiries_module, "RESTART_LOOK_SEC", LOOK)
    monkeypatch.setattr(inquiries_module, "SCORING_GAP_SEC", 0.0)
    return Desk()


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[dict[str, "asyncio.Task[None]"]]:
    tasks = {name: asyncio.create_task(work, name=name) for name, work in desk.courier.lanes()}
    try:
        yield tasks
    finally:
        for task in tasks.values():
            task.cancel()
        ended = await asyncio.gather(*tasks.values(), return_exceptions=True)
        broken = [error for error in ended if isinstance(error, Exception)]
        assert not broken, broken


# Placements


async def test_an_order_is_journaled_between_signing_and_sending(desk: Desk) -> None:
    """After a crash the journal must know every order the venue may know; one commit is enough for a batch."""
    at_post: list[tuple[int, int]] = []

    async def note(*what: str) -> object:
        at_post.append((desk.commits, len(desk.told_of(OrderSigned))))
        return None

    desk.gateway.on["post"] = note
    for intent in (1, 2):
        desk.courier.take(place(intent))
    async with running(desk):
        await desk.courier.wait_idle()
    assert at_post == [(1, 2)] and desk.answers() == [(1, "live"), (2, "live")]


async def test_the_loop_runs_between_two_signatures(desk: Desk) -> None:
    """Fifteen signatures in one go would stall every feed for ten milliseconds."""
    turns = 0
    at_sign: list[int] = []

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def note(intent: str) -> object:
        at_sign.append(turns)
        return None

    desk.gateway.on["sign"] = note
    other = asyncio.create_task(count())
    for intent in range(BATCH):
        desk.courier.take(place(intent))
    async with running(desk):
        await desk.courier.wait_idle()
    other.cancel()
    assert all(later > earlier for earlier, later in pairwise(at_sign))


async def test_orders_go_out_in_batches_the_venue_takes(desk: Desk) -> None:
    """More than fifteen orders in one request are refused as a whole; beyond our share of the rate they wait."""
    for intent in range(BATCH + 2):
        desk.courier.take(place(intent))
    async with running(desk):
        await until(lambda: len(desk.answers()) == BATCH)
        assert not desk.courier.is_idle
        desk.pass_time(0.2)
        await desk.courier.wait_idle()
    assert [len(ids) for ids in desk.gateway.called("post")] == [BATCH, 2]


async def test_a_closed_gate_stops_what_waits_and_what_is_signed_already(desk: Desk) -> None:
    """The gate is asked last, just before the socket; nothing waits behind it for budget."""

    async def close() -> None:
        desk.courier.close_gate()

    desk.on_commit = close
    for intent in range(BATCH + 1):
        desk.courier.take(place(intent))
    async with running(desk):
        await desk.courier.wait_idle()
    assert {outcome for _, outcome in desk.answers()} == {"denied"} and len(desk.answers()) == BATCH + 1
    assert not desk.gateway.called("post")


async def test_somebody_who_wishes_anew_at_every_denial_does_not_keep_the_loop(desk: Desk) -> None:
    """A closed gate answers at once; the loop still gets its turns."""
    emit = desk.told.append

    def insist(event: Event) -> None:
        emit(event)
        if isinstance(event, OrderAnswered):
            desk.courier.take(place(event.intent + 1))

    desk.courier._emit = insist
    desk.courier.close_gate()
    desk.courier.take(place(1))
    async with running(desk):
        for _ in range(TURNS):
            await asyncio.sleep(0)
    assert len(desk.answers()) > 3


@pytest.mark.parametrize("mode", ["RESTARTING", "CANCEL_ONLY", "DISABLED"])
async def test_what_the_venue_has_stopped_taking_is_not_sent(desk: Desk, mode: str) -> None:
    """Also when the mode changed while the batch was being written: the answer would be a refusal or doubt."""

    async def change() -> None:
        desk.courier.hear(ModeSign(mode, detail="by test"))  # type: ignore[arg-type]

    desk.on_commit = change
    async with running(desk):
        desk.courier.take(place(1))
        await desk.courier.wait_idle()
        desk.courier.take(place(2))
        await desk.courier.wait_idle()
    assert desk.answers() == [(1, "denied"), (2, "denied")]
    assert not desk.gateway.called("post") and desk.gateway.called("sign") == [("1",)], "not even signed"


async def test_an_order_that_cannot_be_signed_is_denied_alone(desk: Desk) -> None:
    """One bad wish must not take its neighbours with it, and is answered once."""

    async def picky(intent: str) -> object:
        if intent == "1":
            raise VenueRefused("off the grid")
        return None

    desk.gateway.on["sign"] = picky
    async with running(desk):
        for intent in (1, 2):
            desk.courier.take(place(intent))
        await desk.courier.wait_idle()
    assert desk.answers() == [(1, "denied"), (2, "live")]


async def test_what_is_pulled_while_it_waits_for_budget_is_denied_at_once(desk: Desk) -> None:
    """It would only take the place of an order that is still wanted."""
    desk.open_orders = 100
    async with running(desk):
        desk.courier.take(place(1))
        desk.courier.take(place(2))
        await desk.settle()
        desk.pulled = {1}
        await until(lambda: desk.answers() == [(1, "denied")])
        desk.open_orders = 99
        await desk.courier.wait_idle()
    assert desk.gateway.called("sign") == [("2",)]


async def test_what_was_pulled_while_it_was_being_signed_is_not_sent(desk: Desk) -> None:
    """A pause between the decision and the socket wins."""

    async def pull() -> None:
        desk.pulled = {2}

    desk.on_commit = pull
    async with running(desk):
        for intent in (1, 2, 3):
            desk.courier.take(place(intent))
        await desk.courier.wait_idle()
    assert desk.answers() == [(2, "denied"), (1, "live"), (3, "live")]
    assert desk.gateway.called("post") == [("id-1", "id-3")]


async def test_what_the_gate_stops_right_before_the_socket_is_not_sent(desk: Desk) -> None:
    """It is asked after the journal: what has changed meanwhile counts, and each denial before the next word."""
    heard: list[list[tuple[int, str]]] = []

    async def commit() -> None:
        desk.denials[2] = Denial("market_cap", "too much")

    def clear(signed: SignedPlace, now: float) -> Cleared | Denial:
        heard.append(desk.answers())
        return Desk.clear(desk, signed, now)

    desk.on_commit, desk.courier._clear = commit, clear
    async with running(desk):
        for intent in (1, 2, 3):
            desk.courier.take(place(intent))
        await until(lambda: desk.courier.is_idle)
    assert desk.gateway.called("post") == [("id-1", "id-3")]
    denied = next(event for event in desk.told if isinstance(event, OrderAnswered) and event.outcome == "denied")
    assert (denied.intent, denied.denial, denied.detail, denied.refusal) == (2, "market_cap", "too much", "")
    assert heard == [[], [], [(2, "denied")]]


async def test_orders_that_cross_go_by_themselves_and_are_cleared_after_the_others_answer(desk: Desk) -> None:
    async with running(desk):
        desk.courier.take(structs.replace(place(1), crosses=True, flattens=True))
        desk.courier.take(place(2))
        await until(lambda: desk.courier.is_idle)
    assert desk.gateway.called("post") == [("id-2",), ("id-1",)]


async def test_orders_that_wait_too_long_for_budget_are_denied_with_the_reason(desk: Desk) -> None:
    """Later they would be sent at an old price; the engine makes a new plan instead."""
    desk.open_orders = 100
    async with running(desk):
        desk.courier.take(place(1))
        await desk.settle()
        desk.pass_time(PATIENCE_SEC - 0.1)
        await desk.settle()
        assert desk.answers() == []
        desk.pass_time(0.2)
        await desk.courier.wait_idle()
    answer = desk.told_of(OrderAnswered)[0]
    assert isinstance(answer, OrderAnswered) and answer.outcome == "denied"
    assert answer.detail == "waited 2.1 s: 100 orders are open: more could not be cancelled at once"
    assert answer.refusal == "rate", "the desk waits before it tries again"
    assert not desk.gateway.called("sign")


async def test_the_reserve_is_looked_at_once_more_before_the_socket(desk: Desk) -> None:
    """I-17 holds at the moment of writing, whatever cancels did while the batch was in the journal."""

    async def drain() -> None:
        desk.courier.budget.cancel(100, desk.clock.monotonic())

    desk.on_commit = drain
    async with running(desk):
        desk.courier.take(place(1))
        await desk.courier.wait_idle()
    assert desk.answers() == [(1, "denied")] and not desk.gateway.called("post")


@pytest.mark.parametrize(
    ("refusal", "ends"), [("crossed", True), ("balance", True), ("", False), ("rate", False), ("market", False)]
)
async def test_one_order_tries_the_end_of_cancel_only(desk: Desk, refusal: Refusal, ends: bool) -> None:
    """Only what shows that the venue trades lets the others follow; the rest goes on one by one."""
    desk.courier.hear(ModeSign("CANCEL_ONLY", retry_after_s=5.0))
    desk.pass_time(5.0)

    async def refuse(*what: str) -> object:
        intent = int(what[0].removeprefix("id-"))
        return [OrderAnswered(intent=intent, outcome="refused", refusal=refusal)] if intent == 1 else None

    desk.gateway.on["post"] = refuse
    async with running(desk):
        await until(lambda: desk.modes() == ["CANCEL_ONLY", "NORMAL"])
        for intent in (1, 2, 3):
            desk.courier.take(place(intent))
        await desk.courier.wait_idle()
    posts = [("id-1",), ("id-2", "id-3")] if ends else [("id-1",), ("id-2",), ("id-3",)]
    assert desk.gateway.called("post") == posts
    assert desk.courier.modes.is_trial is not ends


async def test_a_failed_trial_stops_the_rest(desk: Desk) -> None:
    """Fifty orders would be fifty refusals."""
    desk.courier.hear(ModeSign("CANCEL_ONLY", retry_after_s=5.0))
    desk.pass_time(5.0)

    async def still(*what: str) -> object:
        desk.gateway.tell(ModeSign("CANCEL_ONLY"))
        return [OrderAnswered(intent=1, outcome="unknown")]

    desk.gateway.on["post"] = still
    async with running(desk):
        await until(lambda: desk.courier.modes.is_trial)
        for intent in (1, 2, 3):
            desk.courier.take(place(intent))
        await desk.courier.wait_idle()
    assert desk.gateway.called("post") == [("id-1",)]
    assert desk.answers() == [(1, "unknown"), (2, "denied"), (3, "denied")]
    assert desk.modes() == ["CANCEL_ONLY", "NORMAL", "CANCEL_ONLY"]


async def test_legs_that_are_being_sent_when_the_lane_is_cancelled_are_unknown(desk: Desk) -> None:
    """Their bytes may have left (reliability.md P12); those that wait behind them have never been anywhere."""
    desk.gateway.on["post"] = hang
    async with running(desk) as tasks:
        for intent in range(BATCH + 1):
            desk.courier.take(place(intent))
        await until(lambda: desk.gateway.called("post"))
        tasks["places"].cancel()
        await asyncio.wait({tasks["places"]})
        assert tasks["places"].cancelled()
    assert desk.answers() == [(intent, "unknown") for intent in range(BATCH)]
    assert desk.courier.is_idle


async def test_an_order_that_was_denied_already_is_not_answered_twice(desk: Desk) -> None:
    """Two answers to one intent would be two transitions of its state."""

    async def picky(intent: str) -> object:
        if intent == "1":
            raise VenueRefused("off the grid")
        return None

    desk.gateway.on["sign"] = picky
    desk.on_commit = hang
    async with running(desk) as tasks:
        for intent in (1, 2):
            desk.courier.take(place(intent))
        await until(lambda: desk.commits)
        tasks["places"].cancel()
        await asyncio.wait({tasks["places"]})
    assert desk.answers() == [(1, "denied"), (2, "denied")]


async def test_an_order_behind_a_slow_answer_is_sent_while_it_is_wanted(desk: Desk) -> None:
    """Only a lack of budget denies: what is wanted after four seconds is wanted."""

    async def slow(*what: str) -> object:
        desk.courier.take(place(2))
        del desk.gateway.on["post"]
        desk.pass_time(4.0)
        return None

    desk.gateway.on["post"] = slow
    async with running(desk):
        desk.courier.take(place(1))
        await desk.courier.wait_idle()
    assert desk.answers() == [(1, "live"), (2, "live")]


@pytest.mark.parametrize("moment", ["sign", "commit"])
async def test_legs_that_were_not_sent_when_the_lane_is_cancelled_are_denied(desk: Desk, moment: str) -> None:
    """No byte has left: they must not be looked for at the venue for half a minute."""
    if moment == "sign":
        desk.gateway.on["sign"] = hang
    else:
        desk.on_commit = hang
    async with running(desk) as tasks:
        for intent in (1, 2):
            desk.courier.take(place(intent))
        await until(lambda: desk.gateway.called("sign") if moment == "sign" else desk.commits)
        tasks["places"].cancel()
        await asyncio.wait({tasks["places"]})
    assert desk.answers() == [(1, "denied"), (2, "denied")]


async def test_a_lane_that_died_holds_nobody(desk: Desk) -> None:
    """The end of a session waits for placements; a dead lane will never answer. What it had is told."""

    async def broken() -> None:
        raise OSError("no thread is to be had")

    desk.on_commit = broken
    desk.courier.take(place(1))
    lanes = desk.courier.lanes()
    with pytest.raises(OSError, match="thread"):
        await next(work for name, work in lanes if name == "places")
    for name, work in lanes:
        if name != "places":
            work.close()
    async with asyncio.timeout(1):
        await desk.courier.wait_idle()
    assert desk.answers() == [(1, "denied")]


async def test_what_cannot_be_written_down_is_not_sent_and_the_lane_lives(desk: Desk) -> None:
    """A full disk costs the orders and nothing else; when it takes something again, orders go out."""

    async def full() -> None:
        raise StoreError("disk full")

    desk.on_commit = full
    async with running(desk):
        desk.courier.take(place(1))
        await until(lambda: desk.answers())
        assert desk.answers() == [(1, "denied")] and not desk.gateway.called("post")
        desk.on_commit = None
        desk.courier.take(place(2))
        await until(lambda: desk.gateway.called("post"))


async def test_nothing_is_sent_once_the_kill_switch_is_pulled(desk: Desk) -> None:
    """Looked at after the commit, in the step of the call to the gateway."""
    closed: list[bool] = []
    desk.courier._is_closed = lambda: bool(closed)

    async def pulled() -> None:
        closed.append(True)

    desk.on_commit = pulled
    async with running(desk):
        desk.courier.take(place(1))
        await until(lambda: desk.answers())
    assert desk.answers() == [(1, "denied")] and not desk.gateway.called("post")


# Cancels


async def test_a_stuck_lane_delays_no_higher_one(desk: Desk) -> None:
    """A kill stands behind nothing, a cancel behind no read and no placement, evidence behind no routine."""
    for call in ("cancel", "cancel_market", "read_scoring", "open_orders", "post"):
        desk.gateway.on[call] = hang
    async with running(desk):
        desk.courier.take(ReadScoring(order_ids=("s",)))
        desk.courier.take(ReadAccount(sections=("orders",), reason="test"))
        desk.courier.take(place(1))
        desk.courier.take(cancel("a"))
        desk.courier.take(CancelMarket(market="m", reason="test"))
        await until(lambda: len(desk.gateway.calls) == 6)
        desk.courier.take(ReadOrder(order_id="b"))
        desk.courier.take(CancelAll(reason="kill"))
        await until(lambda: desk.gateway.called("cancel_all") and desk.gateway.called("read_order"))


async def test_cancels_do_not_wait_for_the_journal(desk: Desk) -> None:
    """A slow disk may delay new risk, never the removal of risk."""
    desk.on_commit = hang
    async with running(desk):
        desk.courier.take(place(1))
        desk.courier.take(cancel("a"))
        await until(lambda: desk.cancels() == [("a", "cancelled")])


async def test_cancels_of_one_moment_are_one_request_and_each_order_is_named_once(desk: Desk) -> None:
    """The engine may ask again while its first wish waits; the venue hears of it once."""
    for order in ("a", "b", "a"):
        desk.courier.take(cancel(order))
    async with running(desk):
        await until(lambda: len(desk.cancels()) == 2)
    assert desk.gateway.called("cancel") == [("a", "b")]


async def test_a_batch_of_cancels_fits_into_what_the_bucket_holds(desk: Desk) -> None:
    """A batch is admitted whole or refused whole (polymarket-api.md 10.2)."""
    desk.courier.hear(RateSign("cancels", remaining=30, reset_unix=0.0))
    for order in range(50):
        desk.courier.take(cancel(str(order)))
    async with running(desk):
        await until(lambda: len(desk.cancels()) == 50)
    sizes = [len(ids) for ids in desk.gateway.called("cancel")]
    assert sizes[0] == 30 and sum(sizes) == 50, "with an empty bucket they go one by one: a try costs nothing"


async def test_an_order_that_is_gone_is_never_cancelled_again_by_the_courier(desk: Desk) -> None:
    """nautilus_trader#3797 looped for ever: any answer goes to the engine, which counts its tries."""

    async def answer(*orders: str) -> object:
        outcomes = {"a": "gone", "b": "refused", "c": "unknown", "d": "cancelled"}
        return [CancelAnswered(order_id=order, outcome=outcomes[order]) for order in orders]  # type: ignore[arg-type]

    desk.gateway.on["cancel"] = answer
    for order in "abcd":
        desk.courier.take(cancel(order))
    async with running(desk):
        await desk.settle()
        desk.pass_time(60.0)
        await desk.settle()
    assert desk.gateway.called("cancel") == [("a", "b", "c", "d")] and len(desk.cancels()) == 4


async def test_during_a_restart_cancels_are_kept_and_repeated_at_1_2_4_8_seconds(desk: Desk) -> None:
    """reliability.md X01: neither given up nor hammered, one request for all, and told only when there is an answer."""
    restarting, when = True, list[float]()

    async def answer(*orders: str) -> object:
        when.append(desk.clock.monotonic())
        desk.gateway.tell(RESTARTING if restarting else CARRIED_OUT)
        return [CancelAnswered(order_id=o, outcome="unknown" if restarting else "cancelled") for o in orders]

    desk.gateway.on["cancel"] = answer
    async with running(desk):
        desk.courier.take(cancel("a"))
        desk.courier.take(cancel("b"))
        for _ in range(120):
            await asyncio.sleep(LOOK)
            desk.courier.take(cancel("a"))
            desk.pass_time(0.5)
        assert desk.cancels() == []
        restarting = False
        desk.pass_time(15.0)
        await until(lambda: len(desk.cancels()) == 2)
    assert [sorted(ids) for ids in desk.gateway.called("cancel")] == [["a", "b"]] * len(when) and len(when) <= 11
    assert desk.modes() == ["RESTARTING", "POST_ONLY"]
    assert desk.courier.cancel_progress_s() == desk.clock.monotonic(), "a restart is no reason to fall silent"


async def test_cancels_refused_for_their_rate_are_kept_until_the_venue_wants_them(desk: Desk) -> None:
    """They cost the engine none of its tries: the venue has not even looked at them."""
    refused = True

    async def answer(*orders: str) -> object:
        if refused:
            desk.gateway.tell(RateSign("cancels", remaining=-5, reset_unix=0.0, refused=True, retry_after_s=3.0))
        return [CancelAnswered(order_id=o, outcome="refused" if refused else "cancelled") for o in orders]

    desk.gateway.on["cancel"] = answer
    async with running(desk):
        desk.courier.take(cancel("a"))
        await until(lambda: desk.gateway.called("cancel"))
        refused = False
        desk.pass_time(2.9)
        await desk.settle()
        assert len(desk.gateway.called("cancel")) == 1 and desk.cancels() == []
        desk.pass_time(0.2)
        await until(lambda: desk.cancels() == [("a", "cancelled")])


async def test_a_cancel_of_everything_is_repeated_a_few_times(desk: Desk) -> None:
    """When its outcome is unknown; afterwards the engine goes on order by order."""

    async def fail() -> object:
        raise OutcomeUnknown("nobody knows")

    desk.gateway.on["cancel_all"] = fail
    async with running(desk):
        desk.courier.take(CancelAll(reason="kill"))
        await until(lambda: len(desk.gateway.called("cancel_all")) == REPEATS)
        await desk.settle()
        assert len(desk.gateway.called("cancel_all")) == REPEATS
        desk.courier.take(CancelAll(reason="kill again"))
        await until(lambda: len(desk.gateway.called("cancel_all")) == 2 * REPEATS)


async def test_a_kill_during_a_restart_goes_at_once_and_insists(desk: Desk) -> None:
    """The first try waits for nothing; the restart does not use the tries up."""
    restarting = True
    desk.courier.hear(RESTARTING)

    async def answer() -> object:
        if restarting:
            desk.gateway.tell(RESTARTING)
            raise OutcomeUnknown("service not ready")
        return [CancelAnswered(order_id="a", outcome="cancelled")]

    async def probe(order_id: str) -> object:
        return None if restarting else OrderSeen(order_id=order_id, status="absent")

    desk.gateway.on |= {"cancel_all": answer, "read_order": probe}
    async with running(desk):
        desk.courier.take(CancelAll(reason="kill"))
        await until(lambda: desk.gateway.called("cancel_all"))
        for _ in range(180):
            await asyncio.sleep(LOOK)
            desk.pass_time(0.5)
        assert REPEATS < len(desk.gateway.called("cancel_all")) <= 15
        restarting = False
        desk.pass_time(10.0)
        await until(lambda: desk.cancels() == [("a", "cancelled")])


async def test_a_market_is_cancelled_as_a_whole(desk: Desk) -> None:
    """What an order of unknown outcome may have left there is named by nobody."""

    async def answer(market: str) -> object:
        return [CancelAnswered(order_id=f"{market}-1", outcome="cancelled")]

    desk.gateway.on["cancel_market"] = answer
    for market in ("m", "n", "m"):
        desk.courier.take(CancelMarket(market=market, reason="test"))
    async with running(desk):
        await until(lambda: len(desk.cancels()) == 2)
    assert desk.gateway.called("cancel_market") == [("m",), ("n",)]


async def test_a_market_whose_cancel_hangs_holds_no_other_up(desk: Desk) -> None:
    """Wishes of one moment go side by side."""
    answered = asyncio.Event()

    async def answer(market: str) -> object:
        if market == "m":
            await answered.wait()
        return [CancelAnswered(order_id=f"{market}-1", outcome="cancelled")]

    desk.gateway.on["cancel_market"] = answer
    for market in ("m", "n"):
        desk.courier.take(CancelMarket(market=market, reason="test"))
    async with running(desk):
        await until(lambda: desk.cancels() == [("n-1", "cancelled")])
        answered.set()
        await until(lambda: len(desk.cancels()) == 2)


async def test_cancels_that_fail_for_long_withhold_the_heartbeat(desk: Desk) -> None:
    """reliability.md X21: when cancels are blocked, the venue clears us only if we fall silent; one answer ends it."""
    outcome = "unknown"

    async def answer(*orders: str) -> object:
        return [CancelAnswered(order_id=order, outcome=outcome) for order in orders]  # type: ignore[arg-type]

    desk.gateway.on["cancel"] = answer
    async with running(desk):
        for turn in range(6):
            desk.courier.take(cancel("a"))
            await until(lambda turn=turn: len(desk.cancels()) == turn + 1)  # type: ignore[misc]
            assert desk.clock.monotonic() - desk.courier.cancel_progress_s() == pytest.approx(2.0 * turn)
            desk.pass_time(2.0)
        outcome = "gone"
        desk.courier.take(cancel("a"))
        await until(lambda: len(desk.cancels()) == 7)
        assert desk.courier.cancel_progress_s() == desk.clock.monotonic()
        outcome = "unknown"
        desk.courier.take(cancel("a"))
        await until(lambda: len(desk.cancels()) == 8)
        desk.pass_time(14.0)
        assert desk.courier.cancel_progress_s() == desk.clock.monotonic(), "one failure is no standstill"


# What the venue lets us do


async def test_a_probe_finds_the_end_of_a_restart(desk: Desk) -> None:
    """With nothing to cancel a read looks, at the pace of the restart; other reads wait for it."""
    back = False
    desk.courier.hear(RESTARTING)

    async def answer(order_id: str) -> object:
        if order_id == NO_ORDER and not back:
            return None
        return OrderSeen(order_id=order_id, status="absent")

    desk.gateway.on["read_order"] = answer
    async with running(desk):
        desk.courier.take(ReadOrder(order_id="a"))
        desk.courier.take(ReadAccount(sections=("orders",), reason="test"))
        for _ in range(60):
            await asyncio.sleep(LOOK)
            desk.pass_time(0.5)
        probes = desk.gateway.called("read_order")
        assert set(probes) == {(NO_ORDER,)} and 3 <= len(probes) <= 6 and not desk.gateway.called("open_orders")
        back = True
        desk.pass_time(10.0)
        await until(lambda: len(desk.told) == 4)
    assert desk.modes() == ["RESTARTING", "POST_ONLY"]
    assert [e.order_id for e in desk.told if isinstance(e, OrderSeen)] == ["a"], "a probe is no evidence"


async def test_time_ends_post_only(desk: Desk) -> None:
    """And the engine hears of it without anything being sent."""
    async with running(desk):
        desk.courier.hear(ModeSign("POST_ONLY", retry_after_s=30.0, detail="post-only mode"))
        desk.pass_time(31.0)
        await until(lambda: desk.modes() == ["POST_ONLY", "NORMAL"])
    assert not desk.gateway.calls


async def test_a_shortage_is_told_when_it_begins_and_when_it_ends(desk: Desk) -> None:
    """reliability.md X20: a debt of the cancel bucket stops new orders, and the console says why."""
    async with running(desk):
        desk.courier.hear(RateSign("cancels", remaining=-80, reset_unix=0.0))
        desk.courier.hear(RateSign("cancels", remaining=-79, reset_unix=0.0))
        desk.pass_time(2.0)
        await until(lambda: len(desk.told) == 2)
    first, last = desk.told
    assert isinstance(first, BudgetSeen) and "-80" in first.short
    assert last == BudgetSeen(short="")


async def test_a_refused_placement_pauses_placements_and_no_cancel(desk: Desk) -> None:
    """reliability.md X19: wait as long as the header says, by either of its two forms."""

    async def refuse(*what: str) -> object:
        reset = desk.clock.unix() + 1.0
        desk.gateway.tell(RateSign("orders", remaining=0, reset_unix=reset, refused=True))
        return [OrderAnswered(intent=1, outcome="refused", refusal="rate")]

    desk.gateway.on["post"] = refuse
    async with running(desk):
        desk.courier.take(place(1))
        await desk.courier.wait_idle()
        del desk.gateway.on["post"]
        desk.courier.take(place(2))
        desk.courier.take(cancel("a"))
        await until(lambda: desk.cancels())
        desk.pass_time(0.9)
        await desk.settle()
        assert desk.answers() == [(1, "refused")]
        desk.pass_time(0.2)
        await desk.courier.wait_idle()
    assert desk.answers() == [(1, "refused"), (2, "live")]


# Reads


async def test_reads_come_back_as_events_and_no_answer_says_nothing(desk: Desk) -> None:
    """A question that was not answered is no evidence."""
    known = OrderSeen(order_id="b", status="matched")

    async def read(order_id: str) -> object:
        return known if order_id == "b" else None

    desk.gateway.on["read_order"] = read
    async with running(desk):
        for order in ("a", "b", "a"):
            desk.courier.take(ReadOrder(order_id=order))
        await until(lambda: desk.told)
    assert desk.told == [known] and desk.gateway.called("read_order") == [("a",), ("b",)]


async def test_the_account_is_read_section_by_section(desk: Desk) -> None:
    """Wishes that wait are one read; trades from the earliest moment asked for."""
    desk.courier.take(ReadAccount(sections=("trades", "orders", "index"), reason="test", after_unix=50))
    desk.courier.take(ReadAccount(sections=("trades", "positions"), reason="test", after_unix=40))
    async with running(desk):
        await until(lambda: len(desk.told) == 4)
    assert desk.gateway.calls == [
        ("trades_since", ("40",)), ("open_orders", ()), ("indexed_trades", ("50",)), ("positions", ("11", "12")),
    ]  # fmt: skip
    assert [type(event) for event in desk.told] == [TradesRead, OpenOrdersRead, IndexedTradesRead, PositionsRead]


async def test_other_sections_are_read_while_a_round_of_balances_is_under_way(desk: Desk) -> None:
    """A request a token takes long; orders and trades, on which recovery depends, do not wait behind it."""
    desk.gateway.on["balances"] = hang
    async with running(desk):
        desk.courier.take(ReadAccount(sections=("balances", "trades", "orders", "positions"), reason="test"))
        await until(lambda: len(desk.told) == 3)
    assert [type(event) for event in desk.told] == [TradesRead, OpenOrdersRead, PositionsRead]
    assert desk.gateway.called("balances") == [("11", "12")], "all tokens, and cash once"


@pytest.mark.parametrize(
    ("section", "call"), [("balances", "balances"), ("orders", "open_orders"), ("trades", "trades_since")]
)
async def test_a_section_that_is_wished_for_while_it_is_read_is_read_once_more_after_it(
    desk: Desk, section: AccountSection, call: str
) -> None:
    """The answer under way may be of before the wish; two at a time would be of no use."""
    gate = asyncio.Event()

    async def wait(*what: str) -> object:
        await gate.wait()
        return None

    desk.gateway.on[call] = wait
    async with running(desk):
        desk.courier.take(ReadAccount(sections=(section,), reason="test"))
        await until(lambda: desk.gateway.called(call))
        for _ in range(3):
            desk.courier.take(ReadAccount(sections=(section,), reason="test"))
            await desk.settle()
        assert len(desk.gateway.called(call)) == 1 and not desk.told
        gate.set()
        await until(lambda: len(desk.told) == 2)
        await desk.settle()
    assert len(desk.gateway.called(call)) == 2 == len(desk.told)


def read_more_than(desk: Desk, number: int) -> bool:
    return len(desk.gateway.called("positions")) > number


async def test_evidence_is_read_when_routine_reads_have_used_their_part(desk: Desk) -> None:
    """What became of an order is worth more than a list."""
    async with running(desk):
        for number in range(GRANTED):
            desk.courier.take(ReadAccount(sections=("positions",), reason="test"))
            await until(partial(read_more_than, desk, number))
        desk.courier.take(ReadAccount(sections=("positions",), reason="test"))
        await desk.settle()
        assert len(desk.gateway.called("positions")) == GRANTED, "the rest waits for the budget"
        desk.courier.take(ReadOrder(order_id="a"))
        await until(lambda: desk.gateway.called("read_order"))
        assert len(desk.gateway.called("positions")) == GRANTED


async def test_flags_are_asked_for_once_each_in_batches(desk: Desk) -> None:
    """Questions that wait are one question: the newest answer is the only one of use."""
    many = tuple(str(number) for number in range(SCORING_BATCH + 1))
    desk.courier.take(ReadScoring(order_ids=many))
    desk.courier.take(ReadScoring(order_ids=many))
    async with running(desk):
        await until(lambda: len(desk.told) == 2)
    assert desk.gateway.called("read_scoring") == [many[:SCORING_BATCH], many[SCORING_BATCH:]]
