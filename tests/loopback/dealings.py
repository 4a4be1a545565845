"""A real session and an exchange in one process on one clock that jumps, and the truth about our orders."""

import asyncio
import hashlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import msgspec

from core.clock import ManualClock
from core.config import Settings
from core.events import OperatorCommand
from core.exchange import auth as auth_module
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.exchange import Exchange
from core.exchange.faults.script import read_toml
from core.exchange.orders import Order
from core.exchange.signing import address_of_key
from core.runtime import session as session_module
from core.runtime.compose import composer
from core.runtime.ending import Outcome
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Parts, Session
from core.units import MICRO, OrderSide, Shares, Usd
from core.venue.wallets import wallets_of
from tests.loopback.jumping import jumping_runner
from tests.loopback.pauses import seldom_looks

KEY: Final = hashlib.sha256(b"order outcomes").hexdigest()
ADDRESS: Final = wallets_of(address_of_key(bytes.fromhex(KEY)), 0)[0]
CASH: Final = Usd(5_000 * MICRO)
MEMORY: Final = Path("/dev/shm")
"""Where the database costs no time; what it costs is measured elsewhere."""
PATIENCE_SEC: Final = 90.0
"""Of the session's time, for what must come."""


class Counting:
    """A gateway that counts what it is asked."""

    def __init__(self, gateway: Any, signed: list[str]) -> None:
        """``signed`` takes the ids of orders that are signed."""
        self._gateway = gateway
        self._signed = signed
        self.cancels: Counter[str] = Counter()
        """By order id."""
        self.calls: Counter[str] = Counter()
        self.edits: dict[str, Callable[[Any], Any]] = {}
        """What becomes of the answers to a call."""

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._gateway, name)
        if not asyncio.iscoroutinefunction(act):
            return act

        async def counted(*arguments: Any, **options: Any) -> Any:
            self.calls[name] += 1
            if name == "cancel":
                self.cancels.update(arguments[0])
            answer = await act(*arguments, **options)
            if name == "sign":
                self._signed.append(answer.order_id)
            return self.edits[name](answer) if name in self.edits else answer

        return counted


