"""Rules that hold a side, a market or everything back when what happens to our own orders is not as it should be.

Each sees fills, drifts after fills, refusals or marks, and answers with a control state of its own source, with a
timer or until an operator lifts it; the engine puts it in force. So a pause outlives a restart as every control state
does; what is counted here begins anew. What a rule has acted on is not counted again. An order that is filled in parts
counts once: many small takers of one order are ordinary flow, many orders taken one after another are not.

Jumps, sweeps and the schedule hold a market back by themselves (:mod:`core.quoting.stance`); here they are only counted
and listed beside the others.

Times: ``now`` is monotonic seconds, ``unix`` the same moment in seconds since 1970.
"""

from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from core.actions import Note
from core.config import Settings
from core.orders.fills import Fill
from core.portfolio.markouts import Drift, FillKey
from core.quoting.stance import Standing
from core.risk.control import Control, Controls
from core.risk.loss import TwoMarks
from core.units import OrderSide, Outcome, Side, Usd
from core.views import ProtectionView

Name = Literal["loss", "drawdown", "markout", "streak", "repeat", "rejects", "jump", "sweep", "schedule"]
NAMES: Final[tuple[Name, ...]] = (
    "loss",
    "drawdown",
    "markout",
    "streak",
    "repeat",
    "rejects",
    "jump",
    "sweep",
    "schedule",
)
"""In the order in which they are listed."""
_OF_ACCOUNT: Final[tuple[Name, ...]] = ("loss", "drawdown")
MOST_KEPT: Final = 1000
"""Drifts of a market that are kept: the largest number that a mean may be taken over."""
_SLACK: Final = 1e-9
"""Thresholds written ">=" accept values short by this (market-making.md 0.4)."""

_Timed = tuple[float, FillKey, Side]
"""When a fill was matched, which, and on which side of the YES book."""


class Made(NamedTuple):
    """What the list of protections says of one market that is made."""

    market: str
    title: str
    settings: Settings
    tick: float
    """Dollars."""
    standing: frozenset[Standing]


class Trip(NamedTuple):
    """A protection acts."""

    control: Control
    for_s: float | None
    """How long that holds; None: until somebody lifts it."""

    @property
    def note(self) -> Note:
        """What it does and why, for people."""
        control, for_s = self.control, self.for_s
        what = "reducing only" if control.state == "REDUCE_ONLY" else "paused"
        what = f"the {control.side} is {what}" if control.side else what
        time = "" if for_s is None else f" for {for_s:g} s"
        return Note("alarm" if for_s is None else "warning", control.market, f"{what}{time}: {control.reason}")


