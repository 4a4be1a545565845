"""A database as many days of trading leave it, made from a seed without the program's own folding.

Fair values walk in steps of ``step_s``; fills come with their markouts, orders with what became of them, and the
account with a mark every minute and at every fill. Rewards and rebates come every day and are dated to the day before;
of each market a fill a day is told after midnight that happened before. What is held and owned is counted here by plain
arithmetic.
"""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import aiosqlite

from core.store.schema import prepare
from core.units import MICRO

DAY = 86_400
BEGIN = 20_000 * DAY
ACCOUNT = "0x" + "5a" * 20
HORIZONS = (1.0, 5.0, 30.0, 300.0)
TICK = 10_000
LATE_SEC = 7_200.0
"""How long after midnight income is told, and how long before that a fill happened that is told at the same time."""
_WHY = '{"price_terms":' + str([["fair value", 1234567890], ["inventory", -123456]] * 16).replace("'", '"') + "}"


class Plan(NamedTuple):
    """What is made."""

    fills: int = 2_000
    days: int = 3
    markets: int = 4
    step_s: int = 60
    cancelled_per_fill: int = 2
    sessions: int = 3
    seed: int = 7
    is_running: bool = False
    """The last session has not ended."""
    explanations: bool = False
    """Orders carry as much text as real ones."""


class Made(NamedTuple):
    """Where it is, and what is in it."""

    path: Path
    plan: Plan
    markets: list[str]
    begin: float
    end: float


def market_id(number: int) -> str:
    """The condition id of a market, from 1."""
    return f"0x{number:064x}"


def make(path: Path, plan: Plan) -> Made:
    """Write it."""
    asyncio.run(_empty(path))
    maker = _Maker(plan)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        maker.write(db)
        db.commit()
    return Made(path, plan, maker.ids, float(BEGIN), float(BEGIN + plan.days * DAY))


async def _empty(path: Path) -> None:
    db = await aiosqlite.connect(path)
    await prepare(db, path)
    await db.close()