class Dealings:
    """One session at one exchange."""

    def __init__(self, root: Path, clock: ManualClock, running: RunningExchange, **settings: Any) -> None:
        self.root = root
        self.clock = clock
        self.running = running
        self.host = running.host
        self.exchange: Exchange = running.host.exchange
        self.market = next(iter(self.exchange.listings))
        """The first one."""
        self.signed: list[str] = []
        """Ids of all orders that the session has signed."""
        self.gateway: Counting
        self.session = self._session(settings)
        self._run: asyncio.Task[Outcome] | None = None

    def _session(self, settings: dict[str, Any]) -> Session:
        urls = {name: url for name, url in self.running.urls.items() if isinstance(url, str)}
        chosen: dict[str, Any] = {
            "mode": "live", "metrics_port": 0, "markets": tuple(self.exchange.listings), "order_layers": 1,
            "min_liquidity": 0.0, "min_weekly_volume": 0.0, "min_trend": 0.0, "mm_score_min": 0.0,
        }  # fmt: skip
        places = Places(self.root, "live")
        places.claim()
        painted = threading.Event()
        painted.set()
        environment = {"PK": KEY, "BROWSER_ADDRESS": ADDRESS, "XDG_STATE_HOME": str(self.root)}
        usual = composer(environment, painted)

        async def compose(session: Session) -> Parts:
            parts = await usual(session)
            self.gateway = Counting(parts.gateway, self.signed)
            return msgspec.structs.replace(parts, gateway=self.gateway)

        return Session(
            Settings(**{**chosen, **urls, **settings}), places, self.clock, Redactor(), compose, "0", lambda: 0.0
        )

    # What happens

    async def begin(self) -> None:
        """Start the session; it lives until :meth:`end`."""
        self._run = asyncio.create_task(self.session.run())

    async def end(self) -> Outcome:
        """The ordered end, once."""
        assert self._run is not None
        self.session.request_stop("quit")
        outcome = await self._run
        self.session.places.release()
        return outcome

    def arm(self, *faults: str) -> None:
        """Let things go wrong, in the words of a script; without a trigger they set in at once."""
        text = "".join(f"[[fault]]\n{fault}\n" for fault in faults)
        self.host.director.arm(read_toml(text, "test", at_once=True), from_now=True)
        self.host.catch_up()

    def happened(self, do: str) -> list[str]:
        """What the exchange's log of faults says of one verb."""
        return [line.what for line in self.host.director.log if line.do == do]

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass."""
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Let time pass until a condition holds."""
        deadline = self.clock.monotonic() + PATIENCE_SEC
        while not condition():
            assert self._run is None or not self._run.done(), f"the session has ended: {self._run.result()}"
            assert self.clock.monotonic() < deadline, what or "it never came"
            await asyncio.sleep(0.05)

    async def until_resting(self, orders: int = 2) -> list[Order]:
        """Let time pass until so many orders of ours rest and the session knows it."""
        await self.until(lambda: len(self.resting()) >= orders and self.settled(), "orders never rested")
        return self.resting()

    def command(self, act: Any, **other: Any) -> None:
        """An operator acts."""
        self.session.command(OperatorCommand(act=act, **other))

    def take(self, order: Order, shares: float) -> None:
        """A stranger takes so much of a resting order, and all that is before it."""
        wanted, before = min(order.remaining, round(shares * MICRO)), order.matched
        side: OrderSide = "SELL" if order.new.side == "BUY" else "BUY"
        for _ in range(50):
            if order.status != "LIVE" or order.matched - before >= wanted:
                break
            new, now_ms = order.new, self.host.now_ms()
            self.exchange.force_trade(new.market, new.outcome, side, Shares(wanted - (order.matched - before)), now_ms)
        self.host.flush()

    # The truth

    def orders(self) -> list[Order]:
        """Every order that the exchange has ever taken from this session."""
        known = self.exchange.engine.orders
        return [known[order_id] for order_id in self.signed if order_id in known]

    def resting(self) -> list[Order]:
        """Those of them that are in the book."""
        return [order for order in self.orders() if order.status == "LIVE"]

    def holdings(self) -> dict[str, tuple[int, int]]:
        """Micro-shares of YES and of NO by market: settled ones, and what unsettled trades bring and take."""
        held = {market: {"YES": 0, "NO": 0} for market in self.exchange.listings}
        for (market, outcome), tokens in self.exchange.ledger.account(ADDRESS).tokens.items():
            held[market][outcome] += tokens
        for trade in self.exchange.trades.values():
            for move in trade.movements if trade.status in ("MATCHED", "RETRYING") else ():
                if move.account == ADDRESS.lower():
                    held[trade.market][move.outcome] += move.tokens
        return {market: (each["YES"], each["NO"]) for market, each in held.items()}

    def held(self) -> dict[str, tuple[int, int]]:
        """The same by the session's books."""
        found = {market: desk.inventory for market, desk in self.session.engine.desks.items()}
        return {market: (inventory.yes, inventory.no) for market, inventory in found.items()}

    def differences(self) -> list[str]:
        """Where the session's books and the exchange's ledger disagree about orders and positions."""
        found = []
        for order in self.orders():
            ours = self.session.engine.orders.find(order.new.order_id)
            if ours is None:
                found.append(f"{order.new.order_id[:10]} {order.status} is not known")
            elif order.status == "LIVE" and ours.state.value not in ("LIVE", "PARTIAL"):
                found.append(f"{order.new.order_id[:10]} rests, ours {ours.state.value}")
            elif order.status not in ("LIVE", "DELAYED") and ours.at_risk:
                found.append(f"{order.new.order_id[:10]} {order.status}, ours {ours.state.value} of {ours.remaining}")
            elif order.matched != ours.filled:
                found.append(f"{order.new.order_id[:10]} filled {order.matched}, ours {ours.filled}")
        known = {order.new.order_id for order in self.orders()}
        at_risk = self.session.engine.orders.all_at_risk()
        strange = [ours for ours in at_risk if ours.order_id not in known]
        found += [f"{ours.order_id[:10]} {ours.state.value} is not at the exchange" for ours in strange]
        if self.holdings() != self.held():
            found.append(f"positions {self.holdings()}, ours {self.held()}")
        return found

    def settled(self) -> bool:
        """The session's books equal the ledger."""
        return not self.differences()

    def doubled(self) -> list[int]:
        """Intents for which the exchange has taken more than one order."""
        intents = Counter(
            ours.intent
            for order in self.orders()
            if (ours := self.session.engine.orders.find(order.new.order_id)) is not None
        )
        return [intent for intent, orders in intents.items() if orders > 1]


@asynccontextmanager
async def dealings_at(
    root: Path, clock: ManualClock, *, markets: int, lively: bool, **settings: Any
) -> AsyncIterator[Dealings]:
    """An exchange and a session that has not begun."""
    host = build_host(seed=1, markets=markets, auto_cash=CASH, profile="lively", paused=not lively, clock=clock)
    async with RunningExchange(host) as running:
        dealings = Dealings(root, clock, running, **settings)
        try:
            yield dealings
        finally:
            await dealings.end()


def deal(
    play: Callable[[Dealings], Coroutine[Any, Any, None]],
    *,
    markets: int = 1,
    lively: bool = False,
    before: str = "",
    ends: tuple[int, bool] = (0, True),
    **settings: Any,
) -> None:
    """Play a scene to its end.

    Args:
        play: the scene, from the session's start on.
        markets: of the exchange.
        lively: a crowd trades; without, only who is told to.
        before: a fault that is there before the session begins.
        ends: the exit code, and whether zero open orders were verified.
        settings: of the session.
    """
    clock = ManualClock(unix=time.time())

    async def scene(root: str) -> None:
        async with dealings_at(Path(root), clock, markets=markets, lively=lively, **settings) as dealings:
            if before:
                dealings.arm(before)
            await dealings.begin()
            await play(dealings)
            outcome = await dealings.end()
            assert (outcome.exit_code, outcome.verified) == ends, outcome.sentence
            assert dealings.resting() == [] or not outcome.verified

    with (
        TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as root,
        jumping_runner(clock) as runner,
        seldom_looks(lively=lively),
        patch.object(session_module, "VIEW_SEC", 1.0),
        patch.object(auth_module, "CLOCK_SLACK_S", 10_000),  # the official client stamps with the machine's clock
    ):
        runner.run(scene(root))