class Protections:
    """Markout, streak, repeat and rejects by market; drawdown of the account.

    Source: reliability.md 1 (A11 cool-downs after losses, A20 repeated executions), 2 (``REPEAT_EXEC``).
    """

    def __init__(self) -> None:
        self.drawdown = DrawdownLimit()
        self.trips: Counter[Name] = Counter()
        """This session."""
        self._runs: dict[str, list[_Timed]] = {}
        """Fills of a market by the time of their match, since its last streak."""
        self._repeats: dict[tuple[str, Outcome, OrderSide], list[_Timed]] = {}
        self._drifts: dict[str, deque[Drift]] = {}
        self._refusals: dict[str, deque[float]] = {}
        self._standing: dict[str, frozenset[Standing]] = {}
        self._told: dict[str, tuple[Settings, dict[Name, str]]] = {}
        """Thresholds in words by market, as of its settings then."""

    # What happens

    def fill(self, fill: Fill, settings: Settings, now: float, unix: float) -> list[Trip]:
        """Take a fill of ours, however late it is told: it counts when it was matched.

        Args:
            fill: ours.
            settings: its market's.
            now: monotonic seconds.
            unix: the same moment in seconds since 1970.
        """
        matched_s = now - max(0.0, unix - fill.unix)
        timed: _Timed = (matched_s, fill.key, fill.side)
        return [*self._streak(fill, timed, settings, now), *self._repeat(fill, timed, settings, now)]

    def revoke(self, fill: Fill) -> None:
        """A fill's trade failed: it never was."""
        key = fill.key
        for kept in (self._runs.get(fill.market), self._repeats.get((fill.market, fill.outcome, fill.order_side))):
            if kept is not None:
                kept[:] = [timed for timed in kept if timed[1] != key]
        drifts = self._drifts.get(fill.market)
        if drifts is not None:
            self._drifts[fill.market] = deque((each for each in drifts if each.key != key), MOST_KEPT)

    def drifted(self, market: str, drifts: Iterable[Drift], tick: float, settings: Settings) -> list[Trip]:
        """Take how the price moved after fills of a market; of all horizons the one of toxic flow counts.

        Args:
            market: condition id.
            drifts: as they came due.
            tick: dollars.
            settings: the market's.
        """
        kept = self._drifts.setdefault(market, deque(maxlen=MOST_KEPT))
        is_news = False
        for drift in drifts:
            if drift.horizon == settings.tox_horizon_sec:
                kept.append(drift)
                is_news = True
        adverse = _adverse_ticks(kept, settings.markout_stop_fills, tick)
        stop = settings.markout_stop_ticks
        if not stop or not is_news or adverse is None or adverse < stop - _SLACK:
            return []
        kept.clear()
        fills, horizon = settings.markout_stop_fills, settings.tox_horizon_sec
        reason = f"{adverse:.1f} ticks against us {horizon:g} s after a fill, mean of the last {fills}"
        return [self._pause("markout", reason, settings.markout_cooloff_sec, market=market)]

    def refused(self, market: str, settings: Settings, now: float) -> list[Trip]:
        """The venue refused an order of a market at ``now``, monotonic seconds."""
        stop, window = settings.reject_stop, settings.reject_sec
        times = self._refusals.setdefault(market, deque(maxlen=MOST_KEPT))
        times.append(now)
        if not stop or _within(times, now - window) < stop:
            return []
        times.clear()
        reason = f"the venue refused {stop} orders in {window:g} s"
        return [self._pause("rejects", reason, settings.reject_cooloff_sec, market=market)]

    def mark(self, profit: Usd, flows: Usd, limit_pct: float, unix: float, *, is_held: bool) -> list[Trip]:
        """Take a mark of the account as :meth:`DrawdownLimit.mark` does; ``is_held``: its state is in force already."""
        drawdown = self.drawdown
        if not drawdown.mark(profit, flows, limit_pct, unix) or is_held:
            return []
        self.trips["drawdown"] += 1
        reason = f"{drawdown.fall:.2%} below the account's peak; re-arm to risk more"
        return [Trip(Control("REDUCE_ONLY", reason, "drawdown"), None)]

    def heed(self, market: str, standing: frozenset[Standing]) -> None:
        """Take what a market's posture holds back by itself now."""
        for name in standing - self._standing.get(market, frozenset()):
            self.trips[name] += 1
        self._standing[market] = standing

    def _streak(self, fill: Fill, timed: _Timed, settings: Settings, now: float) -> list[Trip]:
        stop, window = settings.streak_fills, settings.streak_sec
        kept = _recent(self._runs.setdefault(fill.market, []), timed, now - window)
        if not stop or _run(kept, fill.side) < stop:
            return []
        kept.clear()
        reason = f"{stop} orders in a row were filled on the {fill.side} in {window:g} s"
        return [self._pause("streak", reason, settings.streak_cooloff_sec, fill.market, fill.side)]

    def _repeat(self, fill: Fill, timed: _Timed, settings: Settings, now: float) -> list[Trip]:
        stop, window = settings.repeat_fills, settings.repeat_sec
        key = (fill.market, fill.outcome, fill.order_side)
        kept = _recent(self._repeats.setdefault(key, []), timed, now - window)
        if not stop or _orders(kept) < stop:
            return []
        kept.clear()
        deed = "bought" if fill.order_side == "BUY" else "sold"
        reason = f"{stop} orders {deed} {fill.outcome} in {window:g} s; resume the {fill.side} when that is right"
        return [self._pause("repeat", reason, None, fill.market, fill.side)]

    def _pause(
        self,
        source: Literal["markout", "streak", "repeat", "rejects"],
        reason: str,
        for_s: float | None,
        market: str,
        side: Side | Literal[""] = "",
    ) -> Trip:
        self.trips[source] += 1
        return Trip(Control("PAUSED", reason, source, market=market, side=side), for_s)

    # What is shown

    def rows(
        self, made: Iterable[Made], settings: Settings, loss: float | None, controls: Controls, now: float
    ) -> tuple[ProtectionView, ...]:
        """Every protection, in the order of :data:`NAMES`.

        Args:
            made: the markets.
            settings: of the whole run.
            loss: of the day, a fraction of its opening equity; None before the first mark.
            controls: all states.
            now: monotonic seconds.
        """
        markets = list(made)
        told = [self._thresholds(each.market, each.settings) for each in markets]
        of_all = self._thresholds("", settings)
        rows: list[ProtectionView] = []
        for name in NAMES:
            texts = dict.fromkeys(of_all[name] if name in _OF_ACCOUNT else each[name] for each in told or [of_all])
            on = [text for text in texts if text]
            held, left_s = _held(name, markets, controls, now)
            rows.append(
                ProtectionView(
                    name=name,
                    on=bool(on),
                    threshold=(f"{on[0]}, differs by market" if len(texts) > 1 else on[0]) if on else "off",
                    present=self._present(name, markets, loss, now),
                    trips=self.trips[name],
                    holds=held,
                    left_s=left_s,
                )
            )
        return tuple(rows)

    def _thresholds(self, market: str, settings: Settings) -> dict[Name, str]:
        known = self._told.get(market)
        if known is None or known[0] is not settings:
            known = self._told[market] = (settings, {name: _threshold(name, settings) for name in NAMES})
        return known[1]

    def _present(self, name: Name, made: list[Made], loss: float | None, now: float) -> str:
        match name:
            case "loss":
                return "" if loss is None else f"{max(0.0, loss):.2%}"
            case "drawdown":
                return "" if self.drawdown.peak is None else f"{self.drawdown.fall:.2%}"
            case "markout":
                return _worst(made, self._adverse, lambda value, _: f"{value:+.1f} ticks")
            case "streak":
                return _worst(made, lambda each: self._longest_run(each, now), lambda value, _: f"{value:.0f} orders")
            case "repeat":
                return _worst(made, lambda each: self._most_alike(each, now), lambda value, _: f"{value:.0f} orders")
            case "rejects":
                return _worst(made, lambda each: self._rejects(each, now), lambda value, _: f"{value:.0f} orders")
            case "jump" | "sweep" | "schedule":
                held = [each for each in made if name in each.standing]
                return f"{len(held)} of {len(made)} markets" if held else ""

    def _adverse(self, made: Made) -> float | None:
        kept = self._drifts.get(made.market)
        return None if not kept else _adverse_ticks(kept, min(len(kept), made.settings.markout_stop_fills), made.tick)

    def _longest_run(self, made: Made, now: float) -> float | None:
        kept = [each for each in self._runs.get(made.market, ()) if each[0] > now - made.settings.streak_sec]
        return _run(kept, kept[-1][2]) if kept else None

    def _most_alike(self, made: Made, now: float) -> float | None:
        since_s = now - made.settings.repeat_sec
        alike = [kept for key, kept in self._repeats.items() if key[0] == made.market]
        return max((_orders(each for each in kept if each[0] > since_s) for kept in alike), default=0) or None

    def _rejects(self, made: Made, now: float) -> float | None:
        return _within(self._refusals.get(made.market, ()), now - made.settings.reject_sec) or None


