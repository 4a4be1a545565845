"""A session that dies: at the n-th passing of a named point its process sends itself SIGKILL.

The points lie around everything that leaves the process or becomes durable: each call of the gateway, each commit,
each event. The product knows nothing of them.
"""

import asyncio
import inspect
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from core.actions import Action, Place
from core.config import Settings
from core.events import Event
from core.orders.order import TERMINAL
from core.runtime.compose import composer
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Parts, Session
from core.store.changes import Changes
from tests.crash.quick import QuickClock

ENDING = "ending "
"""What the names of points begin with once the session has been asked to end."""
ANSWER_LOST_SEC = 0.5
"""How long a request is under way when the process dies during it; the exchange has it by then."""


class Job(msgspec.Struct, frozen=True):
    """One life of a session."""

    root: str
    urls: dict[str, str]
    markets: tuple[str, ...]
    key: str
    address: str
    factor: float
    unix_s: float
    origin_s: float
    seed: int
    point: str = ""
    """Where it dies; "" where it does not."""
    nth: int = 1
    patience_s: float = 40.0
    """The session's own time after which it tells how it stands although it places nothing."""
    settings: dict[str, Any] = {}


class Told(msgspec.Struct, frozen=True):
    """How a session's engine stands."""

    why: str
    """``places``: it is about to place its first order; ``waits``: it has not for long; ``ends``: it has ended."""
    recovering: str
    holdings: dict[str, tuple[int, int]]
    """Micro-shares of YES and of NO by market, provisional fills included."""
    foreign: dict[str, int]
    """Micro-shares that are taken for somebody else's, by token."""
    orders: dict[str, str]
    """State of each order that is not over, and what speaks for its absence, by order id."""
    blocked: dict[str, str]
    """Why each market is not quoted."""
    passed: dict[str, int]
    """Points passed so far, how often."""
    unix_s: float
    """When, by the clock that the exchange has too."""
    first_intent: int = 0
    """Of the placement."""


class Fate:
    """Where the process dies, and what it has passed."""

    def __init__(self, point: str, nth: int) -> None:
        self.passed: Counter[str] = Counter()
        self.stage = ""
        """Goes before the names of points: those of an ordered end are others."""
        self._point = point
        self._nth = nth

    def passing(self, point: str) -> None:
        """Die here if it is the time."""
        if self.is_due(point):
            self.die()

    def is_due(self, point: str) -> bool:
        """Count a passing, and tell whether it is the one."""
        name = self.stage + point
        self.passed[name] += 1
        return name == self._point and self.passed[name] == self._nth

    def die(self) -> None:
        """Without a word, as after a power cut."""
        os.kill(os.getpid(), signal.SIGKILL)


class MortalGateway:
    """A gateway with a point before, during and after each of its calls."""

    def __init__(self, gateway: Any, fate: Fate) -> None:
        self._gateway = gateway
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._gateway, name)
        return self._mortal(name, act) if inspect.iscoroutinefunction(act) else act

    def _mortal(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        async def acting(*arguments: Any, **options: Any) -> Any:
            self._fate.passing(f"{name}:before")
            if self._fate.is_due(f"{name}:during"):
                asyncio.get_running_loop().call_later(ANSWER_LOST_SEC, self._fate.die)
            answer = await act(*arguments, **options)
            self._fate.passing(f"{name}:after")
            return answer

        return acting


class MortalSession(Session):
    """A session with a point before and after each event and each commit; it tells how it stands before it trades."""

    def __init__(
        self, *arguments: Any, fate: Fate, tell: Callable[[Told], None], patience_s: float, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._patience_s = patience_s
        self._fate = fate
        self._tell = tell
        self._has_told = False
        self._begun_s = self.clock.monotonic()
        self._make_commits_mortal()

    def request_stop(self, reason: str) -> None:
        self._fate.stage = ENDING
        super().request_stop(reason)

    def emit(self, event: Event, now: float | None = None) -> list[Action]:
        kind = type(event).__name__
        self._fate.passing(f"{kind}:before")
        actions = super().emit(event, now)
        self._fate.passing(f"{kind}:after")
        places = [action for action in actions if isinstance(action, Place)]
        if places:
            self._say_once("places", places[0].intent)
        elif self.clock.monotonic() - self._begun_s > self._patience_s:
            self._say_once("waits")
        return actions

    def _make_commits_mortal(self) -> None:
        write = self._store.write

        async def mortal(changes: Changes) -> None:
            given = (("orders", changes.touched.orders), ("fills", changes.touched.fills))
            kinds = [name for name, rows in given if rows]
            for kind in kinds:
                self._fate.passing(f"commit of {kind}:before")
            await write(changes)
            for kind in kinds:
                self._fate.passing(f"commit of {kind}:after")

        self._store.write = mortal  # type: ignore[method-assign]

    def _say_once(self, why: str, first_intent: int = 0) -> None:
        if not self._has_told:
            self._has_told = True
            self.say(why, first_intent)

    def say(self, why: str, first_intent: int = 0) -> None:
        """Tell how the engine stands; orders from an intent on are left out."""
        engine = self.engine
        held = {market: desk.inventory for market, desk in engine.desks.items()}
        self._tell(
            Told(
                why=why,
                recovering=engine.reconciliation.recovering(),
                holdings={market: (inventory.yes, inventory.no) for market, inventory in held.items()},
                foreign={token: shares for token, shares in engine.reconciliation.foreign.shares.items() if shares},
                orders={
                    order.order_id: f"{order.state.value} {'' if order.evidence is None else order.evidence.words()}"
                    for order in engine.orders.all_at_risk()
                    if order.intent < (first_intent or 1 << 62) and order.state not in TERMINAL
                },
                blocked={market: desk.blocked_by for market, desk in engine.desks.items()},
                passed=dict(self._fate.passed),
                unix_s=self.clock.unix(),
                first_intent=first_intent,
            )
        )


async def live(job: Job, tell: Callable[[Told], None]) -> None:
    """One life, to its end."""
    clock = QuickClock(job.factor, job.unix_s, job.origin_s)
    fate = Fate(job.point, job.nth)
    settings = Settings(
        mode="live", metrics_port=0, markets=job.markets, seed=job.seed,
        min_liquidity=0.0, min_weekly_volume=0.0, min_trend=0.0, mm_score_min=0.0, **{**job.urls, **job.settings},
    )  # fmt: skip
    painted = threading.Event()
    painted.set()
    usual = composer({"PK": job.key, "BROWSER_ADDRESS": job.address, "XDG_STATE_HOME": job.root}, painted)

    async def compose(session: Session) -> Parts:
        parts = await usual(session)
        return msgspec.structs.replace(parts, gateway=MortalGateway(parts.gateway, fate))

    places = Places(Path(job.root), "live")
    places.claim()
    session = MortalSession(
        *(settings, places, clock, Redactor(), compose, "test", lambda: 0.0),
        fate=fate,
        tell=tell,
        patience_s=job.patience_s,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, session.request_stop, "SIGTERM")
    outcome = await session.run()
    session.say("ends")
    print(outcome.sentence, flush=True)
