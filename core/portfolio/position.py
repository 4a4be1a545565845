"""What one market's lines have made ours: holdings, cost, turnover, and how much of it is final."""

from collections import OrderedDict
from collections.abc import Iterable

from core.orders.fills import Fill
from core.portfolio.books import Books
from core.portfolio.entries import Booking, Buy, Sell, fill_key
from core.portfolio.inventory import Inventory
from core.portfolio.ledger import Ledger, posting_of
from core.portfolio.net import NetLedger
from core.units import OUTCOMES, Outcome, Shares, Side, Usd


class Position:
    """One market, booked line by line.

    Average cost has no inverse once something was sold. So a line that may still be taken back is kept with all that
    came after it, and the books before it too: taking it back folds only those lines anew.
    """

    def __init__(self) -> None:
        self.books = Books()
        """Of all lines; another object after a line was taken back."""
        self._base = Books()
        """Of the lines before the first that is not final."""
        self._tail: OrderedDict[str, Booking] = OrderedDict()
        """All lines from that one on, by key."""
        self._open: dict[str, Booking] = {}
        """Those of the tail that are not final, by key: fills."""
        self.final = NetLedger()
        """Of the lines that are final, in the order in which they became it: the position whatever fails."""
        self._arriving: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        """Micro-shares of purchases that are not final, by token."""
        self.unsure: dict[Side, int] = {"bid": 0, "ask": 0}
        """Micro-shares of fills that are not final, by the side of the YES book that was filled."""
        self.provisional = 0
        """Micro-shares of fills that are not confirmed."""
        self.bought = Shares(0)
        """Micro-shares that made us longer in YES: buys of YES and sells of NO."""
        self.sold = Shares(0)
        self.fills = 0
        self.locked_yes = Shares(0)
        """Micro-shares that an inventory operation under way takes."""
        self.locked_no = Shares(0)

    @property
    def ledger(self) -> Ledger:
        """At average cost."""
        return self.books.average

    @property
    def inventory(self) -> Inventory:
        """Everything that is or may be ours, provisional fills included."""
        ledger = self.books.average
        return Inventory(yes=ledger.yes.shares, no=ledger.no.shares)

    def closable(self, side: Side) -> Shares:
        """What a side's orders may take off whichever of the fills that are not final fail; 0 when nothing is sure."""
        net = self.inventory.net
        held, other = (net, self.unsure["bid"]) if side == "ask" else (-net, self.unsure["ask"])
        return Shares(max(0, held - other))

    @property
    def settled_yes(self) -> Shares:
        """YES that may be sold, before open sells: without purchases that are not final."""
        return Shares(self.books.average.yes.shares - self._arriving["YES"])

    @property
    def settled_no(self) -> Shares:
        """The same of NO."""
        return Shares(self.books.average.no.shares - self._arriving["NO"])

    @property
    def oversold(self) -> Shares:
        """Micro-shares, of both tokens, that have left and by our book never came: a purchase is not told yet."""
        ledger = self.books.average
        return Shares(max(0, -ledger.yes.shares) + max(0, -ledger.no.shares))

    @property
    def payout(self) -> Usd | None:
        """Of a YES share, micro-dollars, NO the rest of a dollar; None until the market is resolved for good."""
        return self.books.average.payout

    def open_lines(self) -> Iterable[Booking]:
        """Lines that may still be taken back, oldest first."""
        return self._open.values()

    def book(self, booking: Booking) -> str | None:
        """Book a line of this market that was not booked before; returns what about it cannot be, in words."""
        wrong = self.books.apply(booking.entry)
        self._tail[booking.key] = booking
        self._count(booking, 1)
        if booking.is_final:
            self.final.post(posting_of(booking.entry))
        else:
            self._open[booking.key] = booking
            self._await(booking, 1)
        self._advance()
        return wrong

    def confirm(self, key: str) -> str | None:
        """A line became final: what it bought may be sold. Returns why not, in words."""
        booking = self._open.pop(key, None)
        if booking is None:
            return "confirmed, but no open line of the book"
        self._await(booking, -1)
        self.final.post(posting_of(booking.entry))
        self._advance()
        return None

    def take_back(self, key: str) -> str | None:
        """A line turned out never to have been (market-making.md 3.1). Returns why it stays, in words."""
        booking = self._open.pop(key, None)
        if booking is None:
            return "failed, but no open line of the book"
        self._await(booking, -1)
        self._count(booking, -1)
        del self._tail[key]
        self.books = self._base.copy()
        for other in self._tail.values():
            self.books.post(posting_of(other.entry))
        self._advance()
        return None

    def seq_of(self, key: str) -> int:
        """Number of a line that may still be taken back; 0 when there is none."""
        booking = self._open.get(key)
        return 0 if booking is None else booking.seq

    def _advance(self) -> None:
        """Lines before the first that is not final become the base."""
        tail = self._tail
        while tail and (key := next(iter(tail))) not in self._open:
            self._base.post(posting_of(tail.pop(key).entry))

    def _await(self, booking: Booking, sign: int) -> None:
        entry = booking.entry
        if isinstance(entry, Buy | Sell):
            self.provisional += sign * entry.size
            self.unsure["bid" if isinstance(entry, Buy) == (entry.outcome == "YES") else "ask"] += sign * entry.size
            if isinstance(entry, Buy):
                self._arriving[entry.outcome] += sign * entry.size

    def _count(self, booking: Booking, sign: int) -> None:
        entry = booking.entry
        if isinstance(entry, Buy | Sell):
            self.fills += sign
            if isinstance(entry, Buy) == (entry.outcome == "YES"):
                self.bought = Shares(self.bought + sign * entry.size)
            else:
                self.sold = Shares(self.sold + sign * entry.size)


def booking_of(fill: Fill, seq: int, unix: float) -> Booking:
    """The line of a fill that is not final."""
    kind = Buy if fill.order_side == "BUY" else Sell
    return Booking(
        seq=seq,
        market=fill.market,
        key=fill_key(*fill.key),
        unix=unix,
        entry=kind(fill.outcome, fill.size, fill.usd),
        source="fill",
        is_final=False,
    )
