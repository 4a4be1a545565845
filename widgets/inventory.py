"""What one market holds: shares, average price, risk against its caps; and the one-line form for small terminals."""

from typing import Final, NamedTuple

from core.units import MICRO
from core.views import ConsoleView, InventoryView, MarketView
from widgets.figures import fit_spans
from widgets.format import (
    NOTHING,
    age,
    brief,
    fit,
    model_cents,
    shares,
    signed_cents,
    signed_shares,
    signed_usd,
    usd,
    whole_usd,
)
from widgets.line_widget import LineWidget, Row, Span, message_rows, row

_LABEL: Final = 11
_UNSETTLED_S: Final = 60.0
"""A trade is usually final sooner; an older one is told with its age."""


class Fact(NamedTuple):
    """One line about what is held; where there is no room for all, the highest rank goes first."""

    label: str
    spans: tuple[Span, ...]
    rank: int = 0


def inventory_rows(market: MarketView | None, width: int, height: int) -> list[Row]:
    """Shares of both tokens, what they cost and are worth, and the risk against the caps."""
    if market is None:
        return message_rows(["no market selected"], height)
    kept = inventory_facts(market, width)
    while len(kept) > height:
        last = max(fact.rank for fact in kept)
        kept.pop(max(place for place, fact in enumerate(kept) if fact.rank == last))
    return [row(*fact_spans(fact, width)) for fact in kept]


def inventory_facts(market: MarketView, width: int) -> list[Fact]:
    """Everything there is to say of a market's inventory, in lines of at most ``width`` cells."""
    held = market.inventory
    return [
        _net(market),
        *_resolved(held),
        Fact("YES / NO", _both(shares(held.yes), shares(held.no), is_odd=held.yes < 0 or held.no < 0)),
        Fact("average", _both(_cents(market, held.average_yes), _cents(market, held.average_no)), 3),
        Fact("settled", _both(shares(held.settled_yes), shares(held.settled_no)), 5),
        Fact("sellable", _both(shares(held.sellable_yes), shares(held.sellable_no)), 4),
        Fact("pairs", (Span(shares(held.pairs)), Span("  worth $1 each", "muted")), 2),
        Fact("value", _value(market), 3),
        Fact("at bids", (Span(NOTHING if held.conservative is None else usd(held.conservative)),), 4),
        Fact("at risk", (Span(usd(held.exposure)), Span(f" of {whole_usd(held.hard_cap)}", "muted"))),
        Fact("cap", _cap_bar(held, width), 1),
        *_group(market),
        _pending(held),
        *_apart(held),
    ]


def fact_spans(fact: Fact, width: int) -> list[Span]:
    """A fact in exactly ``width`` cells."""
    return fit_spans([Span(f" {fact.label:<{_LABEL}}", "muted"), *fact.spans], width)


def foreign_words(held: InventoryView) -> str:
    """Shares on the account that are not ours; "" when there are none."""
    parts = ((held.foreign_yes, "YES"), (held.foreign_no, "NO"))
    return ", ".join(f"{shares(size)} {token}" for size, token in parts if size)


def _net(market: MarketView) -> Fact:
    held = market.inventory
    token = "YES" if held.net > 0 else "NO" if held.net < 0 else ""
    average = f" {token} at {model_cents(held.average, market.decimals)}c" if held.average is not None else " flat"
    return Fact("net", (Span(signed_shares(held.net), "strong"), Span(average)))


def _resolved(held: InventoryView) -> list[Fact]:
    """What the resolution pays, and what it makes of the holdings."""
    if held.payout is None:
        return []
    resolved = Fact("resolved", (Span(f"YES pays {usd(held.payout)}", "strong"),))
    return [resolved, Fact("claim", (Span(usd(held.value), "strong"), Span("  to redeem", "muted")))]


def _both(yes: str, no: str, *, is_odd: bool = False) -> tuple[Span, ...]:
    return (Span(f"{yes} / {no}", "warn" if is_odd else ""), Span(" sold more than held" if is_odd else "", "warn"))


def _cents(market: MarketView, average: float | None) -> str:
    return NOTHING if average is None else f"{model_cents(average, market.decimals)}c"


def _value(market: MarketView) -> tuple[Span, ...]:
    held = market.inventory
    mark = "  at cost" if held.mark is None else f"  at {model_cents(held.mark / MICRO, market.decimals)}c"
    return (Span(usd(held.value)), Span(mark, "muted"))


