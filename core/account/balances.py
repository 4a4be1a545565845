"""What the venue says the account holds, against what our fills add up to.

A balance is a weak witness: it is a cache that has shown nothing for minutes, and it counts a trade when it is mined.
So it is compared only when trades read after it show that nothing has settled meanwhile, and what differs has to last;
less than ours is believed only when something else says so too: the chain, foreign sales, in time the positions index
(reliability.md 4.4).
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from core.account.activity import Activity, Told
from core.account.bookkeeping import Bookkeeping
from core.account.cross_check import CASH, CENT, Own, Sources
from core.account.foreign import Foreign
from core.actions import Action, Book, Finding, Note
from core.desk import Desk
from core.events import BalancesRead, TradesRead
from core.orders.fills import FINAL, TrackedFill
from core.orders.manager import OrderManager
from core.portfolio.account import Account
from core.units import MICRO, OUTCOMES, SIZE_QUANTUM, Outcome, Shares, Usd, micro_text

LASTING_SEC: Final = 25.0
"""A difference that lasts so long is no reading at two moments: a cadence lies between."""
BELIEVED_SEC: Final = 300.0
"""Money that is gone for so long is gone; the venue's cache has lagged for minutes (peers.md, py-clob-client#287)."""
MINED_SEC: Final = 5.0
"""A node may be so far behind the time that the index has of a block."""
KEPT_ASKED: Final = 64
"""Questions for balances that are remembered while none is answered."""


class _Sandwich(msgspec.Struct):
    """Balances, and how far the fills had come when they were asked for: trades read afterwards show if that held."""

    read: BalancesRead
    answered_s: float
    versions: dict[str, int]


class _Difference(msgspec.Struct):
    amount: int
    since_s: float


