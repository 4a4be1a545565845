"""How far a market's book may be believed, as one sign and in words, the same in every widget."""

from typing import Final, NamedTuple

from core.views import DataView
from widgets.format import age, clean, duration

_DOUBT_SHOWN_S: Final = 0.3
"""For up to a quarter of a second after a trade the next change is in doubt, which is no news (real-data.md 3)."""


class DataWords(NamedTuple):
    """What can be said of one market's data."""

    sign: str
    """One cell; filled signs forbid quoting."""
    word: str
    """In capitals what keeps the book from being believed; "" when it is believed."""
    role: str
    head: str
    """The state and how long it lasts or how fresh its proof is."""
    reason: str = ""
    repair: str = ""
    """What is being done about it."""

    @property
    def sentence(self) -> str:
        """All of it."""
        told = f"{self.head}: {self.reason}" if self.reason else self.head
        return f"{told}; {self.repair}" if self.repair else told

    @property
    def cause(self) -> str:
        """State and reason without anything that changes by the second."""
        return f"{self.word.lower()}: {self.reason}" if self.word and self.reason else self.word.lower() or self.head

    @property
    def course(self) -> str:
        """What goes on, for a place beside :attr:`cause`."""
        return f"{self.head}; {self.repair}" if self.repair else self.head


def is_believed(data: DataView) -> bool:
    """The book is proven, and somebody has said lately that it still stands."""
    return data.state == "SYNCED" and data.freshness in ("live", "quiet")


def data_words(data: DataView) -> DataWords:
    """The strictest thing that can be said of a market's data: frozen before lost before weakly proven before well."""
    reason, silence, repair = clean(data.reason), clean(data.freshness_reason), clean(data.repair)
    if data.state == "EMPTY":
        return DataWords("○", "NO BOOK", "muted", "no book yet", reason, repair)
    lasts = f" for {duration(data.since_s)}" if data.state != "SYNCED" else ""
    if data.freshness == "frozen":
        return DataWords("■", "FROZEN", "warn", f"frozen{lasts}", silence, repair)
    if data.state != "SYNCED":
        return DataWords("▲", "SUSPECT", "warn", f"book suspect{lasts}", reason, repair)
    if data.freshness == "unproven":
        return DataWords("?", "UNPROVEN", "warn", "unproven", silence, repair)
    fresh = _fresh(data)
    if data.doubt_s is not None and data.doubt_s >= _DOUBT_SHOWN_S:
        return DataWords("△", "", "warn", f"{fresh}, in doubt for {duration(data.doubt_s)}", clean(data.doubt))
    if data.check_every == 0:
        return DataWords("△", "", "warn", fresh, reason or "only the touch is checked")
    if silence:
        return DataWords("△", "", "warn", fresh, silence)
    if data.freshness == "quiet":
        return DataWords("✓", "", "muted", fresh)
    return DataWords("●", "", "muted", f"{fresh}, {hash_verdict(data)}")


def hash_verdict(data: DataView) -> str:
    """What the comparisons of hashes say, without a number that would change with every message."""
    if data.hash_differing:
        return f"{data.hash_differing:,} of {data.hash_checked:,} hashes differ"
    if not data.hash_checked:
        return "no hash checked yet"
    return f"all hashes agree{f', 1 in {data.check_every} checked' if data.check_every > 1 else ''}"


def _fresh(data: DataView) -> str:
    proven = "not proven yet" if data.proven_s is None else f"proven {age(data.proven_s)} ago"
    if data.freshness == "quiet":
        return f"quiet {age(data.age_s)}, {proven.replace('proven', 'verified', 1)}"
    return f"{'silent ' + age(data.age_s) if data.freshness_reason else 'heard'}, {proven}"
