"""What one market holds: shares, average price, risk against its caps; and the one-line form for small terminals."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from core.units import MICRO
from core.views import AccountView, CapView, ConsoleView, InventoryView, JobView, MarketView
from widgets.figures import fit_spans
from widgets.format import (
    NOTHING,
    age,
    brief,
    clean,
    fit,
    model_cents,
    shares,
    signed_cents,
    signed_shares,
    signed_usd,
    usd,
    whole_usd,
)
from widgets.ladder_marks import break_even
from widgets.line_widget import LineWidget, Row, Span, message_rows, row

_LABEL: Final = 11
_CAP: Final = "cap"
_UNSETTLED_S: Final = 60.0
"""A trade is usually final sooner; an older one is told with its age."""
_ENDED: Final = frozenset({"confirmed", "failed", "refused"})
"""States in which an operation on the inventory changes nothing any more."""
_NEARLY_USED: Final = 0.8
"""Part of a cap from which its bar warns."""


class Fact(NamedTuple):
    """One line about what is held; where there is no room for all, the highest rank goes first."""

    label: str
    spans: tuple[Span, ...]
    rank: int = 0


def inventory_rows(market: MarketView | None, width: int, height: int, view: ConsoleView | None = None) -> list[Row]:
    """Shares of both tokens, what they cost and are worth, the risk against the caps, and operations under way.

    Caps and operations are told by ``view``; where there is no room for all, the tightest cap stays.
    """
    if market is None:
        return message_rows(["no market selected"], height)
    kept = inventory_facts(market, width)
    if view is not None:
        after_cap = next(place for place, fact in enumerate(kept) if fact.label == _CAP) + 1
        kept[after_cap:after_cap] = cap_facts(view.caps, market, width)
        kept += job_facts(view.account, market)
    while len(kept) > height:
        last = max(fact.rank for fact in kept)
        kept.pop(max(place for place, fact in enumerate(kept) if fact.rank == last))
    return [row(*fact_spans(fact, width)) for fact in kept]


def inventory_facts(market: MarketView, width: int) -> list[Fact]:
    """Everything there is to say of a market's inventory, in lines of at most ``width`` cells."""
    held = market.inventory
    average = _both(_cents(market, held.average_yes), _cents(market, held.average_no))
    even = _even(market)
    beside = sum(len(span.text) for span in (*average, *even)) + len("  even ") <= width - _LABEL - 1
    return [
        _net(market),
        *_resolved(held),
        Fact("YES / NO", _both(shares(held.yes), shares(held.no), is_odd=held.yes < 0 or held.no < 0)),
        Fact("average", (*average, *[Span(f"  even {span.text}", "muted") for span in even if beside]), 3),
        *([Fact("break-even", even, 4)] if even and not beside else []),
        Fact("settled", _both(shares(held.settled_yes), shares(held.settled_no)), 5),
        Fact("sellable", _both(shares(held.sellable_yes), shares(held.sellable_no)), 4),
        Fact("pairs", (Span(shares(held.pairs)), Span("  worth $1 each", "muted")), 2),
        Fact("value", _value(market), 3),
        Fact("at bids", (Span(NOTHING if held.conservative is None else usd(held.conservative)),), 4),
        Fact("at risk", (Span(usd(held.exposure)), Span(f" of {whole_usd(held.hard_cap)}", "muted"))),
        Fact(_CAP, _cap_bar(held, width), 1),
        *_group(market),
        _pending(held),
        *_apart(held),
    ]


def cap_facts(caps: Sequence[CapView], market: MarketView, width: int) -> list[Fact]:
    """The gate's caps that hold for a market, the tightest first: of its tokens, its own, its event's, all markets'."""
    group = market.group
    found: list[tuple[str, CapView]] = []
    for cap in caps:
        if cap.scope == "account":
            found.append(("cap all", cap))
        elif cap.scope in ("market", "token") and cap.market == market.market:
            found.append((f"cap {cap.name if cap.scope == 'token' else cap.scope}", cap))
        elif cap.scope == "group" and group is not None and cap.used == group.exposure:
            found.append(("cap event", cap))
    found.sort(key=lambda each: -_used(each[1]))
    return [
        Fact(fit(clean(label), _LABEL - 1).rstrip(), _gate_bar(cap, width), 1 if place == 0 else 4)
        for place, (label, cap) in enumerate(found)
    ]


def job_facts(account: AccountView, market: MarketView) -> list[Fact]:
    """Operations on the inventory of a market that are under way, or of which nobody knows."""
    return [
        Fact(fit(clean(job.kind), _LABEL - 1).rstrip(), _job(job))
        for job in account.jobs
        if job.market == market.market and job.state not in _ENDED
    ]


def _job(job: JobView) -> tuple[Span, ...]:
    role = "warn" if job.state == "unknown" else "own"
    cash = f"  {signed_usd(job.cash)} to come" if job.cash else ""
    return (Span(f"{shares(job.size)} {clean(job.state)} {age(job.age_s)}", role), Span(cash, "muted"))


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


def _even(market: MarketView) -> tuple[Span, ...]:
    """The price of YES at which the market's whole profit would be nothing."""
    held = market.inventory
    even = break_even(held.net, held.mark, market.pnl.total) if held.payout is None else None
    return () if even is None else (Span(f"{model_cents(even, market.decimals)}c", "muted"),)


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
    bar = list("█" * filled + "░" * (cells - filled))
    role = "warn" if held.exposure >= held.soft_cap else "own"
    bar[soft] = "┃"
    before, after = "".join(bar[:filled]), "".join(bar[filled:])
    return (Span(before, role), Span(after, "muted"), Span(f" {used:4.0%}", role if used >= 1 else ""))


def _used(cap: CapView) -> float:
    return cap.used / cap.cap if cap.cap > 0 else 1.0 if cap.used else 0.0


def _gate_bar(cap: CapView, width: int) -> tuple[Span, ...]:
    """How much of a cap is used if every order at risk fills."""
    used = _used(cap)
    amount = f" of {whole_usd(cap.cap)}"
    percent = f" {used:4.0%}" if used < 9.995 else "  >9x"
    cells = max(4, min(20, width - _LABEL - 2 - len(percent) - len(amount)))
    filled = max(0, min(cells, round(cells * used)))
    role = "warn" if used >= _NEARLY_USED else "own"
    return (
        Span("█" * filled, role),
        Span("░" * (cells - filled), "muted"),
        Span(percent, role if used >= _NEARLY_USED else ""),
        Span(amount, "muted"),
    )


class Inventory(LineWidget):
    """Draws :func:`inventory_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self._whole: ConsoleView | None = None
        self.set_titles("Inventory", "shares")

    def show(self, market: MarketView | None, view: ConsoleView | None = None) -> None:
        """Draw what a market holds; its caps and the operations under way are told by the whole ``view``."""
        self._market, self._whole = market, view
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`inventory_rows`."""
        return inventory_rows(self._market, width, height, self._whole)


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
