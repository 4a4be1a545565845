"""What the venue says the account holds, against what our fills add up to.

A balance is a weak witness: it is a cache that has shown nothing for minutes, and it counts a trade when it is mined.
So it is compared only when trades read after it show that nothing has settled meanwhile, and what differs has to last;
fewer shares than ours are believed only when something else says so too (reliability.md 4.4).
"""

import math
from collections import deque
from typing import Final, Literal

import msgspec

from core.actions import Action, Correction, Finding, Note
from core.desk import Desk
from core.events import BalancesRead, PositionsRead, TradesRead
from core.foreign import Foreign
from core.orders.fills import FINAL, TrackedFill
from core.orders.manager import OrderManager
from core.portfolio.account import Account
from core.portfolio.ledger import Pico, usd_of
from core.units import MICRO, SIZE_QUANTUM, Outcome, Shares, Usd, micro_text

LASTING_SEC: Final = 25.0
"""A difference that lasts so long is no reading at two moments: a cadence lies between."""
BELIEVED_SEC: Final = 300.0
"""Money that is gone for so long is gone; the venue's cache has lagged for minutes (peers.md, py-clob-client#287)."""
KEPT_ASKED: Final = 64
"""Questions for balances that are remembered while none is answered."""
CENT: Final = Usd(10_000)


class _Sandwich(msgspec.Struct):
    """Balances, and how far the fills had come when they were asked for: trades read afterwards show if that held."""

    read: BalancesRead
    answered_s: float
    versions: dict[str, int]


class _Difference(msgspec.Struct):
    amount: int
    since_s: float
    is_told: bool = False


