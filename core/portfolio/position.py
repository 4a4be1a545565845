"""What one market's fills have made ours: holdings, cost, turnover, and how much of it is final."""

from core.orders.manager import Fill
from core.portfolio.inventory import Inventory
from core.portfolio.ledger import Buy, Entry, Ledger, Pico, Sell
from core.units import MICRO, Outcome, Shares, Usd


class Position:
    """Holdings of one market, booked fill by fill."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._entries: dict[tuple[str, str], Entry] = {}
        """By (trade id, order id), in order."""
        self._opening: Inventory | None = None
        self.opening_cost = Pico(0)
        """Cost the opening holdings were entered at; no cash was spent on it."""
        self.settled_yes = Shares(0)
        """YES of confirmed fills and of the opening holdings: what may be sold, before open sells."""
        self.settled_no = Shares(0)
        self.provisional = 0
        """Micro-shares of fills that are not confirmed."""
        self.bought = Shares(0)
        """Micro-shares that made us longer in YES: buys of YES and sells of NO."""
        self.sold = Shares(0)
        self.fills = 0

    @property
    def inventory(self) -> Inventory:
        """Everything that is or may be ours, provisional fills included."""
        held = Inventory(yes=self.ledger.yes.shares, no=self.ledger.no.shares)
        opening = self._opening
        if opening is None:
            return held
        return Inventory(yes=Shares(held.yes + opening.yes), no=Shares(held.no + opening.no))

    @property
    def awaits_opening(self) -> bool:
        """There are opening holdings that no price has entered into the ledger yet."""
        return self._opening is not None

    def open_with(self, yes: Shares, no: Shares) -> None:
        """Holdings found at the start; they wait for :meth:`enter_opening`, so that profit starts at zero."""
        self.settled_yes, self.settled_no = yes, no
        self._opening = Inventory(yes=yes, no=no) if yes or no else None

    def enter_opening(self, mark: Usd) -> None:
        """Enter the opening holdings at the first fair value, micro-dollars a share of YES."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        self._book(("opening", "YES"), Buy("YES", opening.yes, mark))
        self._book(("opening", "NO"), Buy("NO", opening.no, Usd(MICRO - mark)))
        self.opening_cost = Pico(self.opening_cost + opening.yes * mark + opening.no * (MICRO - mark))

    def take_fill(self, fill: Fill, counts: bool) -> None:
        """Book a fill, or take back what was booked of it when its trade failed (market-making.md 3.1)."""
        key = (fill.trade_id, fill.order_id)
        if counts:
            self._book(key, (Buy if fill.order_side == "BUY" else Sell)(fill.outcome, fill.size, fill.usd))
        else:
            self._revoke(key)
        self.ledger.verify(Usd(MICRO // 2))
        sign = 1 if counts else -1
        self.fills += sign
        self.provisional += sign * fill.size
        if fill.side == "bid":
            self.bought = Shares(self.bought + sign * fill.size)
        else:
            self.sold = Shares(self.sold + sign * fill.size)
        if fill.order_side == "SELL":
            self._settle(fill.outcome, -sign * fill.size)

    def confirm_fill(self, fill: Fill) -> None:
        """A fill became final: what it bought may be sold."""
        self.provisional -= fill.size
        if fill.order_side == "BUY":
            self._settle(fill.outcome, fill.size)

    def _book(self, key: tuple[str, str], entry: Entry) -> None:
        self.ledger.apply(entry)
        self._entries[key] = entry

    def _revoke(self, key: tuple[str, str]) -> None:
        """Take an entry back by folding the others anew: average cost has no inverse once something was sold."""
        del self._entries[key]
        self.ledger = Ledger()
        for other in self._entries.values():
            self.ledger.apply(other)

    def _settle(self, outcome: Outcome, change: int) -> None:
        if outcome == "YES":
            self.settled_yes = Shares(self.settled_yes + change)
        else:
            self.settled_no = Shares(self.settled_no + change)
