"""What each market has earned since its UTC day began.

A market's profit at a mark is linear in its lines: cash that came in, plus what is held at the mark, less what was
contributed. So all that a day needs of its beginning is these sums and the mark of that moment, and a line that is
taken back later leaves the beginning as it would have been without it. Nothing of this is written down by itself: the
lines of the book and the fair values that are kept anyway tell it again after a restart.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from core.portfolio.entries import Booking
from core.portfolio.ledger import Ledger, Pico, Posting, posting_of, usd_of
from core.portfolio.position import Position
from core.units import MICRO, Usd


class _Opening(msgspec.Struct):
    """One market as the day began."""

    yes: int = 0
    """Micro-shares, as ``no``."""
    no: int = 0
    money: int = 0
    """Cash that came in less what was contributed, Pico."""
    mark: Usd | None = None
    """Of a YES share, its payout if it had one; None when nobody knew."""

    @property
    def total(self) -> Pico | None:
        """Profit until then; None when what was held cannot be valued."""
        if self.mark is None:
            return None if self.yes or self.no else Pico(self.money)
        return Pico(self.money + self.yes * self.mark + self.no * (MICRO - self.mark))

    def post(self, change: Posting, sign: int) -> None:
        """Count a line in (1) or out again (-1)."""
        self.yes += sign * change.yes
        self.no += sign * change.no
        self.money += sign * (change.cash - change.contributed)
        if change.payout is not None and sign > 0:
            self.mark = change.payout


class DayOpenings:
    """How all markets stood at the first mark of the day."""

    def __init__(self) -> None:
        self._openings: dict[str, _Opening] | None = None
        self._seq = 0
        """Lines from this one on are of the day."""

    @property
    def is_known(self) -> bool:
        """It is known how the day began."""
        return self._openings is not None

    def begin(self, seq: int, positions: Mapping[str, Position], mark_of: Callable[[str], Usd | None]) -> None:
        """A day begins.

        Args:
            seq: of the next line.
            positions: of all markets, by condition id.
            mark_of: what a share of YES is worth in a market, micro-dollars.
        """
        self._seq = seq
        self._openings = {}
        for market, position in positions.items():
            ledger = position.ledger
            mark = mark_of(market) if ledger.payout is None else ledger.payout
            money = ledger.cash - ledger.contributed
            self._openings[market] = _Opening(ledger.yes.shares, ledger.no.shares, money, mark)

    def restore(self, seq: int, bookings: Iterable[Booking], marks: Mapping[str, Usd]) -> None:
        """Go on with the day that an earlier session began, from the lines before it and the marks of that moment."""
        openings: dict[str, _Opening] = {}
        for booking in sorted(bookings, key=lambda one: one.seq):
            market = booking.market
            if market and booking.seq < seq:
                opening = openings.get(market) or openings.setdefault(market, _Opening(mark=marks.get(market)))
                opening.post(posting_of(booking.entry), 1)
        self._openings, self._seq = openings, seq

    def take_back(self, booking: Booking) -> None:
        """A line turned out never to have been: one of before the day leaves its beginning too."""
        opening = None if self._openings is None else self._openings.get(booking.market)
        if opening is not None and booking.seq < self._seq:
            opening.post(posting_of(booking.entry), -1)

    def profit(self, market: str, ledger: Ledger, mark: Usd | None) -> Usd | None:
        """What a market has earned since at ``mark``, micro-dollars a share of YES; None when nobody knows."""
        if self._openings is None:
            return None
        opening = self._openings.get(market)
        before = Pico(0) if opening is None else opening.total
        if before is None or (mark is None and ledger.payout is None and (ledger.yes.shares or ledger.no.shares)):
            return None
        return usd_of(Pico(ledger.total(mark or Usd(0)) - before))