class Balances:
    """The account's cash and shares. Times are monotonic seconds."""

    def __init__(
        self, desks: dict[str, Desk], orders: OrderManager, account: Account, foreign: Foreign, adopts_shares: bool
    ) -> None:
        """Nothing has been read; the arguments are those of :class:`core.reconciliation.Reconciliation`."""
        self._desks = desks
        self._orders = orders
        self._account = account
        self._foreign = foreign
        self._adopts_shares = adopts_shares
        self.known_markets: set[str] = set()
        """Markets whose holdings the journal or an earlier reading has told."""
        self._asked = deque[tuple[float, dict[str, int]]]([(-math.inf, {})], KEPT_ASKED)
        """When balances were asked for, and how far the fills had come then: a late answer is compared with its own
        question. Asked again without news of fills, the earlier question stands for both."""
        self._taken_s = -math.inf
        """When the latest answer was asked for."""
        self._sandwich: _Sandwich | None = None
        self._differing: dict[str, _Difference] = {}
        """By token, "cash" or "index ...": what differs, and since when by as much."""
        self._index: dict[str, Shares] = {}
        """The positions index as last told completely, by token."""
        self._missing: dict[str, str] = {}
        """Tokens of which the account shows less than it should, and their markets."""
        self._explained: dict[str, int] = {}
        """Micro-shares by token that somebody else's sales have explained: each explains once."""

    def asked(self, now: float) -> None:
        """Balances are being asked for."""
        versions = dict(self._orders.book.versions)
        if self._asked[-1][1] != versions:
            self._asked.append((now, versions))

    def take(self, event: BalancesRead, now: float) -> bool:
        """Take balances; True when trades are to be read for them."""
        if not event.complete or event.cash is None or event.asked_s < self._taken_s:
            return False
        while len(self._asked) > 1 and self._asked[1][0] <= event.asked_s:
            self._asked.popleft()
        asked_s, versions = self._asked[0]
        if event.asked_s < asked_s:
            return False
        self._taken_s = event.asked_s
        self._sandwich = _Sandwich(event, now, versions)
        return True

    def closed(self, market: str) -> str:
        """Why a market is not to be quoted, in words; "" when its shares are all there."""
        return "the account shows fewer shares than we hold" if market in self._missing.values() else ""

    def take_index(self, event: PositionsRead, now: float) -> list[Finding]:
        """Take the positions index: it lags, so what it says lastingly is told, and believed never by itself."""
        found, told = [], dict(event.holdings)
        self._index = told
        for desk in self._desks.values():
            for outcome, token in tokens_of(desk):
                held = desk.position.inventory
                ours = (held.yes if outcome == "YES" else held.no) + self._foreign.shares.get(token, 0)
                theirs = told.get(token, Shares(0))
                if self._is_due(f"index {token}", theirs - ours, LASTING_SEC, now):
                    text = "the positions index says otherwise; it lags and is not believed"
                    found.append(_finding("positions_index", "info", desk.market, token, text, ours, theirs))
        return found

    def compare(self, trades: TradesRead, now: float) -> tuple[list[Action], list[Finding], bool]:
        """Trades were read completely and booked: compare the balances that were read before them, if any.

        Returns:
            What is to be done, what was found, and whether balances are to be read again before the account is known.
        """
        sandwich = self._sandwich
        if sandwich is None or trades.asked_s < sandwich.answered_s:
            return [], [], False
        self._sandwich = None
        versions = self._orders.book.versions
        is_still = versions == sandwich.versions
        if self._account.cash is None and not is_still:
            return [], [], True
        actions: list[Action] = []
        found: list[Finding] = []
        if is_still:
            actions += self._compare_cash(Usd(sandwich.read.cash or 0), found, now)
        told = dict(sandwich.read.holdings)
        for desk in self._desks.values():
            if versions.get(desk.market, 0) == sandwich.versions.get(desk.market, 0):
                for outcome, token in tokens_of(desk):
                    if token in told:
                        actions += self._compare_shares(desk, outcome, token, told[token], found, now)
        self.known_markets.update(self._desks)
        return actions, found, False

    def _compare_cash(self, told: Usd, found: list[Finding], now: float) -> list[Action]:
        account, open_fills = self._account, self._orders.book.open()
        changes = usd_of(Pico(sum(desk.position.cash_change for desk in self._desks.values())))
        should = told + sum(_unmined_cash(known) for known in open_fills if known.fill.market in self._desks)
        if account.cash is None:
            account.cash = Usd(should - changes)
            account.touch()
            return [Note("info", "", f"account: {micro_text(should // CENT * CENT)} dollars of cash")]
        flow = should - (account.cash + changes)
        if not self._is_due("cash", flow, LASTING_SEC if flow > 0 else BELIEVED_SEC, now, CENT):
            return []
        account.flow(Usd(flow))
        what = "came in" if flow > 0 else "went out"
        text = f"cash {what} that no trade of ours explains: taken as a deposit or a withdrawal"
        found.append(_finding("cash_flow", "warning", "", "cash", text, should - flow, should))
        return []

    def _compare_shares(
        self, desk: Desk, outcome: Outcome, token: str, told: Shares, found: list[Finding], now: float
    ) -> list[Action]:
        position, foreign = desk.position, self._foreign.shares
        settled = position.settled_yes if outcome == "YES" else position.settled_no
        open_fills = self._orders.book.open_in(desk.market)
        should = settled + sum(_mined_shares(known, outcome) for known in open_fills)
        apart = foreign.get(token, 0)
        difference = told - should - apart
        is_first = desk.market not in self.known_markets
        if is_first and difference >= SIZE_QUANTUM:
            if self._adopts_shares:
                return self._correct(desk, outcome, difference, "held at the first sight of the market")
            foreign[token] = Shares(difference)
            text = "shares held before the maker came are shown apart and not traded (adopt_shares)"
            found.append(_finding("foreign_shares", "info", desk.market, token, text, should, told))
            return []
        lasts = self._lasts_s(token, difference, now)
        if abs(difference) < SIZE_QUANTUM:
            self._missing.pop(token, None)
            return []
        if difference + apart >= 0:
            if lasts >= LASTING_SEC:
                self._explain(token, -difference)
                foreign[token] = Shares(apart + difference)
                del self._differing[token]
                text = "the account holds shares that no order of ours bought: shown apart, not traded"
                found.append(_finding("foreign_shares", "warning", desk.market, token, text, should, told))
            return []
        if lasts < LASTING_SEC:
            return []
        if token not in self._missing:
            self._missing[token] = desk.market
            desk.touch_due()
            text = "shares of ours are not on the account: sold, merged or moved by somebody else, or a stale balance"
            found.append(_finding("missing_shares", "alarm", desk.market, token, text, should, told))
        gone = min(-difference - apart, settled)
        if gone <= 0 or not (
            self._unexplained_sales(token) >= -difference or self._is_gone_from_index(token, told, lasts)
        ):
            return []
        self._explain(token, -difference)
        foreign.pop(token, None)
        self._missing.pop(token)
        del self._differing[token]
        return self._correct(desk, outcome, -gone, "not on the account any more")

    def _unexplained_sales(self, token: str) -> int:
        """Micro-shares that somebody else has sold on the account and that have explained nothing yet."""
        fills = [fill for fill in self._foreign.fills.values() if fill.token == token and fill.order_side == "SELL"]
        return sum(fill.size for fill in fills if fill.settlement != "failed") - self._explained.get(token, 0)

    def _explain(self, token: str, gone: int) -> None:
        """Shares are gone; sales explain as much of it as they can."""
        explained = min(gone, self._unexplained_sales(token))
        if explained > 0:
            self._explained[token] = self._explained.get(token, 0) + explained

    def _is_gone_from_index(self, token: str, told: Shares, lasts: float) -> bool:
        """Two caches that do not know each other agree for long."""
        return lasts >= BELIEVED_SEC and abs(self._index.get(token, 0) - told) < SIZE_QUANTUM

    def _correct(self, desk: Desk, outcome: Outcome, micro: int, reason: str) -> list[Action]:
        desk.position.correct(outcome, micro)
        desk.touch_due()
        self._account.touch()
        return [Correction(market=desk.market, outcome=outcome, micro=micro, reason=reason)]

    def _lasts_s(self, what: str, amount: int, now: float, least: int = SIZE_QUANTUM) -> float:
        """For how long something has differed by as much; 0 when it has just begun to, or does not."""
        if abs(amount) < least:
            self._differing.pop(what, None)
            return 0.0
        before = self._differing.get(what)
        if before is None or before.amount != amount:
            self._differing[what] = _Difference(amount, now)
            return 0.0
        return now - before.since_s

    def _is_due(self, what: str, amount: int, after_s: float, now: float, least: int = SIZE_QUANTUM) -> bool:
        """Something has differed by as much for so long; told once."""
        lasts = self._lasts_s(what, amount, now, least)
        known = self._differing.get(what)
        if known is None or known.is_told or lasts < after_s:
            return False
        known.is_told = True
        return True


