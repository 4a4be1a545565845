"""Carries the engine's orders to the gateway and its answers back.

Placements: sign, commit the intent, pass the gate once more, send. Cancels: straight out, never waiting for the
journal, never refused; a cancel of everything does not wait for another cancel either.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from core.actions import Cancel, CancelAll, Place, ReadOrder, ReadScoring
from core.errors import VenueError
from core.events import CancelAnswered, Event, OrderAnswered, OrderSigned
from core.venue.gateway import Gateway, SignedPlace

log = logging.getLogger(__name__)

BATCH: Final = 15
"""Orders in one request (polymarket-api.md 2.5)."""
CANCEL_BATCH: Final = 100
SCORING_BATCH: Final = 100
SCORING_GAP_SEC: Final = 1.0
"""Least time between two questions which orders score; they are about nothing urgent."""


class Courier:
    """The two lanes of one session."""

    def __init__(
        self,
        gateway: Gateway,
        emit: Callable[[Event], None],
        commit: Callable[[], Awaitable[None]],
        is_neg_risk: Callable[[str], bool],
        is_wanted: Callable[[int], bool],
    ) -> None:
        """Nothing moves until the lanes are run.

        Args:
            gateway: where orders go.
            emit: takes answers.
            commit: returns when everything the engine knows so far is in the journal.
            is_neg_risk: of a market.
            is_wanted: an intent has not been pulled since it was made.
        """
        self._gateway = gateway
        self._emit = emit
        self._commit = commit
        self._is_neg_risk = is_neg_risk
        self._is_wanted = is_wanted
        self._places: deque[Place] = deque()
        self._cancels: deque[Cancel] = deque()
        self._reads: deque[ReadOrder] = deque()
        self._scorings: dict[str, None] = {}
        """Orders whose flag is to be asked for, oldest wish first."""
        self._place_ready = asyncio.Event()
        self._cancel_ready = asyncio.Event()
        self._cancel_all_ready = asyncio.Event()
        self._read_ready = asyncio.Event()
        self._scoring_ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_open = True
        """The gate in front of the socket; once closed no order is sent any more."""

    def take(self, action: Place | Cancel | CancelAll | ReadOrder | ReadScoring) -> None:
        """Put an action on its lane."""
        match action:
            case Place():
                self._places.append(action)
                self._idle.clear()
                self._place_ready.set()
            case ReadOrder():
                self._reads.append(action)
                self._read_ready.set()
            case ReadScoring():
                self._scorings |= dict.fromkeys(action.order_ids)
                self._scoring_ready.set()
            case CancelAll():
                self._cancel_all_ready.set()
            case Cancel():
                self._cancels.append(action)
                self._cancel_ready.set()

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

    async def run_places(self) -> None:
        """The lane of placements, until cancelled."""
        try:
            while True:
                await self._place_ready.wait()
                while self._places:
                    batch = [self._places.popleft() for _ in range(min(BATCH, len(self._places)))]
                    await self._send(batch)
                self._place_ready.clear()
                self._idle.set()
        finally:
            self._idle.set()

    async def run_cancels(self) -> None:
        """The lane of cancels by id, until cancelled."""
        while True:
            await self._cancel_ready.wait()
            self._cancel_ready.clear()
            while self._cancels:
                waiting, self._cancels = self._cancels, deque()
                ids = list(dict.fromkeys(cancel.order_id for cancel in waiting))
                for start in range(0, len(ids), CANCEL_BATCH):
                    self._tell(await self._gateway.cancel(ids[start : start + CANCEL_BATCH]))

    async def run_cancel_alls(self) -> None:
        """The lane of cancels of everything, until cancelled."""
        while True:
            await self._cancel_all_ready.wait()
            self._cancel_all_ready.clear()
            try:
                self._tell(await self._gateway.cancel_all())
            except VenueError as error:
                log.warning("cancel_all_failed", extra={"detail": str(error)})

    async def run_reads(self) -> None:
        """The lane of questions, until cancelled."""
        while True:
            await self._read_ready.wait()
            self._read_ready.clear()
            while self._reads:
                seen = await self._gateway.read_order(self._reads.popleft().order_id)
                if seen is not None:
                    self._emit(seen)

    async def run_scorings(self) -> None:
        """The lane of questions which orders score, until cancelled; no question that matters more waits behind it."""
        while True:
            await self._scoring_ready.wait()
            self._scoring_ready.clear()
            while self._scorings:
                batch = list(self._scorings)[:SCORING_BATCH]
                for order_id in batch:
                    del self._scorings[order_id]
                seen = await self._gateway.read_scoring(batch)
                if seen is not None:
                    self._emit(seen)
                await asyncio.sleep(SCORING_GAP_SEC)

    async def _send(self, batch: list[Place]) -> None:
        signed: list[SignedPlace] = []
        for place in batch:
            try:
                ready = await self._gateway.sign(place, self._is_neg_risk(place.market))
            except VenueError as error:
                self._deny(place, str(error))
                continue
            self._emit(OrderSigned(intent=place.intent, order_id=ready.order_id))
            signed.append(ready)
        if not signed:
            return
        await self._commit()
        going = []
        for ready in signed:
            if not self.is_open:
                self._deny(ready.place, "the gate is closed")
            elif not self._is_wanted(ready.place.intent):
                self._deny(ready.place, "pulled before it was sent")
            else:
                going.append(ready)
        if going:
            for answer in await self._gateway.post(going):
                self._emit(answer)

    def _deny(self, place: Place, detail: str) -> None:
        self._emit(OrderAnswered(intent=place.intent, outcome="denied", detail=detail))

    def _tell(self, answers: list[CancelAnswered]) -> None:
        for answer in answers:
            self._emit(answer)