class DrawdownLimit:
    """The account's fall from its highest conservative profit since the limit was last re-armed.

    Deposits and withdrawals are flows: they move neither profit nor fall. As with the daily loss a single bad mark
    trips nothing.

    Source: market-making.md 3.6.
    """

    def __init__(self) -> None:
        self.peak: Usd | None = None
        """Micro-dollars of profit; None before the first mark ever."""
        self.fall = 0.0
        """Fraction of what the account would hold at its peak, as of the last mark."""
        self.is_over = False
        """The last mark was over the limit."""
        self._profit = Usd(0)
        self._marks = TwoMarks()

    def mark(self, profit: Usd, flows: Usd, limit_pct: float, unix: float) -> bool:
        """Take a mark; True when the limit is reached for sure.

        Args:
            profit: conservative equity less all flows, micro-dollars.
            flows: all deposits less withdrawals, micro-dollars.
            limit_pct: per cent; 0: never.
            unix: seconds.
        """
        self._profit = profit
        if self.peak is None or profit > self.peak:
            self.peak = profit
        highest = self.peak + flows
        self.fall = (self.peak - profit) / highest if highest > 0 else 0.0
        self.is_over = bool(limit_pct) and self.fall >= limit_pct / 100 - _SLACK
        return self._marks.take(unix, self.is_over)

    def rearm(self) -> None:
        """An operator allows risk again: what is left of the account is its new peak."""
        self.peak, self.fall, self.is_over = self._profit, 0.0, False