def tokens_of(desk: Desk) -> tuple[tuple[Outcome, str], tuple[Outcome, str]]:
    """Both tokens of a market."""
    return ("YES", desk.instrument.yes_token), ("NO", desk.instrument.no_token)


def _unmined_cash(known: TrackedFill) -> int:
    """Micro-dollars by which the venue's cash still has to change for a fill that is booked here."""
    if known.word.settlement == "mined" or known.word.settlement in FINAL:
        return 0
    value = (known.fill.usd * known.fill.size + MICRO // 2) // MICRO
    return -value if known.fill.order_side == "BUY" else value


def _mined_shares(known: TrackedFill, outcome: Outcome) -> int:
    """Micro-shares by which the venue's balance differs from what counts as settled here, because of an open fill.

    Ours falls with the first word of a sale and grows with the last word of a purchase; the venue's does both when the
    trade is mined.
    """
    fill = known.fill
    if fill.outcome != outcome:
        return 0
    is_mined = known.word.settlement == "mined"
    if fill.order_side == "BUY":
        return fill.size if is_mined else 0
    return 0 if is_mined else fill.size


def _finding(
    code: str, severity: Literal["info", "warning", "alarm"], market: str, token: str, text: str, ours: int, venue: int
) -> Finding:
    return Finding(code, severity, "none", market, token, text, micro_text(ours), micro_text(venue))
