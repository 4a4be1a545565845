"""Carries the engine's wishes to the gateway and the answers back, in lanes of which none waits for a lesser one.

By priority: kill (cancel everything), cancels, evidence (one order), account reads, placements, scoring. Each lane is a
task of its own; what they share is rationed by :mod:`core.risk.budget`, and the reads, which are in
:mod:`core.runtime.inquiries`, by a budget of theirs (reliability.md 4.9).

Placements: sign, commit the intent, ask the gate once more, send. Cancels: straight out, never waiting for the
journal, never refused here. While the venue restarts, is halted or refuses cancels for their rate, the courier keeps
them and repeats them at the pace of :mod:`core.risk.venue_mode`; every other answer goes to the engine, which decides
about repetitions.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from core.actions import (
    Cancel,
    CancelAll,
    CancelMarket,
    Place,
    ReadAccount,
    ReadOrder,
    ReadPayouts,
    ReadScoring,
    SignedPlace,
)
from core.clock import Clock
from core.errors import StoreError, VenueError
from core.events import BudgetSeen, CancelAnswered, Event, OrderAnswered, OrderSigned, Refusal, VenueSeen
from core.risk.budget import SignerBudget
from core.risk.gate import Cleared, Denial
from core.risk.venue_mode import VenueModes
from core.runtime.inbox import Inbox
from core.runtime.inquiries import Inquiries
from core.venue.gateway import Gateway, ModeSign, RateSign

log = logging.getLogger(__name__)

BATCH: Final = 15
"""Orders in one request (polymarket-api.md 2.5)."""
PATIENCE_SEC: Final = 2.0
"""Longest wait of a placement for budget: later it would be sent at an old price."""
LOOK_SEC: Final = 0.25
"""Longest pause between looks at modes and budgets."""
REPEAT_SEC: Final = 2.0
"""Until a cancel of everything whose outcome is unknown is sent again (reliability.md 4.6)."""
REPEATS: Final = 5
"""How often; the engine then goes on order by order."""
BLOCKED_GAP_SEC: Final = 15.0
"""Failures of cancels further apart than this have nothing to do with each other."""
NO_ORDER: Final = "0x" + "00" * 32
"""The id of no order, which a probe asks for: any answer says that the venue is back."""

_PULLED: Final = "pulled before it was sent"
_USED_UP: Final = "our share of the signer's rate is used up"
_JUDGED: Final = frozenset({"crossed", "balance", "grid"})
"""Refusals of an order for its contents: the venue trades, as an order that was taken proves too."""


class _Waiting(NamedTuple):
    place: Place
    since_s: float


class Courier:
    """The lanes of one session."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        emit: Callable[[Event], None],
        commit: Callable[[], Awaitable[None]],
        clear: Callable[[SignedPlace, float], Cleared | Denial],
        *,
        is_neg_risk: Callable[[str], bool],
        is_wanted: Callable[[int], bool],
        open_orders: Callable[[], int],
        tokens: Callable[[], Sequence[str]],
        seed: int = 0,
        is_closed: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing moves until the lanes are run.

        Args:
            gateway: where orders go.
            clock: of pauses and budgets.
            emit: takes answers.
            commit: returns when everything the engine knows so far is in the journal.
            clear: the gate: asked for every order, with the monotonic time, right before it is sent.
            is_neg_risk: of a market.
            is_wanted: an intent has not been pulled since it was made.
            open_orders: how many orders the venue may have: signed, and not known to be over.
            tokens: of the session's markets, whose balances and positions are read.
            seed: of the jitter of pauses.
            is_closed: the kill switch is pulled.
        """
        self._gateway = gateway
        self._clock = clock
        self._emit = emit
        self._commit = commit
        self._clear = clear
        self._is_neg_risk = is_neg_risk
        self._is_wanted = is_wanted
        self._open_orders = open_orders
        self._is_closed = is_closed
        self._kills = Inbox[str, CancelAll]()
        self._cancels = Inbox[str, Cancel]()
        self._market_cancels = Inbox[str, CancelMarket]()
        self._places = Inbox[int, _Waiting]()
        self._idle = asyncio.Event()
        self._idle.set()
        self._told_mode, self._told_trial = "NORMAL", False
        self._told_short = ""
        self._blocked_since_s = self._blocked_last_s = -math.inf
        self.modes = VenueModes(seed)
        self.budget = SignerBudget()
        self._inquiries = Inquiries(gateway, clock, emit, tokens, lambda: self.modes.mode == "RESTARTING")
        self.is_open = True
        """The gate in front of the socket; once closed no order is sent any more."""

    def take(
        self,
        action: Place | Cancel | CancelAll | CancelMarket | ReadOrder | ReadAccount | ReadScoring | ReadPayouts,
    ) -> None:
        """Put an action on its lane."""
        match action:
            case Place():
                self._idle.clear()
                self._places.put(action.intent, _Waiting(action, self._clock.monotonic()))
            case Cancel():
                self._cancels.put(action.order_id, action)
            case CancelAll():
                self._kills.put("", action)
            case CancelMarket():
                self._market_cancels.put(action.market, action)
            case ReadOrder() | ReadAccount() | ReadScoring() | ReadPayouts():
                self._inquiries.take(action)

    def hear(self, sign: ModeSign | RateSign) -> None:
        """Take what an answer of the venue shows beside what it answers; the gateway's ``on_sign``."""
        now = self._clock.monotonic()
        if isinstance(sign, ModeSign):
            self.modes.told(
                sign.mode, now, at_least=sign.at_least, retry_after_s=sign.retry_after_s, detail=sign.detail
            )
        else:
            wait_s = sign.reset_unix - self._clock.unix() if sign.retry_after_s is None else sign.retry_after_s
            self.budget.told(
                sign.bucket,
                remaining=sign.remaining,
                tier=sign.tier,
                warned=sign.warned,
                refused=sign.refused,
                wait_s=wait_s,
                now=now,
            )
        self._tell_news(now)

    def lanes(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """Every lane's work by name; each runs until it is cancelled."""
        return [
            ("kill", self._run_kills()),
            ("cancels", self._run_cancels()),
            ("market-cancels", self._run_market_cancels()),
            ("places", self._run_places()),
            *self._inquiries.lanes(),
            ("venue-probe", self._run_probe()),
            ("venue-time", self._run_time()),
        ]

    def close_gate(self) -> None:
        """From here on no order is sent; what is being sent is answered still."""
        self.is_open = False

    @property
    def is_idle(self) -> bool:
        """No placement is waiting or under way."""
        return self._idle.is_set()

    async def wait_idle(self) -> None:
        """Return when no placement is waiting or under way."""
        await self._idle.wait()

    def cancel_progress_s(self) -> float:
        """When cancels last got through, as a liveness of the heartbeat: now, less how long they have been failing.

        A venue that takes heartbeats and no cancels is made to clear us by silence (reliability.md X21). Modes in
        which it says so itself do not count: a halt keeps the heartbeat (X03).
        """
        now = self._clock.monotonic()
        if now - self._blocked_last_s > BLOCKED_GAP_SEC:
            return now
        return now - (self._blocked_last_s - self._blocked_since_s)

    # Cancels

    async def _run_kills(self) -> None:
        while True:
            await self._kills.wait()
            self._kills.take()
            await self._insist(self._gateway.cancel_all, "everything")

    async def _run_market_cancels(self) -> None:
        while True:
            await self._market_cancels.wait()
            async with asyncio.TaskGroup() as group:
                for market in self._market_cancels.take():
                    group.create_task(self._insist(partial(self._gateway.cancel_market, market), market), name=market)

    async def _insist(self, request: Callable[[], Awaitable[list[CancelAnswered]]], what: str) -> None:
        """Cancel without naming ids until it is answered: at once, then as often as is of use."""
        repeats = 0
        while repeats < REPEATS:
            self.budget.cancel(1 + self._open_orders(), self._clock.monotonic())
            try:
                answers = await request()
            except VenueError as error:
                log.warning("cancel_failed", extra={"what": what, "detail": str(error)})
            else:
                self._note_blocked(False)
                self._tell(answers)
                return
            finally:
                self.budget.answered("cancels")
            if self._cancels_pass():
                self._note_blocked(True)
                repeats += 1
                await asyncio.sleep(REPEAT_SEC)
            else:
                await self._until_cancels_pass()

    async def _run_cancels(self) -> None:
        while True:
            await self._cancels.wait()
            await self._until_cancels_pass()
            batch = self._cancels.take(self.budget.cancel_chunk(self._clock.monotonic()))
            self.budget.cancel(len(batch), self._clock.monotonic())
            try:
                answers = await self._gateway.cancel(list(batch))
            finally:
                self.budget.answered("cancels")
            kept = self._turned_away(answers)
            for order_id in kept:
                self._cancels.put(order_id, batch[order_id])
            self._tell([answer for answer in answers if answer.order_id not in kept])

    def _turned_away(self, answers: Sequence[CancelAnswered]) -> set[str]:
        """Those that were not carried out because the venue takes no cancels now, which says nothing of the orders."""
        undone = {answer.order_id for answer in answers if answer.outcome in ("unknown", "refused")}
        if not self._cancels_pass():
            return undone
        if answers:
            self._note_blocked(all(answer.outcome == "unknown" for answer in answers))
        return set()

    def _cancels_pass(self) -> bool:
        return self._cancels_at_s <= self._clock.monotonic()

    @property
    def _cancels_at_s(self) -> float:
        return max(self.modes.cancel_at_s, self.budget.cancels_at_s)

    async def _until_cancels_pass(self) -> None:
        """Wait until the venue may take cancels again; what another lane learns ends the wait early."""
        while (wait_s := self._cancels_at_s - self._clock.monotonic()) > 0:  # noqa: ASYNC110 - time has no event
            await asyncio.sleep(min(LOOK_SEC, wait_s))

    def _note_blocked(self, blocked: bool) -> None:
        now = self._clock.monotonic()
        if not blocked:
            self._blocked_last_s = -math.inf
        else:
            if now - self._blocked_last_s > BLOCKED_GAP_SEC:
                self._blocked_since_s = now
            self._blocked_last_s = now

    def _tell(self, answers: Sequence[CancelAnswered]) -> None:
        for answer in answers:
            self._emit(answer)

    # The venue's mode, and what is short

    async def _run_probe(self) -> None:
        """During a restart: look whether it is over, with a read that changes nothing."""
        while True:
            await asyncio.sleep(LOOK_SEC)
            if self._clock.monotonic() < self.modes.probe_at_s:
                continue
            answer = await self._gateway.read_order(NO_ORDER)
            now = self._clock.monotonic()
            if answer is not None:
                self.modes.told("CANCEL_ONLY", now, at_least=True)
            elif self.modes.mode == "RESTARTING":
                self.modes.told("RESTARTING", now, detail=self.modes.detail)
            self._tell_news(now)

    async def _run_time(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SEC)
            now = self._clock.monotonic()
            self.modes.advance(now)
            self._tell_news(now)

    def _tell_news(self, now: float) -> None:
        """Tell the engine of a mode or a shortage that has begun or ended."""
        modes = self.modes
        if (modes.mode, modes.is_trial) != (self._told_mode, self._told_trial):
            self._told_mode, self._told_trial = modes.mode, modes.is_trial
            self._emit(VenueSeen(mode=modes.mode, detail=modes.detail))
        short = self.budget.short(self._open_orders(), now)
        if bool(short) != bool(self._told_short):
            self._told_short = short
            self._emit(BudgetSeen(short=short))

    # Placements

    async def _run_places(self) -> None:
        try:
            while True:
                await self._places.wait()
                while self._places:
                    await self._place_some()
                self._idle.set()
        finally:
            self._idle.set()

    async def _place_some(self) -> None:
        """Send as many as may go now; deny what is not wanted any more or has waited too long for budget."""
        if shut := self._shut():
            for waiting in self._places.take().values():
                self._deny(waiting.place, shut, "closed")
            await asyncio.sleep(0)  # whoever wishes anew at once must not keep the loop
            return
        now = self._clock.monotonic()
        room = self.budget.room(self._open_orders(), now)
        for intent, waiting in self._places.take().items():
            waited_s = now - waiting.since_s
            if not self._is_wanted(intent):
                self._deny(waiting.place, _PULLED)
            elif not room and waited_s >= PATIENCE_SEC:
                short = self.budget.why_not_place(self._open_orders() + 1, now) or _USED_UP
                self._deny(waiting.place, f"waited {waited_s:.1f} s: {short}", "rate")
            else:
                self._places.put(intent, waiting)
        if room:
            batch = self._places.take(1 if self.modes.is_trial else min(BATCH, room))
            await self._send([waiting.place for waiting in batch.values()])
        elif self._places:
            await asyncio.sleep(LOOK_SEC)

    def _shut(self) -> str:
        """Why no order may be sent at all, in words; "" when some may."""
        if self._is_closed():
            return "the kill switch is pulled"
        if not self.is_open:
            return "the gate is closed"
        if not self.modes.may_place:
            return f"the venue is {self.modes.mode.lower().replace('_', '-')}: {self.modes.detail}"
        return ""

    async def _send(self, batch: list[Place]) -> None:
        unsent = list(batch)
        with self._if_cut_short(unsent, "denied", "not sent: the session ends"):
            signed = await self._sign(unsent)
            if not signed:
                return
            try:
                await self._commit()
            except StoreError as error:
                for ready in signed:
                    self._deny(ready.place, f"it cannot be written down: {error}", "journal")
                return
        for crosses in (False, True):  # what crosses goes in a request of its own
            going = [ready for ready in signed if ready.place.crosses is crosses]
            later = [ready.place for ready in signed if ready.place.crosses and not crosses]
            with self._if_cut_short(later, "denied", "not sent: the session ends"):
                await self._post(going)

    async def _post(self, signed: Sequence[SignedPlace]) -> None:
        """Send what the gate lets through. From its word to the first byte nothing else runs."""
        if not (going := self._cleared(signed)):
            return
        self.budget.place(len(going), self._clock.monotonic())
        legs = [cleared.signed.place for cleared in going]
        with self._if_cut_short(legs, "unknown", "cut short while it was being sent"):
            try:
                answers = await self._gateway.post(going)
            finally:
                self.budget.answered("orders")
        for answer in answers:
            self._emit(answer)
        if any(answer.refusal in _JUDGED for answer in answers):
            self.hear(ModeSign("POST_ONLY", at_least=True))

    def _cleared(self, signed: Sequence[SignedPlace]) -> list[Cleared]:
        """What may leave now; all else is denied, and counts for what comes after it no more."""
        now = self._clock.monotonic()
        going: list[Cleared] = []
        for ready in signed:
            if not self._is_wanted(ready.place.intent):
                self._deny(ready.place, _PULLED)
            elif shut := self._shut():
                self._deny(ready.place, shut, "closed")
            elif short := self.budget.why_not_place(self._open_orders(), now):
                self._deny(ready.place, short, "rate")
            elif isinstance(word := self._clear(ready, now), Cleared):
                going.append(word)
            else:
                self._deny(ready.place, word.text, word.code)
        return going

    async def _sign(self, places: list[Place]) -> list[SignedPlace]:
        """Sign one by one, with a turn for the loop between them; what can not be built is denied and taken out."""
        signed = []
        for place in list(places):
            try:
                ready = await self._gateway.sign(place, self._is_neg_risk(place.market))
            except VenueError as error:
                places.remove(place)
                self._deny(place, str(error))
            else:
                self._emit(OrderSigned(intent=place.intent, order_id=ready.order_id))
                signed.append(ready)
            await asyncio.sleep(0)
        return signed

    @contextmanager
    def _if_cut_short(
        self, legs: Sequence[Place], outcome: Literal["denied", "unknown"], detail: str
    ) -> Iterator[None]:
        """When the work in here is cancelled or breaks, first say what became of its orders (reliability.md P12)."""
        try:
            yield
        except BaseException:
            for place in legs:
                self._emit(OrderAnswered(intent=place.intent, outcome=outcome, detail=detail))
            raise

    def _deny(self, place: Place, detail: str, denial: str = "") -> None:
        """Say that an order is not sent; ``denial`` is the gate's code, "" when it is no longer wanted."""
        refusal: Refusal = "rate" if denial == "rate" else ""
        answer = OrderAnswered(intent=place.intent, outcome="denied", detail=detail, refusal=refusal, denial=denial)
        self._emit(answer)