class Balances:
    """The account's cash and shares. Times are monotonic seconds."""

    def __init__(
        self,
        desks: dict[str, Desk],
        orders: OrderManager,
        account: Account,
        books: Bookkeeping,
        foreign: Foreign,
        sources: Sources,
        activity: Activity,
        adopts_shares: bool,
        is_busy: Callable[[str], bool],
    ) -> None:
        """Nothing has been read; the arguments are those of :class:`core.account.reconciliation.Reconciliation`.

        ``is_busy`` tells whether an inventory operation is under way in a market, and of "" whether any moves cash:
        nothing is compared meanwhile.
        """
        self._is_busy = is_busy
        self._desks = desks
        self._orders = orders
        self._account = account
        self._books = books
        self._foreign = foreign
        self._sources = sources
        self._activity = activity
        self._adopts_shares = adopts_shares
        self.short = Usd(0)
        """Cash that our book has and the venue did not show when it was last compared: not to be spent."""
        self.wants_activity = False
        """Something differed lastingly when it was last compared, and the index of activity may know why."""
        self.known_markets: set[str] = set()
        """Markets whose holdings the journal or an earlier reading has told."""
        self.is_read = False
        """Somebody reads the account."""
        self.unseen: dict[str, float] = {}
        """Markets whose shares were not compared since they are made, and when that began."""
        self._asked = deque[tuple[float, dict[str, int]]]([(-math.inf, {})], KEPT_ASKED)
        """When balances were asked for, and how far the fills had come then: a late answer is compared with its own
        question. Asked again without news of fills, the earlier question stands for both."""
        self._taken_s = -math.inf
        """When the latest answer was asked for."""
        self._sandwich: _Sandwich | None = None
        self._differing: dict[str, _Difference] = {}
        """By token or "cash": what differs, and since when by as much."""
        self._seen: dict[str, tuple[int, float]] = {}
        """Amounts of our book by subject, and since when they are so."""
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
        self.is_read = True
        while len(self._asked) > 1 and self._asked[1][0] <= event.asked_s:
            self._asked.popleft()
        asked_s, versions = self._asked[0]
        if event.asked_s < asked_s:
            return False
        self._taken_s = event.asked_s
        self._sandwich = _Sandwich(event, now, versions)
        return True

    def remove(self, desk: Desk) -> None:
        """A market is made no longer: what differed then says nothing when it comes back."""
        self.unseen.pop(desk.market, None)
        for _, token in tokens_of(desk):
            self._seen.pop(token, None)
            self._differing.pop(token, None)
            self._missing.pop(token, None)

    def closed(self, market: str) -> str:
        """Why a market is not to be quoted, in words; "" when its shares are all there."""
        return "the account shows fewer shares than we hold" if market in self._missing.values() else ""

    def compare(self, trades: TradesRead, now: float, unix: float) -> tuple[list[Action], list[Finding], bool]:
        """Trades were read completely and booked: compare the balances that were read before them, if any.

        Returns:
            What is to be done, what was found, and whether balances are to be read again before the account is known.
        """
        self.own(now)  # to notice changes: readings before them are no evidence
        sandwich = self._sandwich
        if sandwich is None or trades.asked_s < sandwich.answered_s:
            return [], [], False
        self._sandwich = None
        versions = self._orders.book.versions
        is_still, opens = versions == sandwich.versions, not self._account.is_open
        if not self._account.is_open and not is_still:
            return [], [], True
        self.wants_activity = False
        actions: list[Action] = []
        found: list[Finding] = []
        if is_still:
            cash = Usd(sandwich.read.cash or 0)
            actions += self._open(cash, unix)
            if not self._is_busy(""):
                actions += self._compare_cash(cash, found, now, unix)
        told = dict(sandwich.read.holdings)
        for desk in self._desks.values():
            if self.unseen.get(desk.market, -math.inf) > sandwich.read.asked_s:
                continue  # nobody asked for its tokens
            has_moved = versions.get(desk.market, 0) != sandwich.versions.get(desk.market, 0)
            rests = not has_moved and not self._is_busy(desk.market)
            shown = [(outcome, token) for outcome, token in tokens_of(desk) if token in told]
            for outcome, token in shown if rests else ():
                actions += self._compare_shares(desk, outcome, token, told[token], found, now, unix)
            if opens or (rests and len(shown) == len(OUTCOMES)):
                self.unseen.pop(desk.market, None)
        self.known_markets.update(market for market in self._desks if market not in self.unseen)
        return actions, found, any(since_s > sandwich.read.asked_s for since_s in self.unseen.values())

    def _open(self, told: Usd, unix: float) -> list[Action]:
        """The first reading opens the account, also while an inventory operation is under way."""
        account, books = self._account, self._books
        if account.is_open:
            return []
        account.is_open = True
        account.touch()
        should = self._expected(told)
        begun = [] if books.is_begun else books.begin(Usd(should - books.cash), unix)
        return [*begun, Note("info", "", f"account: {micro_text(should // CENT * CENT)} dollars of cash")]

    def _expected(self, told: Usd) -> Usd:
        """The cash that our book should show for what the venue told, trades that are not mined yet included."""
        return Usd(told + sum(_unmined_cash(known) for known in self._orders.book.open()))

    def _compare_cash(self, told: Usd, found: list[Finding], now: float, unix: float) -> list[Action]:
        books, should = self._books, self._expected(told)
        actions: list[Action] = []
        flow = Usd(should - books.cash)
        self.short = Usd(max(0, -flow))
        if abs(flow) < CENT and self._lasts_s("rounding", flow, now, 1) >= LASTING_SEC:
            actions += books.round(flow, unix)
        lasts = self._lasts_s(CASH, flow, now, CENT)
        chain_unix = self._chain_unix(CASH, told, CENT, now, unix)
        if chain_unix is not None and abs(flow) < CENT:
            self._activity.agreed(chain_unix)
        if lasts < LASTING_SEC:
            return actions
        explained = self._enter(self._activity.explain(flow, books.begun_unix), unix)
        if explained:
            self.short = Usd(max(0, books.cash - should))
            return [*actions, *explained]
        chain = self._chain_since(CASH)
        if chain is None:
            is_believed = flow > 0 or lasts >= BELIEVED_SEC
        else:
            is_believed = abs(chain - told) < CENT or (flow < 0 and lasts >= BELIEVED_SEC)
        if not is_believed or not self._index_had_its_say(lasts, now) or self._activity.waiting(books.begun_unix):
            return actions
        if chain_unix is not None:
            actions += self._enter(self._activity.happened(books.begun_unix, chain_unix), unix)
            self._activity.agreed(chain_unix)
            flow = Usd(should - books.cash)
        del self._differing[CASH]
        self.short = Usd(0)
        if abs(flow) < CENT:
            return actions
        what = "came in" if flow > 0 else "went out"
        text = f"cash {what} that no trade of ours explains: taken as a deposit or a withdrawal"
        found.append(_finding("cash_flow", "warning", "", "cash", text, books.cash, should))
        booked = books.flow(flow, unix, text)
        for action in booked:
            if isinstance(action, Book):
                self._activity.booked(action.booking)  # it may get its name later
        return [*actions, *booked]

    def _enter(self, lines: Iterable[Told], unix: float) -> list[Action]:
        """Enter lines that the index of activity explains."""
        return [action for line in lines for action in self._books.name(line, unix)]

    def _compare_shares(
        self, desk: Desk, outcome: Outcome, token: str, told: Shares, found: list[Finding], now: float, unix: float
    ) -> list[Action]:
        position, foreign = desk.position, self._foreign.shares
        settled = position.settled_yes if outcome == "YES" else position.settled_no
        should = self._mined(desk, outcome)
        apart = foreign.get(token, 0)
        difference = told - should - apart
        is_first = desk.market not in self.known_markets
        if is_first and difference >= SIZE_QUANTUM:
            if self._adopts_shares:
                return self._correct(desk, outcome, difference, "held at the first sight of the market", now, unix)
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
        redeemed = self._enter(self._activity.vanished(desk.market, self._books.begun_unix), unix)
        if redeemed:
            desk.touch_due()
            return redeemed
        is_expected = position.payout is not None  # the venue redeems what it has resolved, and the index says so
        if token not in self._missing and (not is_expected or self._index_had_its_say(lasts, now)):
            self._missing[token] = desk.market
            desk.touch_due()
            text = "shares of ours are not on the account: sold, merged or moved by somebody else, or a stale balance"
            found.append(_finding("missing_shares", "alarm", desk.market, token, text, should, told))
        gone = min(-difference - apart, settled)
        is_sold = self._unexplained_sales(token) >= -difference
        is_agreed = self._chain_agrees(token, told, SIZE_QUANTUM) and self._index_had_its_say(lasts, now)
        if gone <= 0 or not (is_sold or is_agreed or self._is_gone_from_index(token, told, lasts)):
            return []
        self._explain(token, -difference)
        foreign.pop(token, None)
        self._missing.pop(token, None)
        del self._differing[token]
        return self._correct(desk, outcome, -gone, "not on the account any more", now, unix)

    def own(self, now: float) -> list[Own]:
        """What our book says of cash and of every token at ``now``, as far as it is mined."""
        open_fills = self._orders.book.open()
        cash = self._books.cash - sum(_unmined_cash(known) for known in open_fills)
        rows = [Own(CASH, "", cash, self._changed(CASH, cash, now), self._is_busy(""))]
        for desk in self._desks.values():
            for outcome, token in tokens_of(desk):
                amount = self._mined(desk, outcome) + self._foreign.shares.get(token, 0)
                rows.append(
                    Own(token, desk.market, amount, self._changed(token, amount, now), self._is_busy(desk.market))
                )
        return rows

    def _mined(self, desk: Desk, outcome: Outcome) -> int:
        """Micro-shares of ours that the venue should show."""
        settled = desk.position.settled_yes if outcome == "YES" else desk.position.settled_no
        mined = sum(_mined_shares(known, outcome) for known in self._orders.book.open_in(desk.market))
        return settled + mined + self._books.unpriced.get(desk.market, {}).get(outcome, 0)

    def _changed(self, subject: str, amount: int, now: float) -> float:
        """Since when an amount is as it is, as far as it was noticed."""
        known = self._seen.get(subject)
        if known is None or known[0] != amount:
            known = self._seen[subject] = (amount, now)
        return known[1]

    def _unexplained_sales(self, token: str) -> int:
        """Micro-shares that somebody else has sold on the account and that have explained nothing yet."""
        fills = [fill for fill in self._foreign.fills.values() if fill.token == token and fill.order_side == "SELL"]
        return sum(fill.size for fill in fills if fill.settlement != "failed") - self._explained.get(token, 0)

    def _explain(self, token: str, gone: int) -> None:
        """Shares are gone; sales explain as much of it as they can."""
        explained = min(gone, self._unexplained_sales(token))
        if explained > 0:
            self._explained[token] = self._explained.get(token, 0) + explained

    def _chain_agrees(self, subject: str, told: int, least: int) -> bool:
        """The chain, asked since something began to differ, shows what the venue's balance shows."""
        chain = self._chain_since(subject)
        return chain is not None and abs(chain - told) < least

    def _chain_since(self, subject: str) -> int | None:
        """What the chain showed since a subject began to differ; None when it was not asked since."""
        chain, difference = self._sources.reading("chain", subject), self._differing.get(subject)
        if chain is None or difference is None or chain.asked_s < difference.since_s:
            return None
        return chain.amount

    def _chain_unix(self, subject: str, told: int, least: int, now: float, unix: float) -> float | None:
        """When the chain last showed what the venue's balance shows, unix seconds; None when it does not."""
        chain = self._sources.reading("chain", subject)
        if chain is None or abs(chain.amount - told) >= least:
            return None
        return unix - (now - chain.asked_s) - MINED_SEC

    def _index_had_its_say(self, lasts: float, now: float) -> bool:
        """What has differed for so long would be in the index of activity, or the index is too late to wait for."""
        read_s = self._activity.read_s
        is_read = read_s is not None and read_s >= now - lasts + LASTING_SEC
        self.wants_activity |= not is_read
        return is_read or lasts >= BELIEVED_SEC

    def _is_gone_from_index(self, token: str, told: Shares, lasts: float) -> bool:
        """Two caches that do not know each other agree for long."""
        index = self._sources.reading("index", token)
        return lasts >= BELIEVED_SEC and abs((0 if index is None else index.amount) - told) < SIZE_QUANTUM

    def _correct(self, desk: Desk, outcome: Outcome, micro: int, reason: str, now: float, unix: float) -> list[Action]:
        desk.touch_due()
        return self._books.find(desk.market, outcome, micro, desk.mark(now), unix, reason)

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


def tokens_of(desk: Desk) -> tuple[tuple[Outcome, str], tuple[Outcome, str]]:
    """Both tokens of a market."""
    return ("YES", desk.instrument.yes_token), ("NO", desk.instrument.no_token)


def _unmined_cash(known: TrackedFill) -> int:
    """Micro-dollars by which the venue's cash still has to change for a fill that is booked here."""
    if known.word.settlement == "mined" or known.word.settlement in FINAL:
        return 0
    fill = known.fill
    value = (fill.usd * fill.size + MICRO // 2) // MICRO
    return (-value if fill.order_side == "BUY" else value) + fill.rest - fill.fee


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
