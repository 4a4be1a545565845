"""The market list: where it is read, what waits for approval, what became of each market and why, what is unusable.

A list may have thousands of rows, so only those in sight are made.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, zip_longest
from math import isfinite
from typing import Final, NamedTuple, get_args

from textual.events import Click
from textual.message import Message

from core.views import (
    ConsoleView,
    ListedMarketView,
    ListStanding,
    ListView,
    ProposalLineView,
    ProposalView,
    RejectedRowView,
    RuleView,
)
from widgets.format import MINUS, NOTHING, age, clean, fit, number, short_figure, usd, utc_clock, whole_usd, wrap_words
from widgets.line_widget import MadeRows, PagedLineWidget, Row, Span, message_rows, row

ONE_LINE_FROM: Final = 100
"""Width from which a market takes one line."""
_EXTRAS_FROM: Final = 150
"""Width from which the list's own limits have columns."""
_LABEL: Final = 11
_TEXT_LINES: Final = 6
_NOTES: Final = 6
_ID: Final = 66
"""Cells of a condition id."""
_INDENT: Final = 3
_STANDING: Final = 10
_SCORE: Final = 8
_INCOME: Final = 9
_FRACTION: Final = 9
_PROFILE: Final = 12
_LIMIT: Final = 9
_TITLE_MOST: Final = 52
_KIND: Final = 9
_ROW: Final = 7
_COLUMN: Final = 16
_VALUE: Final = 30
_BESIDE: Final = 100
"""Width from which a long text stands beside what it is about."""
_RULE: Final = 22
_VERDICT: Final = 9
_MEASURE_LEAST: Final = 18
_MEASURE_MOST: Final = 40

STANDINGS: Final[tuple[ListStanding, ...]] = get_args(ListStanding)
"""In the order in which the markets are shown."""
_LOW: Final = 12
"""Lines below which the pane begins with what it lists."""
_PLACES: Final = {standing: place for place, standing in enumerate(STANDINGS)}
_SIGNS: Final[dict[ListStanding, tuple[str, str]]] = {
    "made": ("●", "good"),
    "draining": ("◐", "warn"),
    "waiting": ("△", ""),
    "failed": ("×", ""),
    "refused": ("▲", "warn"),
    "off": ("○", "muted"),
}
_KINDS: Final = {"add": ("+", "good"), "remove": ("-", "warn"), "change": ("~", "strong")}
"""Sign and role of a change; the word stands beside it."""


def list_news(listing: ListView | None) -> list[str]:
    """What of the list wants somebody's eyes, each in a few words, the worse first; empty while nothing does."""
    if listing is None:
        return []
    said = ["not renewed"] if listing.trouble else []
    return said + ([_changes(listing.proposal)] if listing.proposal else [])


def proposal_head(proposal: ProposalView, unix: float) -> str:
    """How many changes wait, and since when."""
    return (
        f"{_changes(proposal)} since {utc_clock(proposal.since_unix)} UTC, "
        f"{age(unix - proposal.since_unix)}: not done yet"
    )


def change_words(change: ProposalLineView) -> str:
    """One change in a sentence: sign, word, market, what it is."""
    text = clean(change.text)
    return f"{_KINDS[change.kind][0]} {change.kind} {_name(change.title, change.market)}{f': {text}' if text else ''}"


def why_words(market: ListedMarketView) -> str:
    """Why a market is not simply made, the rules it fails, where its figures are from, its note."""
    fails = [rule for rule in market.rules if not rule.passed]
    reason, figures, note = clean(market.reason), clean(market.figures), clean(market.note)
    if reason == ", ".join(map(_rule_name, fails)):  # each is told with its number
        reason = ""
    if note == clean(market.title):  # as `markets discover` writes it
        note = ""
    parts = [reason, *map(rule_words, fails), f"figures: {figures}" if figures else "", f"note: {note}" if note else ""]
    return "; ".join(part for part in parts if part)


def rule_words(rule: RuleView) -> str:
    """A rule with the market's number and the bound."""
    return f"{_rule_name(rule)} {clean(rule.value) or 'not told'} ({clean(rule.bound)})"


def _changes(proposal: ProposalView) -> str:
    count = len(proposal.lines)
    return f"{count:,} change{' waits' if count == 1 else 's wait'}"


def _rule_name(rule: RuleView) -> str:
    return clean(rule.rule.replace("_", " "))


def _name(title: str, market: str) -> str:
    return clean(title) or clean(market)


