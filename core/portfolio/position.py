"""What one market's fills have made ours: holdings, cost, turnover, and how much of it is final."""

from core.orders.fills import Fill
from core.portfolio.inventory import Inventory
from core.portfolio.ledger import Buy, Entry, Holding, Ledger, Pico, Sell
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
        self.corrections = 0
        """Entries that no fill made."""
        self.uncovered = Shares(0)
        """Micro-shares that were sold and, by our books, not held."""

    @property
    def inventory(self) -> Inventory:
        """Everything that is or may be ours, provisional fills included."""
        held = Inventory(yes=self.ledger.yes.shares, no=self.ledger.no.shares)
        opening = self._opening
        if opening is None:
            return held
        return Inventory(yes=Shares(held.yes + opening.yes), no=Shares(held.no + opening.no))

    @property
    def cash_change(self) -> Pico:
        """What all fills did to the account's cash."""
        return Pico(self.ledger.cash + self.opening_cost)

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
        key = fill.key
        if counts and fill.order_side == "BUY":
            self._book(key, Buy(fill.outcome, fill.size, fill.usd))
        elif counts:
            self._sell(key, fill)
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

    def correct(self, outcome: Outcome, micro: int) -> None:
        """Holdings are found to be more or less by ``micro`` micro-shares: no cash moves, and no profit is made.

        Raises:
            InvariantBroken: more are gone than were held.
        """
        left = micro - self._correct_opening(outcome, micro)
        held = self._held(outcome)
        price = Usd(held.cost // held.shares) if held.shares else Usd(MICRO // 2)
        if left > 0:
            self._give(outcome, Shares(left), price)
        elif left < 0:
            self.corrections += 1
            self._book(("correction", str(self.corrections)), Sell(outcome, Shares(-left), price))
            self.opening_cost = Pico(self.opening_cost + left * price)
            self._settle(outcome, left)

    def _correct_opening(self, outcome: Outcome, micro: int) -> int:
        """Correct the opening holdings while no price has entered them; returns what of it they took."""
        opening = self._opening
        if opening is None:
            return 0
        change = max(micro, -(opening.yes if outcome == "YES" else opening.no))
        yes, no = (change, 0) if outcome == "YES" else (0, change)
        self._opening = Inventory(yes=Shares(opening.yes + yes), no=Shares(opening.no + no))
        self._settle(outcome, change)
        return change

    def _sell(self, key: tuple[str, str], fill: Fill) -> None:
        """Book a sale of what is held, opening holdings included."""
        if self.awaits_opening:
            self.enter_opening(fill.usd if fill.outcome == "YES" else Usd(MICRO - fill.usd))
        sale = Sell(fill.outcome, fill.size, fill.usd)
        self._cover(sale)
        self._book(key, sale)

    def _cover(self, sale: Sell) -> None:
        """What a sale sells beyond what is held was there all the same, and enters at the sale's own price."""
        missing = sale.size - self._held(sale.outcome).shares
        if missing > 0:
            self.uncovered = Shares(self.uncovered + missing)
            self._give(sale.outcome, Shares(missing), sale.price)

    def _give(self, outcome: Outcome, size: Shares, price: Usd) -> None:
        """Enter shares that no cash of ours bought."""
        self.corrections += 1
        self._book(("correction", str(self.corrections)), Buy(outcome, size, price))
        self.opening_cost = Pico(self.opening_cost + size * price)
        self._settle(outcome, size)

    def _book(self, key: tuple[str, str], entry: Entry) -> None:
        self.ledger.apply(entry)
        self._entries[key] = entry

    def _revoke(self, key: tuple[str, str]) -> None:
        """Take an entry back by folding the others anew: average cost has no inverse once something was sold."""
        del self._entries[key]
        others, self._entries, self.ledger = self._entries, {}, Ledger()
        for other, entry in others.items():
            if isinstance(entry, Sell):
                self._cover(entry)  # what was taken back may have been sold since
            self._book(other, entry)

    def _held(self, outcome: Outcome) -> Holding:
        return self.ledger.yes if outcome == "YES" else self.ledger.no

    def _settle(self, outcome: Outcome, change: int) -> None:
        if outcome == "YES":
            self.settled_yes = Shares(self.settled_yes + change)
        else:
            self.settled_no = Shares(self.settled_no + change)
