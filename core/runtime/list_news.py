"""What is told of the market list: once when it begins, once when it is over, whatever repeats in between."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Final, Literal, Protocol

from core.selection.changes import Change, Entry, Kept, Proposal, Weighed
from core.selection.listed import MarketList
from core.selection.showing import rejected_views
from core.selection.standings import Standing
from core.views import ListStanding, RejectedRowView

MOST_NOTES: Final = 5
"""Markets that are told of one by one; of more, how many there are."""

Trouble = Literal["list", "proposal", "venue", "disk"]
_SHOWN: Final[tuple[Trouble, ...]] = ("list", "disk", "venue")
"""Troubles that the view names, in this order; what waits is shown as a proposal."""


class Note(Protocol):
    """Tells the operator."""

    def __call__(self, severity: Literal["info", "fill", "warning", "alarm"], text: str, market: str = "") -> None:
        """One line of the event log."""
        ...


class ListNews:
    """What was told so far, and what a view says of the last reading."""

    def __init__(self, note: Note) -> None:
        """Nothing is told yet."""
        self._note = note
        self._troubles: dict[Trouble, str] = {}
        self._told_rejected: list[tuple[str, str]] = []
        """(market, column) of the rows that could not be used when that was told last."""
        self._told_out: dict[str, ListStanding] = {}
        """How markets are left out, as far as it was told."""
        self.notes: tuple[str, ...] = ()
        """Of the last reading."""
        self.held: tuple[tuple[str, str], ...] = ()
        """Markets for which the last reading did not count, and why."""
        self.rejected: tuple[RejectedRowView, ...] = ()
        """Rows of the last reading that could not be used; the same object while nothing changes."""

    @property
    def trouble_words(self) -> str:
        """What is wrong with the list now, in words; "" when nothing is."""
        return "; ".join(self._troubles[kind] for kind in _SHOWN if kind in self._troubles)

    def trouble(self, kind: Trouble, severity: Literal["warning", "alarm"], text: str, shown: str = "") -> None:
        """One line when it begins; what it says in the meantime is in the view: ``shown`` if that is not the text."""
        if kind not in self._troubles:
            self._note(severity, text)
        self._troubles[kind] = shown or text

    def quiet(self, kind: Trouble, text: str) -> None:
        """One line when it is over."""
        if self._troubles.pop(kind, ""):
            self._note("info", text)

    def read(self, reading: MarketList) -> None:
        """A list came that can be read, though perhaps not every row of it."""
        self.quiet("list", f"the market list can be read again: {reading.source}")
        self.notes = reading.notes
        told = sorted((row.market, row.column) for row in reading.rejected)
        if told != self._told_rejected:
            if reading.rejected:
                first = reading.rejected[0]
                count = len(reading.rejected)
                which = f"{count} {'row' if count == 1 else 'rows'} of the market list cannot be used"
                self._note("warning", f"{which}: row {first.row}, {first.column}: {first.reason}", first.market)
            else:
                self._note("info", "every row of the market list can be used again")
            self._told_rejected = told
        if self.rejected != (rows := rejected_views(reading.rejected)):
            self.rejected = rows

    def weighed(self, before: Kept, weighed: Weighed) -> None:
        """Tell what a reading came to."""
        held = [each for each in weighed.held if each not in self.held]
        for market, why in held[:MOST_NOTES]:
            self._note("warning", f"the list in force stays for this market: {why}", market)
        if len(held) > MOST_NOTES:
            self._note("warning", f"the list in force stays for {len(held) - MOST_NOTES} other markets too")
        self.held = weighed.held
        if weighed.applied:
            self._note("info", f"the market list has changed: {summary(weighed.applied)}")
        old, new = before.proposal, weighed.kept.proposal
        if new is not None:
            if old is not None and old.token != new.token:
                self._note("warning", f"what waits of the market list has changed: {new.why}")
            self.waits(new)
        elif old is not None:
            self.quiet("proposal", "nothing of the market list waits any more")

    def waits(self, proposal: Proposal) -> None:
        """Changes wait for an operator."""
        text = f"the market list waits for you, and stays as it is: {proposal.why}"
        self.trouble("proposal", "alarm", f"{text} (`polymm-tui markets diff`, then approve or reject)")

    def left_out(self, standings: Mapping[str, Standing], entries: Mapping[str, Entry], judged: Container[str]) -> None:
        """Why markets of the list are not made, once while that does not change in kind."""
        out: dict[str, ListStanding] = {
            market: standing.standing
            for market, standing in standings.items()
            if standing.standing in ("failed", "refused", "waiting") and market in judged
        }
        news = [market for market, standing in out.items() if self._told_out.get(market) != standing]
        self._told_out = out
        for market in news[:MOST_NOTES]:
            title, why = entries[market].title or market, standings[market].reason
            self._note("warning", f"left out for {why}: {title}", market)
        if len(news) > MOST_NOTES:
            self._note("warning", f"left out: {len(news) - MOST_NOTES} other markets; the market list says why")


def summary(changes: Iterable[Change]) -> str:
    """Changes by kind, in words."""
    counts = Counter(change.kind for change in changes)
    return ", ".join(f"{counts[kind]} {name}" for kind, name in _DONE.items() if counts[kind])


_DONE: Final[dict[Literal["add", "remove", "change"], str]] = {
    "add": "added",
    "remove": "taken off, to be drained",
    "change": "with other limits",
}