def _held(name: Name, made: list[Made], controls: Controls, now: float) -> tuple[bool, float | None]:
    """Whether a protection holds something back, and when the last of that goes on by itself."""
    if name in ("jump", "sweep", "schedule"):
        return any(name in each.standing for each in made), None
    held = [control for control in controls.held() if control.source == name]
    left = [controls.left_s(control, now) for control in held]
    timed = [each for each in left if each is not None]
    return bool(held), max(timed) if timed and len(timed) == len(left) else None


def _recent(kept: list[_Timed], timed: _Timed, since_s: float) -> list[_Timed]:
    """Put a fill in its place, after those of its own time, and forget what was matched before."""
    insort(kept, timed, key=itemgetter(0))  # the venue tells whole seconds
    kept[:] = [each for each in kept if each[0] > since_s]
    return kept


def _run(kept: Sequence[_Timed], side: Side) -> int:
    """How many orders of a side the last fills in a row were of."""
    run: list[_Timed] = []
    for each in reversed(kept):
        if each[2] != side:
            break
        run.append(each)
    return _orders(run)


def _orders(kept: Iterable[_Timed]) -> int:
    """How many orders fills are of."""
    return len({order_id for _, (_, order_id), _ in kept})


def _within(times: Iterable[float], since_s: float) -> int:
    return sum(time > since_s for time in times)


def _adverse_ticks(kept: deque[Drift], fills: int, tick: float) -> float | None:
    """Mean drift against us of the last fills, ticks; None while there are fewer."""
    if not fills or len(kept) < fills:
        return None
    return -sum(kept[-n].drift for n in range(1, fills + 1)) / fills / tick


def _worst(made: list[Made], value_of: Callable[[Made], float | None], words: Callable[[float, Made], str]) -> str:
    """What the worst market says, with its title; "" when none says anything."""
    values = [(value, each) for each in made if (value := value_of(each)) is not None]
    if not values:
        return ""
    value, worst = max(values, key=lambda pair: pair[0])
    return f"{words(value, worst)}, {worst.title}" if len(made) > 1 else words(value, worst)


def _threshold(name: Name, settings: Settings) -> str:
    """When a protection acts and what it does then, in words; "" when its settings switch it off."""
    match name:
        case "loss":
            kills = f", {settings.loss_kill_pct:g} % kills" if settings.loss_kill_pct else ""
            return f"{settings.daily_loss_limit_pct:g} % of the day's opening equity{kills}"
        case "drawdown":
            pct = settings.drawdown_limit_pct
            return f"{pct:g} % below the peak" if pct else ""
        case "markout":
            ticks, fills = settings.markout_stop_ticks, settings.markout_stop_fills
            after, pause = settings.tox_horizon_sec, settings.markout_cooloff_sec
            return f"{ticks:g} ticks after {after:g} s, mean of {fills} fills: {pause:g} s" if ticks else ""
        case "streak":
            fills, pause = settings.streak_fills, settings.streak_cooloff_sec
            return f"{fills} orders filled in a row in {settings.streak_sec:g} s: {pause:g} s" if fills else ""
        case "repeat":
            fills = settings.repeat_fills
            return f"{fills} orders of a token and side filled in {settings.repeat_sec:g} s" if fills else ""
        case "rejects":
            orders, pause = settings.reject_stop, settings.reject_cooloff_sec
            return f"{orders} refused in {settings.reject_sec:g} s: {pause:g} s" if orders else ""
        case "jump":
            ticks, pause = settings.jump_reset_ticks, settings.event_cooloff_sec
            return f"{f'{ticks} ticks' if ticks else 'by the grid'}: {pause:g} s" if pause else ""
        case "sweep":
            part, pause = settings.sweep_frac, settings.event_cooloff_sec
            return f"{part:.0%} of the near depth: {pause:g} s" if pause and part else ""
        case "schedule":
            reduce, close = settings.reduce_sec / 60, settings.close_sec / 60
            return f"reduces {reduce:g} min, closes {close:g} min before the end" if reduce or close else ""