def _group(market: MarketView) -> list[Fact]:
    """Profit of what is held in all markets of the event, for its worst and its best outcome."""
    group = market.group
    if group is None:
        return []
    return [Fact("event", (Span(f"worst {signed_usd(group.worst)}, best {signed_usd(group.best)}"),), 3)]


def _pending(held: InventoryView) -> Fact:
    if not held.provisional:
        return Fact("pending", (Span("0", "muted"), Span("  all fills confirmed", "muted")), 1)
    old = f" oldest {age(held.unsettled_s)}," if held.unsettled_s >= _UNSETTLED_S else ""
    return Fact("pending", (Span(shares(held.provisional) + old, "warn"), Span(" not confirmed", "muted")))


def _apart(held: InventoryView) -> list[Fact]:
    """Shares that no figure above counts: without a price yet, or not ours."""
    facts = []
    if held.waiting:
        facts.append(Fact("waiting", (Span(shares(held.waiting), "warn"), Span(" for a price to enter at", "muted"))))
    if foreign := foreign_words(held):
        facts.append(Fact("not ours", (Span(foreign, "warn"), Span(" apart", "muted"))))
    return facts


def _cap_bar(held: InventoryView, width: int) -> tuple[Span, ...]:
    cells = max(8, min(28, width - _LABEL - 9))
    if held.hard_cap <= 0:
        return (Span("no cap known", "muted"),)
    used = held.exposure / held.hard_cap
    filled = max(0, min(cells, round(cells * used)))
    soft = max(0, min(cells - 1, round(cells * held.soft_cap / held.hard_cap)))
    bar = ["█" if cell < filled else "░" for cell in range(cells)]
    role = "warn" if held.exposure >= held.soft_cap else "own"
    bar[soft] = "┃"
    before, after = "".join(bar[:filled]), "".join(bar[filled:])
    return (Span(before, role), Span(after, "muted"), Span(f" {used:4.0%}", role if used >= 1 else ""))


class Inventory(LineWidget):
    """Draws :func:`inventory_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self.set_titles("Inventory", "shares")

    def show(self, market: MarketView | None) -> None:
        """Draw what a market holds."""
        self._market = market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`inventory_rows`."""
        return inventory_rows(self._market, width, height)


def account_row(view: ConsoleView | None, market: MarketView | None, width: int) -> Row:
    """The selected market's position and profit in one line."""
    if view is None or market is None:
        return row((" no market that is made is selected", "muted"), ground="bar")
    held = market.inventory
    token = " YES" if held.net > 0 else " NO" if held.net < 0 else ""
    average = f"{model_cents(held.average, market.decimals)}c" if held.average is not None else NOTHING
    skew = None
    if market.fair is not None and market.reservation is not None:
        skew = market.reservation - market.fair
    parts = [
        (Span("net ", "muted"), Span(f"{signed_shares(held.net)}{token}", "strong")),
        (Span("avg ", "muted"), Span(average)),
        (Span("risk ", "muted"), Span(f"{whole_usd(held.exposure)}/{whole_usd(held.hard_cap)}")),
        (Span("pnl ", "muted"), _gain_span(market.pnl.total)),
        (Span("fair ", "muted"), Span(model_cents(market.fair, market.decimals), "model")),
        (Span("skew ", "muted"), Span(signed_cents(skew, market.decimals), "model")),
    ]
    spans: list[Span] = []
    used = 0
    for part in parts:
        cells = sum(len(span.text) for span in part) + 2
        if used + cells > width - 12:
            break
        spans += [*part, Span("  ")]
        used += cells
    title = fit(brief(market.title), max(0, min(28, width - used - 2)))
    return row((f" {title} ", "strong"), *spans, ground="bar")


def _gain_span(amount: int) -> Span:
    return Span(signed_usd(amount), "bid" if amount > 0 else "ask" if amount < 0 else "")


class AccountLine(LineWidget):
    """Draws :func:`account_row`: inventory and profit where there is room for one line only."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None

    def show(self, view: ConsoleView | None, market: MarketView | None) -> None:
        """Draw one market of a view."""
        self._view, self._market = view, market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`account_row`."""
        return [account_row(self._view, self._market, width)]
