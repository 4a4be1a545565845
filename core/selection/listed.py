"""The market list as it was read: rows that can be used, rows that cannot and why. Facts only, no I/O."""

from typing import Final, Literal

import msgspec

from core.units import Usd

COLUMNS: Final = (
    "market_id",
    "yes_token_id",
    "no_token_id",
    "Liquidity",
    "Volume_24h",
    "Volume_7d",
    "Volume_30d",
)
"""Columns every list has; matched by name, whatever their order and case."""
OPTIONAL_COLUMNS: Final = ("enabled", "profile", "max_usd", "note")

Kind = Literal["sheet", "file", "setting", "venue"]
"""Of a list's source: a spreadsheet, a file of rows, ids in the settings, or all markets of the demo's exchange."""
Cell = str | int | float | bool | None
"""What a provider gives for a cell; None where there is none."""


class Figures(msgspec.Struct, frozen=True):
    """What a market is screened by, dollars; None where nobody tells."""

    liquidity: float | None = None
    volume_24h: float | None = None
    volume_7d: float | None = None
    volume_30d: float | None = None


class ListRow(msgspec.Struct, frozen=True):
    """One market of the list."""

    row: int
    """As its source counts: a spreadsheet's row, a line of a file, a number from 1."""
    market: str
    """Condition id, lower case."""
    yes_token: str = ""
    """"" where the source names markets alone (the setting ``markets``, the demo)."""
    no_token: str = ""
    figures: Figures = Figures()
    enabled: bool = True
    profile: str = ""
    """Name of the parameter set; "" for none of its own."""
    max_usd: Usd | None = None
    """Most the market may lose at cost; None: by the settings. It only ever lowers a cap (reliability.md 5, 26)."""
    note: str = ""
    """Foreign text, cleaned."""


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that is no instruction: what was wrong, and where."""

    row: int
    column: str
    value: str
    """As it stood there, cleaned and cut."""
    reason: str
    market: str = ""
    """Condition id, where the row has one that can be read."""


class MarketList(msgspec.Struct, frozen=True):
    """A whole list as read at one moment."""

    source: str
    """Where it is from, for people: ``sheet "Selected Markets"``, a file's path, ``setting markets``."""
    kind: Kind
    rows: tuple[ListRow, ...]
    rejected: tuple[RejectedRow, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth a line and stops nothing: columns nobody knows."""
    changed_unix: float | None = None
    """When the source itself was last changed, where it tells (a file's time of change)."""
