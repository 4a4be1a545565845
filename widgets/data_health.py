"""The data of the selected market: what they are worth, and what that judgement rests on."""

from typing import Final

from core.views import DataView, MarketView
from widgets.data_words import data_words
from widgets.format import NOTHING, age, duration, fit, wrap_words
from widgets.line_widget import LineWidget, Row, message_rows, row

_LABEL: Final = 9
_SENTENCE_LINES: Final = 3


def health_rows(market: MarketView | None, width: int, height: int) -> list[Row]:
    """The judgement in words, then its grounds: book, hashes, silence, proof, losses."""
    if market is None:
        return message_rows(["no market selected"], height)
    data, words = market.data, data_words(market.data)
    lines = wrap_words(f"{words.sign} {words.sentence}", width - 2)[:_SENTENCE_LINES]
    grounds = [
        ("book", f"{data.state} {duration(data.since_s)}, {_count(data.book_seq, 'change')}", ""),
        ("hashes", _hashes(data), "warn" if data.hash_differing else ""),
        ("checked", _checked(data), "warn" if data.check_every != 1 else ""),
        ("heard", f"{_ago(data.age_s)}, usual gap {_gap(data.usual_gap_s)}", ""),
        ("proven", f"{_ago(data.proven_s)}, {_count(data.audits, 'audit')}", ""),
        ("losses", _losses(data), ""),
    ]
    room = width - _LABEL - 2
    rows = [row(" ", (line, words.role)) for line in lines]
    return [*rows, *[row((f" {label:<{_LABEL}}", "muted"), (fit(text, room), role)) for label, text, role in grounds]][
        :height
    ]


def _hashes(data: DataView) -> str:
    if not data.hash_checked:
        return "none compared yet"
    if data.hash_differing:
        return f"{data.hash_differing:,} of {data.hash_checked:,} differ"
    return f"{data.hash_agreed:,} agree, {data.hash_explained:,} explained"


def _checked(data: DataView) -> str:
    if data.check_every == 0:
        return "the touch only"
    if data.check_every == 1:
        return "every change"
    return f"1 change in {data.check_every}, {data.hash_skipped:,} skipped"


def _losses(data: DataView) -> str:
    if not data.gaps:
        return f"none, {_count(data.reloads, 'full book')}"
    healed = f", healed in {duration(data.recovery_s)}" if data.recovery_s is not None else " so far"
    return f"{data.gaps:,}{healed}, {_count(data.reloads, 'full book')}"


def _ago(seconds: float | None) -> str:
    return f"{age(seconds)} ago" if seconds is not None else "never"


def _gap(seconds: float | None) -> str:
    return duration(seconds) if seconds is not None else NOTHING


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


class DataHealth(LineWidget):
    """Draws :func:`health_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self.set_titles("Data")

    def show(self, market: MarketView | None) -> None:
        """Draw what is known of a market's data."""
        self._market = market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`health_rows`."""
        return health_rows(self._market, width, height)