class ListPage(NamedTuple):
    """All lines of the pane, and where the markets stand among them."""

    rows: Sequence[Row]
    """Made when they are asked for."""
    markets: Sequence[ListedMarketView]
    """By standing, in the view's order within each."""
    first: int
    """Line of the first market."""
    each: int
    """Lines of a market."""
    unfolded: int | None
    """Place of the market whose rules are told below it."""
    details: int
    """Lines of those."""

    def line_of(self, place: int) -> int:
        """First line of a market."""
        below = self.unfolded is not None and place > self.unfolded
        return self.first + place * self.each + (self.details if below else 0)

    def place_at(self, line: int) -> int | None:
        """The market to which a line belongs; None when it is of none."""
        line -= self.first
        if line < 0:
            return None
        if self.unfolded is not None and line >= (self.unfolded + 1) * self.each:
            line = max((self.unfolded + 1) * self.each - 1, line - self.details)
        place = line // self.each
        return place if place < len(self.markets) else None


def list_page(
    view: ConsoleView | None, selected: str, width: int, keys: str = "", unfolds: bool = False, is_low: bool = False
) -> ListPage:
    """The pane: source, what waits for approval, the markets by standing, then the rows that cannot be used.

    Args:
        view: what to draw; None before the first.
        selected: condition id of the market that acts are about.
        width: cells.
        keys: what answers a proposal, in words.
        unfolds: the selected market's rules are told in full below it.
        is_low: there are few lines: where the list is from is only told while something is wrong with it.
    """
    listing = view.market_list if view else None
    if view is None or listing is None:
        said = ["no figures yet"] if view is None else ["there is no market list here", "a recording has its markets"]
        return ListPage(message_rows(said, 6), (), 0, 1, None, 0)
    markets = sorted(listing.markets, key=lambda market: _PLACES[market.standing])
    is_well = not listing.trouble and not listing.notes
    head = [] if is_low and is_well else [*_source_rows(listing, view.unix, width), row()]
    if listing.proposal is not None:
        head += [*_proposal_rows(listing.proposal, view.unix, keys, width), row()]
    head += _markets_head(markets, width)
    each = 1 if width >= ONE_LINE_FROM else 2
    place = next((place for place, market in enumerate(markets) if market.market == selected), None)
    unfolded = place if unfolds else None
    details = _detail_rows(markets[unfolded], width) if unfolded is not None else []
    upper = len(markets) if unfolded is None else unfolded + 1

    def line(number: int) -> Row:
        market = markets[number // each]
        return _market_rows(market, market.market == selected, width)[number % each]

    rows = _joined(
        head,
        MadeRows(upper * each, line),
        details,
        MadeRows((len(markets) - upper) * each, lambda number: line(upper * each + number)),
        _rejected_rows(listing.rejected, width),
    )
    return ListPage(rows, markets, len(head), each, unfolded, len(details))


def _joined(*parts: Sequence[Row]) -> MadeRows:
    """Parts one below the other."""
    starts = list(accumulate((len(part) for part in parts), initial=0))

    def line(number: int) -> Row:
        part = bisect_right(starts, number) - 1
        return parts[part][number - starts[part]]

    return MadeRows(starts[-1], line)


def _labelled(label: str, text: str, width: int, role: str = "", whole: bool = False) -> list[Row]:
    """A label and a text, which may be foreign, over a few lines; one that goes on beyond them says so."""
    lines = wrap_words(clean(text), width - _LABEL - 2) or [""]
    if len(lines) > _TEXT_LINES and not whole:
        lines = [*lines[: _TEXT_LINES - 1], fit(f"{lines[_TEXT_LINES - 1]} …", width - _LABEL - 2).rstrip()]
    return [
        row((f" {label if place == 0 else '':<{_LABEL}}", "muted"), (line, role)) for place, line in enumerate(lines)
    ]


def _heading(name: str, rest: str, width: int, role: str = "muted") -> Row:
    return row((f" {name}", "strong"), (fit(f"  {rest}", max(0, width - len(name) - 1)).rstrip(), role))


# Where it is read


def _source_rows(listing: ListView, unix: float, width: int) -> list[Row]:
    """The source, when the list in force was read, when it is read again, what is wrong with it."""
    if listing.read_unix is None:
        read = "not yet"
    else:
        read = f"{age(unix - listing.read_unix)} ago, {utc_clock(listing.read_unix)} UTC"
    if listing.next_s is not None:
        read += "; looked at again now" if listing.next_s <= 0 else f"; looked at again in {age(listing.next_s)}"
    rows = [*_labelled("source", listing.source, width), *_labelled("read", read, width)]
    if listing.trouble:
        rows += _labelled("trouble", f"▲ {listing.trouble}", width, "warn")
        rows += _labelled("", "the list in force stays as it is", width, "muted")
    for note in listing.notes[:_NOTES]:
        rows += _labelled("note", note, width, "muted")
    if len(listing.notes) > _NOTES:
        rows += _labelled("", f"and {len(listing.notes) - _NOTES} more notes", width, "muted")
    return rows


# What waits for approval


def _proposal_rows(proposal: ProposalView, unix: float, keys: str, width: int) -> list[Row]:
    """How many changes wait, since when, why, what answers them; then each of them."""
    room = width - _INDENT - 1
    return [
        _heading("PROPOSAL", f"▲ {proposal_head(proposal, unix)}", width, "warn"),
        *[row(" " * _INDENT, line) for line in wrap_words(clean(proposal.why), room)],
        *([row((fit(f"   {keys}", width).rstrip(), "muted"))] if keys else []),
        *_change_rows(proposal.lines, width),
    ]


@lru_cache(maxsize=4)
def _change_rows(changes: tuple[ProposalLineView, ...], width: int) -> list[Row]:
    """A sign and a word for each change, its market, and what it is: beside the market or below it."""
    rows = []
    beside = width >= _BESIDE
    title_cells = min(_TITLE_MOST, (width - _INDENT - _KIND) // 2) if beside else width - _INDENT - _KIND - 1
    indent = _INDENT + _KIND + (title_cells if beside else 0)
    for change in changes:
        sign, role = _KINDS[change.kind]
        lines = wrap_words(clean(change.text), width - indent - 1)
        first = lines.pop(0) if beside and lines else ""
        title = _name(change.title, change.market)
        rows.append(
            row(
                " " * _INDENT,
                (f"{sign} {change.kind}".ljust(_KIND), role),
                fit(title, title_cells - 1) + " " if beside else fit(title, title_cells).rstrip(),
                first,
            )
        )
        rows += [row(" " * indent, (line, "" if beside else "muted")) for line in lines]
    return rows


# The markets


def _markets_head(markets: Sequence[ListedMarketView], width: int) -> list[Row]:
    """How many there are of each standing, and the heads of the columns."""
    if not markets:
        return [_heading("MARKETS", "the list names none", width)]
    counts = Counter(market.standing for market in markets)
    told = ", ".join(f"{counts[standing]:,} {standing}" for standing in STANDINGS if counts[standing])
    title, why = _room(width)
    names = f"{'':{_INDENT}}{fit('MARKET', title)}{fit('STANDING', _STANDING)}"
    if width >= ONE_LINE_FROM:
        names += fit("WHY", why)
    if width >= _EXTRAS_FROM:
        names += f"{'PROFILE':<{_PROFILE}}{'AT MOST':>{_LIMIT}}"
    figures = f"{'SCORE':>{_SCORE}}{'$/DAY':>{_INCOME}}{'%/DAY':>{_FRACTION}}"
    return [_heading("MARKETS", told, width), row((names + figures, "muted"))]


def _room(width: int) -> tuple[int, int]:
    """Cells of the title and of the reasons beside it."""
    room = width - _INDENT - _STANDING - _SCORE - _INCOME - _FRACTION - 1
    if width < ONE_LINE_FROM:
        return room, 0
    room -= _PROFILE + _LIMIT if width >= _EXTRAS_FROM else 0
    title = min(_TITLE_MOST, room * 2 // 5)
    return title, room - title


def _market_rows(market: ListedMarketView, selected: bool, width: int) -> list[Row]:
    """A market in one line, or in two where it is narrow."""
    sign, role = _SIGNS[market.standing]
    title, room = _room(width)
    ground = "cursor" if selected else ""
    why, quiet = why_words(market), role in ("good", "muted")
    reason_role = "muted" if quiet else role
    spans = [
        Span("›" if selected else " ", "strong"),
        Span(sign, role),
        Span(" "),
        Span(fit(_name(market.title, market.market), title - 1) + " ", "strong" if selected else ""),
        Span(fit(market.standing, _STANDING), role),
    ]
    if width >= ONE_LINE_FROM:
        spans.append(Span(fit(why, room - 1) + " ", reason_role))
    if width >= _EXTRAS_FROM:
        limit = NOTHING if market.max_usd is None else whole_usd(market.max_usd)
        spans.append(Span(fit(clean(market.profile) or NOTHING, _PROFILE - 1) + " ", "muted"))
        spans.append(Span(number(limit, _LIMIT), "muted"))
    spans += [
        Span(number(short_figure(market.score), _SCORE), "muted"),
        Span(number(_dollars(market.income_usd), _INCOME), "model"),
        Span(number(_percent(market.income_frac), _FRACTION), "muted"),
    ]
    first = row(*spans, ground=ground)
    if width >= ONE_LINE_FROM:
        return [first]
    return [first, row(" " * _INDENT, (fit(why, width - _INDENT - 1), reason_role), ground=ground)]


def _detail_rows(market: ListedMarketView, width: int) -> list[Row]:
    """All that is known of one market: what it is, why it stands so, what it may earn, and every rule."""
    limits = [f"row {market.row}"]
    limits += [f"profile {market.profile}"] if market.profile else []
    limits += [f"loses at most {usd(market.max_usd)} at cost"] if market.max_usd is not None else []
    rows = _labelled("  market", market.title, width, whole=True)
    label = "   id".ljust(_LABEL + 1)[: max(1, width - _ID)]
    rows.append(row((label, "muted"), fit(clean(market.market), width - len(label)).rstrip()))
    rows += _labelled("  list", ", ".join(limits), width, whole=True)
    rows += _labelled("  why", market.reason, width, whole=True) if market.reason else []
    if market.rules:
        fails = sum(not rule.passed for rule in market.rules)
        told = f"{fails} of {len(market.rules)} fail" if fails else f"all {len(market.rules)} pass"
        rows += _labelled("  rules", told, width, "warn" if fails else "good")
        rows += [line for rule in market.rules for line in _rule_rows(rule, width)]
    else:
        rows += _labelled("  rules", "it was not screened", width, "muted")
    texts = {
        "figures": market.figures,
        "told": "; ".join(market.notes),
        "note": market.note,
        "income": _income_words(market),
    }
    for name, text in texts.items():
        rows += _labelled(f"  {name}", text, width, whole=True) if text else []
    return [*rows, row()]


def _income_words(market: ListedMarketView) -> str:
    """The estimate, and its terms where they are told."""
    score = f"score {short_figure(market.score)}" if market.score is not None else ""
    if market.income_usd is None:
        return f"not known; {score}" if score else "not known"
    dollars, percent = _dollars(market.income_usd), _percent(market.income_frac)
    said = [f"{dollars} dollars a day, an estimate, {percent} a day of what is at risk", score]
    if (income := market.income) is not None:
        terms = (
            ("rewards", income.reward_usd),
            ("rebates", income.rebate_usd),
            ("spread", income.spread_usd),
            ("drift", -income.drift_usd),
            ("capital", -income.capital_usd),
        )
        said.append(", ".join(f"{name} {_dollars(amount)}" for name, amount in terms))
        said.append(f"at risk {_dollars(income.at_risk_usd).lstrip('+')} dollars")
        if income.break_even_cents is not None and isfinite(income.break_even_cents):
            said.append(
                f"nothing is left of it when the price drifts {income.break_even_cents:.2f}c a share against us"
            )
        said += map(clean, income.words)
    return "; ".join(part for part in said if part)


def _rule_rows(rule: RuleView, width: int) -> list[Row]:
    """Verdict in sign and word, name, the market's number, the bound; long texts over several lines."""
    sign, word, role = ("✓", "passes", "good") if rule.passed else ("×", "fails", "warn")
    room = max(0, width - _INDENT - _VERDICT - _RULE)
    measure = min(_MEASURE_MOST, max(_MEASURE_LEAST, room // 3))
    values = wrap_words(clean(rule.value) or "not told", measure - 1)
    bounds = wrap_words(clean(rule.bound), room - measure - 1)
    return [
        row(
            " " * _INDENT,
            (f"{sign} {word}".ljust(_VERDICT) if place == 0 else " " * _VERDICT, role),
            fit(_rule_name(rule) if place == 0 else "", _RULE - 1) + " ",
            (fit(value, measure - 1) + " ", "" if rule.passed else role),
            (bound, "muted"),
        )
        for place, (value, bound) in enumerate(zip_longest(values, bounds, fillvalue=""))
    ]


def _dollars(value: float | None) -> str:
    """Dollars with a sign, to the cent below a thousand."""
    if value is None or not isfinite(value):
        return NOTHING
    return (f"{value:+.2f}" if abs(value) < 999.995 else f"{value:+,.0f}").replace("-", MINUS)


def _percent(value: float | None) -> str:
    if value is None or not isfinite(value):
        return NOTHING
    return f"{value * 100:+.2f}%".replace("-", MINUS)


# Rows that cannot be used


@lru_cache(maxsize=4)
def _rejected_rows(rejected: tuple[RejectedRowView, ...], width: int) -> list[Row]:
    """Row, column, value and reason of each; the reason below the rest where it is narrow."""
    if not rejected:
        return []
    count = f"{len(rejected):,} row{'' if len(rejected) == 1 else 's'} of the list cannot be used"
    beside = width >= _BESIDE
    heads = f"{'ROW':>{_ROW}}  {'COLUMN':<{_COLUMN}}{fit('VALUE', _VALUE)}{'REASON' if beside else ''}"
    rows = [row(), _heading("REJECTED", count, width, "warn"), row((fit(heads, width).rstrip(), "muted"))]
    indent = _ROW + 2 + (_COLUMN + _VALUE if beside else 0)
    value_cells = _VALUE if beside else width - _ROW - 2 - _COLUMN
    for each in rejected:
        lines = wrap_words(clean(each.reason), width - indent - 1)
        first = lines.pop(0) if beside and lines else ""
        rows.append(
            row(
                number(str(each.row), _ROW),
                "  ",
                fit(clean(each.column) or NOTHING, _COLUMN - 1) + " ",
                fit(clean(each.value) or "(empty)", value_cells - 1) + " ",
                first,
            )
        )
        rows += [row(" " * indent, (line, "" if beside else "muted")) for line in lines]
    return rows


class MarketList(PagedLineWidget):
    """Draws :func:`list_page`, scrolled; keeps the selected market in sight. Clicking a market selects it."""

    class Picked(Message):
        """The operator clicked a market."""

        def __init__(self, market: str) -> None:
            super().__init__()
            self.market = market

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._selected = ""
        self._keys = ""
        self._unfolds = False
        self._page = list_page(None, "", 0)

    def show(self, view: ConsoleView, selected: str, keys: str = "") -> None:
        """Draw the list of a view with one market selected; see :func:`list_page`."""
        self._view, self._selected, self._keys = view, selected, keys
        self.update_rows()

    def fold(self) -> None:
        """Tell no market's rules until one is selected here, and begin at the top."""
        self._unfolds = False
        self.scroll_lines(-self._skip)

    def unfold(self, selected: str) -> None:
        """Tell the rules of a market and bring it into sight."""
        self._selected, self._unfolds = selected, True
        width, height = self.size
        if not width or not height:
            return
        page = self._laid_out(width)
        if page.unfolded is not None:
            line = page.line_of(page.unfolded)
            last = line + page.each + page.details
            self._skip = min(line, max(self._skip, last - height))
        self.update_rows()

    def neighbour(self, step: int) -> str | None:
        """The market above or below the selected one; the first or last in sight when that one is out of it."""
        page = self._laid_out(self.size.width)
        if not page.markets:
            return None
        place = next((place for place, each in enumerate(page.markets) if each.market == self._selected), None)
        lines = range(self._skip, self._skip + self.size.height)
        in_sight = [found for line in lines if (found := page.place_at(line)) is not None]
        if place is None or (self._unfolds and in_sight and place not in in_sight):
            place = in_sight[0 if step > 0 else -1] if in_sight else 0
        else:
            place += step
        return page.markets[min(max(place, 0), len(page.markets) - 1)].market

    def _laid_out(self, width: int) -> ListPage:
        is_low = self.size.height < _LOW
        self._page = list_page(self._view, self._selected, width, self._keys, self._unfolds, is_low)
        return self._page

    def all_rows(self, width: int) -> Sequence[Row]:
        """See :func:`list_page`."""
        return self._laid_out(width).rows

    def retitle(self) -> None:
        """Count the markets, say what wants to be seen to, and how much is out of sight."""
        listing = self._view.market_list if self._view else None
        made = sum(market.standing == "made" for market in self._page.markets)
        told = f" {len(self._page.markets):,}, {made:,} made" if listing else ""
        title = ", ".join([f"Market list{told}", *list_news(listing)])
        self.set_titles(title, self.place() or "income: an estimate")

    def on_click(self, event: Click) -> None:
        """Select the market under the pointer."""
        offset = event.get_content_offset(self)
        place = self._page.place_at(self._skip + offset.y) if offset is not None else None
        if place is not None:
            self.post_message(self.Picked(self._page.markets[place].market))
