"""Everything the account owns, in every market that was ever booked, whether it is made now or not.

The state is the fold of the account's lines in the order of their numbers: same lines, same state
(:mod:`core.portfolio.entries`).
"""

from collections.abc import Callable, Iterable, Mapping

from core.orders.fills import Fill
from core.portfolio.entries import Booking, Entry, EntrySource, Fee, Flow, Income, fill_key
from core.portfolio.ledger import Ledger, Pico
from core.portfolio.position import Position, booking_of
from core.units import Usd


class _Sums:
    """The numbers of ledgers that add up over markets, Pico."""

    __slots__ = ("cash", "cost", "fees", "flows", "income", "realised")

    def __init__(self) -> None:
        self.cash = self.cost = self.fees = self.flows = self.income = self.realised = Pico(0)

    def add(self, ledger: Ledger, sign: int) -> None:
        """Count a market in (1) or out again (-1)."""
        self.cash = Pico(self.cash + sign * ledger.cash)
        self.cost = Pico(self.cost + sign * ledger.cost)
        self.fees = Pico(self.fees + sign * ledger.fees)
        self.flows = Pico(self.flows + sign * ledger.contributed)
        self.income = Pico(self.income + sign * ledger.income)
        self.realised = Pico(self.realised + sign * ledger.realised)


class Portfolio:
    """One account's book. Amounts are Pico."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        """By market, in the order in which they were first asked for."""
        self.next_seq = 1
        """Of the next line; rises through all sessions."""
        self._account = Position()
        self._keys: set[str] = set()
        self._sums = _Sums()
        self._changed: set[str] = set()
        """Markets since somebody last asked."""
        self._unchecked: dict[str, Position] = {}
        """Booked since the last check, or found wrong by it."""

    def position(self, market: str) -> Position:
        """Of a market, known or not; "" is the account as a whole."""
        if not market:
            return self._account
        return self.positions.get(market) or self.positions.setdefault(market, Position())

    @property
    def account(self) -> Ledger:
        """What concerns no single market: flows of cash, income."""
        return self._account.ledger

    @property
    def cash(self) -> Pico:
        """Everything that came in less everything that went out; deposits included."""
        return self._sums.cash

    @property
    def flows(self) -> Pico:
        """Deposits less withdrawals, in cash and in kind."""
        return self._sums.flows

    @property
    def realised(self) -> Pico:
        """Before fees and income."""
        return self._sums.realised

    @property
    def fees(self) -> Pico:
        """Paid in all markets and for the account."""
        return self._sums.fees

    @property
    def income(self) -> Pico:
        """Rebates, rewards and the like, paid out."""
        return self._sums.income

    def value(self, marks: Mapping[str, Usd]) -> Pico:
        """Holdings at ``marks``, micro-dollars a YES share by market; at the payout if there is one, else at cost."""
        return Pico(self._sums.cost + self.unrealised(marks))

    def unrealised(self, marks: Mapping[str, Usd]) -> Pico:
        """What the holdings would gain at ``marks``; nothing in a market without one."""
        return Pico(
            sum([held.ledger.unrealised(marks[market]) for market, held in self.positions.items() if market in marks])
        )

    def has(self, key: str) -> bool:
        """A line of that key was booked, even if it was taken back later."""
        return key in self._keys

    def book(
        self, market: str, key: str, unix: float, entry: Entry, source: EntrySource, text: str = ""
    ) -> tuple[Booking, str | None] | None:
        """Book a line that is final.

        Args:
            market: known or not; "" for the account as a whole.
            key: what the line is known by, in all sessions.
            unix: when it happened, seconds.
            entry: what happened.
            source: who told.
            text: why, for people.

        Returns:
            The line, and what about it cannot be, in words; None when the key is known: nothing has changed.
        """
        if key in self._keys:
            return None
        booking = Booking(self.next_seq, market, key, unix, entry, source, text=text)
        return booking, self._book(booking)

    def fill(self, fill: Fill, counts: bool, unix: float) -> tuple[int, str | None]:
        """Book a fill, or take back what was booked of it when its trade failed.

        Returns:
            The number of its line, 0 when nothing has changed; and what about it cannot be, in words.
        """
        key = fill_key(*fill.key)
        if not counts:
            position = self.position(fill.market)
            return position.seq_of(key), self._change(fill.market, lambda: position.take_back(key))
        if key in self._keys:
            return 0, None
        seq = self.next_seq
        return seq, self._book(booking_of(fill, seq, unix))

    def confirm(self, fill: Fill) -> str | None:
        """A fill became final. Returns why not, in words."""
        self._changed.add(fill.market)
        return self.position(fill.market).confirm(fill_key(*fill.key))

    def take_changed(self) -> set[str]:
        """Markets with a line that came, was taken back or became final since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def restore(self, bookings: Iterable[Booking]) -> list[str]:
        """Fold the lines of earlier sessions, before anything else is booked.

        Returns:
            What is wrong with the record, in words: lines told twice. What single lines said that cannot be was told
            when they were booked.
        """
        wrong = []
        for booking in sorted(bookings, key=lambda one: one.seq):
            if booking.key in self._keys:
                wrong.append(f"line {booking.seq} tells {booking.key} again: left out")
                continue
            if booking.seq < self.next_seq:
                wrong.append(f"line {booking.seq} ({booking.key}) has the number of another")
            self._book(booking)
        return wrong

    def check(self, *, sums_up: bool = False) -> str:
        """What does not add up, in words; "" when all is well. Looks at what was booked since the last check.

        With ``sums_up`` it sums all markets too, which takes the longer the more there ever were.
        """
        for market, position in tuple(self._unchecked.items()):
            wrong = position.books.check()
            if wrong:
                return f"{market or 'account'}: {wrong}"
            del self._unchecked[market]
        sums = self._sums
        if sums.cash + sums.cost != sums.realised - sums.fees + sums.income + sums.flows:
            return "the account's cash and cost are not what its profits and flows make it"
        if not sums_up:
            return ""
        ledgers = [self.account, *[held.ledger for held in self.positions.values()]]
        cash, flows = sum([one.cash for one in ledgers]), sum([one.contributed for one in ledgers])
        if (cash, flows) != (sums.cash, sums.flows):
            return f"cash and flows are {sums.cash} and {sums.flows} pico-dollars, the markets' {cash} and {flows}"
        return ""

    def _book(self, booking: Booking) -> str | None:
        self._keys.add(booking.key)
        self.next_seq = max(self.next_seq, booking.seq + 1)
        position = self.position(booking.market)
        wrong = self._change(booking.market, lambda: position.book(booking))
        if not booking.market and not isinstance(booking.entry, Fee | Income | Flow):
            return "; ".join(filter(None, ("it names no market", wrong)))
        return wrong

    def _change(self, market: str, change: Callable[[], str | None]) -> str | None:
        """Let a market's position change, and carry what it does to the account."""
        position = self.position(market)
        self._sums.add(position.ledger, -1)
        wrong = change()
        self._sums.add(position.ledger, 1)
        self._unchecked[market] = position
        self._changed.add(market)
        return wrong
