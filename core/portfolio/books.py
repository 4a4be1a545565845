"""The three views of one market's account, booked together, and what tells whether they still agree."""

from core.portfolio.entries import Convert, Entry, Fee, Flow, Found, Income, Redeem, Settle
from core.portfolio.fifo import LotHolding
from core.portfolio.ledger import Ledger, Pico, Posting, posting_of, usd_of
from core.portfolio.net import NetLedger
from core.units import MICRO, Usd, micro_text


class Books:
    """Average cost, first in first out, and net: they differ only in when profit is realised (market-making.md 3)."""

    __slots__ = ("average", "lots", "net")

    def __init__(self) -> None:
        self.average = Ledger()
        self.lots = Ledger(LotHolding)
        self.net = NetLedger()

    def apply(self, entry: Entry) -> str | None:
        """Book an entry wherever money or shares moved.

        Returns:
            What about it cannot be, in words; None when nothing. It is booked all the same.
        """
        change = posting_of(entry)
        wrong = [*_impossible(entry), *self._contradicts(entry, change)]
        self.post(change)
        return "; ".join(wrong) or None

    def post(self, change: Posting) -> None:
        """Book what an entry changes, without a word."""
        self.average.post(change)
        self.lots.post(change)
        self.net.post(change)

    def total(self, mark: Usd) -> Pico:
        """Profit since the start at ``mark`` micro-dollars a YES share, fees and income included."""
        return self.average.total(mark)

    def check(self) -> str:
        """What does not add up, in words; "" when all is well.

        Every view is linear in the mark, so equal shares and one equal number make them equal at all marks.
        """
        average, lots, net = self.average, self.lots, self.net
        for name, view in (("average cost", average), ("first in, first out", lots)):
            counted = view.realised - view.fees + view.income + view.contributed
            if view.cash + view.cost != counted:
                return f"{name}: cash and cost are {view.cash + view.cost} pico-dollars, profits make it {counted}"
        if (average.cash, average.yes.shares, average.no.shares) != (lots.cash, lots.yes.shares, lots.no.shares):
            return "average cost and first in, first out disagree on cash or shares"
        if net.position != average.yes.shares - average.no.shares:
            return f"net: {net.position} micro-shares, the tokens make it {average.yes.shares - average.no.shares}"
        trading = average.cash + average.no.shares * MICRO - average.contributed + average.fees - average.income
        if net.realised - net.cost != trading:
            return f"net: profit at a mark of 0 is {net.realised - net.cost} pico-dollars, the ledger's {trading}"
        return ""

    def copy(self) -> "Books":
        """Books that go their own way."""
        twin = Books()
        twin.average, twin.lots, twin.net = self.average.copy(), self.lots.copy(), self.net.copy()
        return twin

    def _contradicts(self, entry: Entry, change: Posting) -> list[str]:
        """What is against what was booked before."""
        average, wrong = self.average, []
        for outcome, size, held in (("YES", change.yes, average.yes.shares), ("NO", change.no, average.no.shares)):
            if size < 0 and held + size < 0:
                wrong.append(f"{micro_text(-size)} {outcome} leave, {micro_text(max(0, held))} are held")
        payout = average.payout
        if payout is not None and isinstance(entry, Settle) and entry.price != payout:
            wrong.append(f"resolved at {micro_text(entry.price)} dollars, before at {micro_text(payout)}")
        elif payout is not None and isinstance(entry, Redeem):
            due = entry.size * (payout if entry.outcome == "YES" else MICRO - payout)
            if abs(entry.amount * MICRO - due) >= MICRO:
                wrong.append(f"{micro_text(entry.amount)} dollars paid, {micro_text(usd_of(Pico(due)))} are due")
        return wrong


def _impossible(entry: Entry) -> list[str]:
    """What cannot be, whatever was booked before."""
    wrong = []
    size, price = getattr(entry, "size", 0), getattr(entry, "price", 0)
    if size < 0 and not isinstance(entry, Convert | Found):
        wrong.append(f"{micro_text(size)} shares")
    if not 0 <= price <= MICRO and not isinstance(entry, Convert):
        wrong.append(f"{micro_text(price)} dollars a share")
    amount = getattr(entry, "amount", 0)
    may_return = isinstance(entry, Flow | Fee) or (isinstance(entry, Income) and entry.of == "other")
    if amount < 0 and not may_return:
        wrong.append(f"an amount of {micro_text(amount)} dollars")
    if isinstance(entry, Redeem) and amount > max(0, size):
        wrong.append(f"{micro_text(amount)} dollars paid for {micro_text(size)} shares")
    return wrong
