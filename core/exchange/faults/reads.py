"""Faults of reads: books, balances, positions, titles and the clock show something else than the truth.

What is shown is put in the venue's place while one request is served. Handlers are served in one go on one event loop,
so nothing else ever sees it.
"""

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from core.exchange.exchange import Exchange
from core.exchange.face import Face
from core.exchange.faults import verbs
from core.exchange.faults.effects import Effect
from core.exchange.faults.requests import Asked, Plan
from core.exchange.history import History
from core.exchange.ledger import Ledger
from core.exchange.listing import Listing
from core.units import MICRO, Shares, Ticks

_BOOKS: Final = frozenset({"/book", "/books"})
_PRICES: Final = frozenset(
    {
        *("/price", "/prices", "/midpoint", "/midpoints", "/spread", "/spreads"),
        *("/last-trade-price", "/last-trades-prices"),
    }
)
_BALANCE: Final = "/balance-allowance"
_REFRESH: Final = "/balance-allowance/update"
_GHOST_SIZE: Final = Shares(100 * MICRO)
_POSITIONS: Final = re.compile(r"/data-api/(v2/)?(positions|value)")
TITLES: Final = {
    "markup": "[red]Will[/red] <b>it</b> [link=file:///etc/passwd]win[/link]? [/] [bold",
    "escape": "Will it win?\x1b[2J\x1b]0;owned\x07\x1b]52;c;ZWNobw==\x07\r\n\x00\x9b31m",
    "bidi": "Will \u202eti\u202c win\u200b? \u2066YES\u2069 \ufeffe\u0301\u0301\u0301",
    "formula": '=HYPERLINK("http://127.0.0.1/?x="&A1,"Will it win?")',
    "long": "Will it win? " * 2_000,
}


@contextlib.contextmanager
def _swapped(holder: object, name: str, value: object) -> Iterator[None]:
    kept = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, kept)


class BooksEffect(Effect):
    """``stale_rest`` and ``ghost_book``: other books for the REST reads."""

    exchange: Exchange
    shown: dict[str, Face]

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Show these books to a read of books."""
        verb = self.verb
        paths = _BOOKS | _PRICES if isinstance(verb, verbs.StaleRest) and verb.paths == "all" else _BOOKS
        if self.over(now_ms) or asked.path not in paths:
            return
        self.note(f"{asked.method} {asked.path}")
        plan.around.append(_swapped(self.exchange, "faces", self.exchange.faces | self.shown))


def stale_faces(exchange: Exchange, market: str | None) -> dict[str, Face]:
    """The books as they are now."""
    wanted = [market] if market is not None else list(exchange.faces)
    return {each: copy.deepcopy(exchange.faces[each]) for each in wanted}


def ghost_faces(exchange: Exchange, market: str | None) -> dict[str, Face]:
    """Books of 0.01 against 0.99, as of now."""
    shown = {}
    for each in [market] if market is not None else list(exchange.faces):
        real = exchange.faces[each]
        k = real.instrument.grid.k
        cent = max(1, k // 100)
        face = shown[each] = Face(real.instrument, Ticks(cent), real.stamp_ms)
        face.last_trade_price, face.last_trade_side = real.last_trade_price, real.last_trade_side
        face.set_level("bid", Ticks(cent), _GHOST_SIZE)
        face.set_level("ask", Ticks(k - cent), _GHOST_SIZE)
    return shown


class BalanceEffect(Effect):
    """``stale_balance``: less than there is, for the balance reads and for the check of new orders."""

    exchange: Exchange
    cached: dict[str, tuple[int, dict[Any, int]]]
    """Cash and tokens by account; nothing at all when it shows zero."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Hide money from a balance read or an order."""
        verb = self.verb
        assert isinstance(verb, verbs.StaleBalance)
        if self.over(now_ms):
            return
        if asked.path == _REFRESH and verb.heals == "update":
            self.left = 0
            self.note("refreshed")
            return
        placing = asked.method == "POST" and asked.path in ("/order", "/orders")
        if placing or asked.path in (_BALANCE, _REFRESH):
            self.note(f"{asked.method} {asked.path}")
            plan.around.append(self._hidden())
        if verb.shows == "zero" and asked.path in (_BALANCE, _REFRESH):
            plan.edits.append(_nothing)

    @contextlib.contextmanager
    def _hidden(self) -> Iterator[None]:
        """Take away what the cache does not know of, and give it back."""
        taken: list[tuple[Any, int, dict[Any, int]]] = []
        for account in self.exchange.ledger.accounts.values():
            cash, tokens = self.cached.get(account.address, (0, {}))
            less = max(0, account.cash - cash)
            fewer = {key: max(0, held - tokens.get(key, 0)) for key, held in account.tokens.items()}
            account.cash -= less
            for key, number in fewer.items():
                account.tokens[key] -= number
            taken.append((account, less, fewer))
        try:
            yield
        finally:
            for account, less, fewer in taken:
                account.cash += less
                for key, number in fewer.items():
                    account.tokens[key] += number


def _nothing(body: bytes) -> bytes:
    """A balance of nothing, also for a wallet that finds its money by this very request."""
    return msgspec.json.encode(msgspec.json.decode(body, type=dict[str, Any]) | {"balance": "0"})


def cached_balances(exchange: Exchange) -> dict[str, tuple[int, dict[Any, int]]]:
    """What everybody has now."""
    return {a.address: (a.cash, dict(a.tokens)) for a in exchange.ledger.accounts.values()}


class PositionsEffect(Effect):
    """``stale_positions``: what the Data API knew when it began, or nothing."""

    exchange: Exchange
    ledger: Ledger
    history: History

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Show the old record to a read of the Data API."""
        if self.over(now_ms) or not _POSITIONS.fullmatch(asked.path):
            return
        self.note(f"{asked.method} {asked.path}")
        plan.around.append(_swapped(self.exchange, "ledger", self.ledger))
        plan.around.append(_swapped(self.exchange, "history", self.history))


def record(exchange: Exchange, shows: Literal["before", "empty"]) -> dict[str, Any]:
    """Ledger and history as they are now, or of an exchange nobody ever came to."""
    if shows == "empty":
        return {"ledger": Ledger(), "history": History(exchange.results)}
    return {"ledger": copy.deepcopy(exchange.ledger), "history": copy.deepcopy(exchange.history)}


class TitleEffect(Effect):
    """``title``: a market is called something hostile."""

    exchange: Exchange

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Show the title to a read."""
        if self.over(now_ms) or asked.method != "GET":
            return
        market = self.scope.market
        assert market is not None
        renamed = self.exchange.listings | {market: self._renamed(self.exchange.listings[market])}
        plan.around.append(_swapped(self.exchange, "listings", renamed))

    def _renamed(self, listing: Listing) -> Listing:
        verb = self.verb
        assert isinstance(verb, verbs.Title)
        text = TITLES[verb.kind] if verb.text is None else verb.text
        plot = msgspec.structs.replace(listing.plot, question=text)
        return msgspec.structs.replace(listing, plot=plot, event_title=text)


class ClockEffect(Effect):
    """``clock_offset``: the venue's clock is off by so many seconds."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Tell the wrong time."""
        if not self.over(now_ms) and asked.path == "/time":
            self.note("GET /time")
            plan.edits.append(self._edit)

    def _edit(self, body: bytes) -> bytes:
        verb = self.verb
        assert isinstance(verb, verbs.ClockOffset)
        return str(int(int(body) + verb.seconds)).encode()