class _Maker:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.ids = [market_id(n + 1) for n in range(plan.markets)]
        self.seconds = plan.days * DAY
        self.paths = [self._path() for _ in self.ids]
        self.yes = [0] * plan.markets
        self.no = [0] * plan.markets
        self.payout: dict[int, int] = {}
        self.cash = 0
        """Pico, as are the next three."""
        self.flows = 0
        self.fees = 0
        self.income = 0
        self.seq = 0
        self.intent = 0
        self.peak = 0
        self.rows: dict[str, list[tuple[Any, ...]]] = {}

    def _path(self) -> list[int]:
        fair, steps = self.random.randrange(200_000, 800_000), []
        for _ in range(self.seconds // self.plan.step_s + 1):
            fair = min(960_000, max(40_000, fair + self.random.randrange(-1_500, 1_501)))
            steps.append(fair)
        return steps

    def fair(self, market: int, at: float) -> int:
        if market in self.payout:
            return self.payout[market]
        return self.paths[market][max(0, min(len(self.paths[market]) - 1, int(at // self.plan.step_s)))]

    def session_of(self, at: float) -> int:
        return min(self.plan.sessions, 1 + int(at * self.plan.sessions // self.seconds))

    def add(self, table: str, *row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    def write(self, db: sqlite3.Connection) -> None:
        self._sessions()
        self._markets()
        self._flush(db)
        self._entry(0.0, "", "flow", "opening", amount=5_000_000_000)
        resolved = self.seconds * 0.7
        events = sorted(self._events(resolved))
        minute = 0
        for at, what, market in events:
            while minute * 60 < at:
                self._mark(minute * 60.0)
                minute += 1
            if what == "fill":
                self._fill(at, market)
                self._mark(at)
            else:
                getattr(self, f"_{what}")(at, market)
            if len(self.rows.get("order_events", ())) > 50_000:
                self._flush(db)
        while minute * 60 < self.seconds:
            self._mark(minute * 60.0)
            minute += 1
        self._flush(db)
        for market in range(self.plan.markets):
            self._fairs(market, resolved)
            self._flush(db)

    def _events(self, resolved: float) -> Iterator[tuple[float, str, int]]:
        plan, draw = self.plan, self.random
        for _ in range(plan.fills):
            market = min(plan.markets - 1, int(draw.expovariate(3.0 / plan.markets)))
            at = draw.uniform(1.0, self.seconds - 1.0)
            if market != plan.markets - 1 or at < resolved:
                yield at, "fill", market
        for _ in range(plan.days * 6):
            yield (
                draw.uniform(1.0, self.seconds - 1.0),
                draw.choice(("split", "merge")),
                draw.randrange(plan.markets - 1),
            )
        for day in range(plan.days):
            yield day * DAY + 400.0, "fee", 0
        for midnight in range(DAY, self.seconds, DAY):
            for market in range(plan.markets - 1):
                yield midnight + LATE_SEC - 60.0, "late_fill", market
                yield midnight + LATE_SEC, "reward", market
        yield self.seconds * 0.3, "deposit", 0
        yield self.seconds * 0.4, "withdraw", 0
        yield self.seconds * 0.5, "find", 0
        if plan.markets >= 4:
            yield self.seconds * 0.6, "convert", 0
        yield resolved, "resolve", plan.markets - 1
        yield resolved + 3_600.0, "redeem", plan.markets - 1

    def _sessions(self) -> None:
        plan = self.plan
        for number in range(1, plan.sessions + 1):
            begin = BEGIN + (number - 1) * self.seconds / plan.sessions
            end: float | None = BEGIN + number * self.seconds / plan.sessions - 1.0
            if plan.is_running and number == plan.sessions:
                end = None
            reason, verified = (None, None) if end is None else ("quit", 1)
            self.add("sessions", number, "live", "0.7.0", 1, "{}", begin, end, reason, verified, ACCOUNT)

    def _markets(self) -> None:
        for number, market in enumerate(self.ids):
            group = "event" if number in (0, 1, 2) and self.plan.markets >= 4 else ""
            self.add(
                "markets", market, f"Will it happen by day {number}?", group, group, 3 if group else 0, f"{number}1",
                f"{number}2", TICK, 5_000_000, int(bool(group)), "[]", None, None, None, None, None, None, None, None,
                None, float(BEGIN),
            )  # fmt: skip

    def _entry(
        self, at: float, market: str, kind: str, key: str, *, outcome: str | None = None, size: int | None = None,
        price: int | None = None, amount: int | None = None, income: str | None = None,
    ) -> None:  # fmt: skip
        self.seq += 1
        self.add(
            "entries", ACCOUNT, self.seq, self.session_of(at), BEGIN + at, market, kind, outcome, size, price, amount,
            income, key, "start" if key == "opening" else "job", "",
        )  # fmt: skip
        micro = (amount or 0) * MICRO
        if kind == "flow":
            self.cash, self.flows = self.cash + micro, self.flows + micro
        elif kind == "income":
            self.cash, self.income = self.cash + micro, self.income + micro
        elif kind == "fee":
            self.cash, self.fees = self.cash - micro, self.fees + micro

    def _split(self, at: float, market: int) -> None:
        size = 20_000_000
        self._entry(at, self.ids[market], "split", f"split {self.seq}", size=size, price=self.fair(market, at))
        self.cash -= size * MICRO
        self.yes[market] += size
        self.no[market] += size

    def _merge(self, at: float, market: int) -> None:
        size = min(self.yes[market], self.no[market])
        if size:
            self._entry(at, self.ids[market], "merge", f"merge {self.seq}", size=size)
            self.cash += size * MICRO
            self.yes[market] -= size
            self.no[market] -= size

    def _reward(self, told: float, market: int) -> None:
        amount, at = self.random.randrange(1_000_000, 9_000_000), told - LATE_SEC - 1.0
        self._entry(at, self.ids[market], "income", f"reward {at} {market}", amount=amount, income="reward")
        self._entry(at, self.ids[market], "income", f"rebate {at} {market}", amount=amount // 3, income="rebate")
        day = (BEGIN + int(at)) // DAY
        self.add("estimates", ACCOUNT, day, self.ids[market], amount + 77, amount // 3 + 5, 80_000.0)

    def _fee(self, at: float, _: int) -> None:
        self._entry(at, self.ids[0], "fee", f"fee {at}", amount=12_345)

    def _deposit(self, at: float, _: int) -> None:
        self._entry(at, "", "flow", f"deposit {at}", amount=700_000_000)

    def _withdraw(self, at: float, _: int) -> None:
        self._entry(at, "", "flow", f"withdrawal {at}", amount=-300_000_000)

    def _find(self, at: float, market: int) -> None:
        size, price = 7_000_000, self.fair(market, at)
        self._entry(at, self.ids[market], "found", f"found {at}", outcome="YES", size=size, price=price)
        self.yes[market] += size
        self.flows += size * price

    def _convert(self, at: float, _: int) -> None:
        """NO of the first two of three outcomes becomes a dollar and YES of the third."""
        size = 5_000_000
        prices = [MICRO - self.fair(0, at), MICRO - self.fair(1, at)]
        legs = [(0, "NO", -size, prices[0]), (1, "NO", -size, prices[1]), (2, "YES", size, sum(prices) - MICRO)]
        for market, outcome, signed, price in legs:
            name = self.ids[market]
            self._entry(at, name, "convert", f"convert {market}", outcome=outcome, size=signed, price=price)
            self.cash -= signed * price
            held = self.yes if outcome == "YES" else self.no
            held[market] += signed

    def _resolve(self, at: float, market: int) -> None:
        self.payout[market] = 500_000
        self._entry(at, self.ids[market], "settle", "settle", price=500_000)

    def _redeem(self, at: float, market: int) -> None:
        for outcome, held in (("YES", self.yes), ("NO", self.no)):
            size = held[market] // 2
            if size:
                amount = size // 2
                name = self.ids[market]
                self._entry(at, name, "redeem", f"redeem {outcome}", outcome=outcome, size=size, amount=amount)
                held[market] -= size
                self.cash += amount * MICRO

    def _late_fill(self, told: float, market: int) -> None:
        self._fill(told - LATE_SEC, market)

    def _fill(self, at: float, market: int) -> None:
        draw, fair = self.random, self.fair(market, at)
        size = draw.randrange(500, 4_000) * 10_000
        side = draw.choice(("bid", "ask"))
        distance = draw.randrange(1, 4) * TICK
        price = (fair - distance if side == "bid" else fair + distance) // TICK * TICK + (TICK if side == "ask" else 0)
        price = min(MICRO - TICK, max(TICK, price))
        yes, no = self.yes[market], self.no[market]
        if side == "bid":
            outcome, order_side = ("NO", "SELL") if no >= size else ("YES", "BUY")
        else:
            outcome, order_side = ("YES", "SELL") if yes >= size else ("NO", "BUY")
        own_price = price if outcome == "YES" else MICRO - price
        intent = self._order(at - 5.0, market, outcome, order_side, own_price, size, side, layer := draw.randrange(3))
        trade, order = f"0x{self.seq:064x}", f"0x{intent:064x}"
        has_failed, is_final = draw.random() < 0.002, at < self.seconds - 60.0
        settlement = "failed" if has_failed else "confirmed" if is_final else "matched"
        self.seq += 1
        session = self.session_of(at)
        self.add(
            "fills", trade, order, intent, session, self.ids[market], outcome, order_side, own_price, size, settlement,
            "channel", "", BEGIN + at, self.seq,
        )  # fmt: skip
        if has_failed:
            self.add("settlements", trade, order, "failed", BEGIN + at, "channel", "")
            about = ("failed_trade", "alarm", "quarantine", self.ids[market], trade, "a trade failed", "", "")
            self.add("findings", None, session, BEGIN + at, *about)
            return
        signed = size if order_side == "BUY" else -size
        self.cash -= signed * own_price
        held = self.yes if outcome == "YES" else self.no
        held[market] += signed
        if draw.random() < 0.01:
            return  # nobody measured it
        sign = 1 if side == "bid" else -1
        for horizon in HORIZONS:
            if at + horizon < self.seconds and self.session_of(at + horizon) == session:
                later = self.fair(market, at + horizon)
                self.add(
                    "markouts", session, trade, order, horizon, self.ids[market], side, layer, size,
                    sign * (fair - price), sign * (later - fair),
                )  # fmt: skip

    def _order(
        self, at: float, market: int, outcome: str, order_side: str, price: int, size: int, side: str, layer: int
    ) -> int:
        """A filled order and, before it, some that were cancelled."""
        at = max(0.5, at)
        for n in range(self.plan.cancelled_per_fill):
            was = max(0.1, at - 20.0 * (n + 1))
            states = [("SENDING", was), ("LIVE", was + 0.1), ("CANCEL_SENT", was + 15.0), ("CANCELLED", was + 15.1)]
            self._one_order(market, outcome, order_side, price, size, 0, side, layer, states)
        return self._one_order(
            market, outcome, order_side, price, size, size, side, layer,
            [("SENDING", at), ("LIVE", at + 0.1), ("MATCHED", at + 5.0)],
        )  # fmt: skip

    def _one_order(
        self, market: int, outcome: str, order_side: str, price: int, size: int, filled: int, side: str, layer: int,
        states: list[tuple[str, float]],
    ) -> int:  # fmt: skip
        self.intent += 1
        created, (state, ended) = states[0][1], states[-1]
        why = _WHY if self.plan.explanations else None
        self.add(
            "orders", self.intent, self.session_of(created), f"0x{self.intent:064x}", self.ids[market], f"{market}1",
            outcome, order_side, price, TICK, size, filled, filled, side, layer, state, "new target", "", "", "", why,
            BEGIN + created, BEGIN + ended,
        )  # fmt: skip
        for name, at in states:
            self.add("order_events", None, self.intent, BEGIN + at, name, "")
        return self.intent

    def _mark(self, at: float) -> None:
        value = sum(
            yes * (fair := self.fair(market, at)) + no * (MICRO - fair)
            for market, (yes, no) in enumerate(zip(self.yes, self.no, strict=True))
        )
        cash, equity, flows = (round(pico / MICRO) for pico in (self.cash, self.cash + value, self.flows))
        self.peak = max(self.peak, equity - flows)
        self.add(
            "equity", None, self.session_of(at), ACCOUNT, BEGIN + at, self.seq + 1, cash, equity, equity, 0, 0,
            round(self.fees / MICRO), round(self.income / MICRO), flows, self.peak, int((BEGIN + at) // DAY), equity, 0,
            equity, 0, None,
        )  # fmt: skip

    def _fairs(self, market: int, resolved: float) -> None:
        until = resolved if market == self.plan.markets - 1 else self.seconds
        step = self.plan.step_s
        for number, fair in enumerate(self.paths[market]):
            at = number * step
            if at >= until:
                break
            self.add("fairs", self.session_of(at), self.ids[market], BEGIN + at, TICK, fair, fair)

    def _flush(self, db: sqlite3.Connection) -> None:
        for table, rows in self.rows.items():
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        self.rows.clear()
