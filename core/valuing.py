"""What the account is worth, and what follows from it: bankroll, the day's loss, drawdown, sizes that fit neither."""

from typing import TYPE_CHECKING, Final

from core.actions import Action, Note
from core.config import Settings, check_sizes
from core.errors import ConfigError
from core.portfolio.ledger import usd_of
from core.units import MICRO, Usd

if TYPE_CHECKING:
    from core.engine import Engine


UNVALUED_SEC: Final = 60.0
"""For this long a mark waits for books and prices of what is held; then the rest of the account must not wait too."""


class Valuing:
    """Marks of one engine's account, at conservative prices (market-making.md 3.6)."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.is_marked = False
        """The account was valued in this session."""
        self._waits_s: float | None = None
        """Since when something that is held cannot be valued, monotonic seconds; None while all can."""
        self._assumed: tuple[str, ...] = ()
        """Markets that are valued without a book or a price of this session."""

    def mark(self, unix: float, now: float) -> list[Action]:
        """Value the account, renew the bankroll and judge the day's loss (market-making.md 1.6, 3.6).

        A holding whose book was never proven in this session must not switch the limits off for all others. After
        :data:`UNVALUED_SEC` it is valued as one in a market that is not made: at its last known price, as before a
        restart, because a floor would pass for a loss that nobody made. Shares that wait for a price are in no book
        of ours yet, and count as nothing. Only the first mark ever waits for all of it, as nothing is quoted before,
        but for markets that the list drains: one that is closed never has a book again.

        Raises:
            ConfigError: at the first mark, when a size is over the bankroll.
        """
        account, books = self._engine.account, self._engine.books
        actions: list[Action] = []
        for desk in [self._engine.desks[market] for market in books.unpriced if market in self._engine.desks]:
            mark = desk.mark(now)
            actions += [] if mark is None else books.price(desk.market, mark, unix)
        if not account.wants_mark(unix):
            return actions
        values = {desk.market: desk.conservative_value() for desk in self._engine.desks.values()}
        unknown = sorted({*books.unpriced, *(market for market, value in values.items() if value is None)})
        if self._must_wait(unknown, now):
            return actions
        actions += self._tell_assumed(tuple(unknown))
        made = [market for market, value in values.items() if value is not None]
        equity = Usd(books.cash + sum([value or 0 for value in values.values()]) + books.value_elsewhere(made))
        marked = account.mark(unix, equity, books.secured)
        if not self.is_marked:
            self.is_marked = True
            actions += self._judge_sizes()
        actions += self._check_drawdown(unix, equity, now)
        if marked.is_new_day:
            books.begin_day(lambda market: self._mark_of(market, now))
        if marked.is_new_day or marked.limit:
            books.wants_snapshot = True  # what a restart must not forget
            self._engine.all_due()
        self._engine.protections.trips["loss"] += marked.limit == "reached"
        return [*actions, *self._engine.stops.heed_day(marked, now), *books.marked(unix, equity)]

    def _mark_of(self, market: str, now: float) -> Usd | None:
        """What a share of YES is worth: where nobody knows it at this moment, what was last known."""
        desk = self._engine.desks.get(market)
        mark = None if desk is None else desk.mark(now)
        return self._engine.books.mark_of(market) if mark is None else mark

    def _must_wait(self, unknown: list[str], now: float) -> bool:
        """What is held in some markets cannot be valued, and that may be different in a moment."""
        if not unknown:
            self._waits_s = None
            return False
        self._waits_s = now if self._waits_s is None else self._waits_s
        desks, is_first = self._engine.desks, self._engine.account.bankroll is None
        is_to_come = any(market not in desks or not desks[market].drained for market in unknown)
        return (is_first and is_to_come) or now - self._waits_s < UNVALUED_SEC

    def _tell_assumed(self, markets: tuple[str, ...]) -> list[Action]:
        """Say once of which markets the value is not this session's."""
        news = [market for market in markets if market not in self._assumed]
        self._assumed = markets
        text = "no book and no price of what is held here: it is valued at its last known price, new shares at nothing"
        return [Note("warning", market, text) for market in news]

    def _check_drawdown(self, unix: float, equity: Usd, now: float) -> list[Action]:
        """Judge the fall from the account's peak, which a restart goes on from."""
        drawdown, account = self._engine.protections.drawdown, self._engine.account
        flows = usd_of(self._engine.books.portfolio.flows)
        drawdown.peak = account.guard_peak if drawdown.peak is None else drawdown.peak
        is_held = self._engine.controls.find("", "", "drawdown") is not None
        limit_pct = self._engine.settings.drawdown_limit_pct
        trips = self._engine.protections.mark(Usd(equity - flows), flows, limit_pct, unix, is_held=is_held)
        account.guard_peak = drawdown.peak
        if drawdown.is_over and not is_held:
            account.touch()  # for the second look
        if trips:
            self._engine.books.wants_snapshot = True
        return self._engine.stops.trip(trips, now)

    def check_sizes(self, settings: Settings) -> None:
        """Refuse sizes over the bankroll, as soon as that is known.

        Raises:
            ConfigError: names the size, its value and the bound.
        """
        if self._engine.account.bankroll is not None:
            check_sizes(settings, self._engine.account.bankroll / MICRO, "the bankroll")

    def _judge_sizes(self) -> list[Action]:
        """Refuse sizes over the bankroll, and say which are large for it (market-making.md 1.6), once if all are alike.

        Raises:
            ConfigError: as above; nothing is placed from here on.
        """
        try:
            for settings in [self._engine.settings, *(desk.settings for desk in self._engine.desks.values())]:
                self.check_sizes(settings)
        except ConfigError:
            self._engine.stopping = True
            raise
        texts = {desk.market: self.oversized(desk.settings) for desk in self._engine.desks.values()}
        if len(set(texts.values())) == 1:
            texts = {"": next(iter(texts.values()))}
        return [Note("warning", market, text) for market, text in texts.items() if text]

    def oversized(self, settings: Settings) -> str:
        """Why the base size does not fit the bankroll, and what to do; "" when it does."""
        base, soft = settings.base_size_usd, settings.soft_cap_delta_pct * (self._engine.account.bankroll or 0) / MICRO
        if base is None or base <= 0.4 * soft:
            return ""
        return (
            f"base_size_usd {base:g} is over 40 % of the soft cap of {soft:g} dollars: lower it, or raise the bankroll"
        )
