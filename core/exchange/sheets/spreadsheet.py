"""The spreadsheet: tabs of cells, ranges in A1 notation, and what a read of a range gives."""

import hashlib
import re
import string
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from core.exchange.exchange import Exchange
from core.exchange.sheets.cells import Cell, Render, rendered, stored, typed
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS
from core.units import MICRO

TAB: Final = "Selected Markets"
"""The tab that holds the list; the usual value of the setting ``sheet_tab``."""
_ROWS: Final = 1_000
_COLUMNS: Final = 26
"""Size of a fresh tab's grid; it grows with what is written."""
_BOX: Final = re.compile(
    r"(?=\$?[A-Za-z]+\$?[1-9]|.*:)\$?([A-Za-z]{1,3})?\$?([1-9][0-9]{0,6})?"
    r"(?::\$?([A-Za-z]{1,3})?\$?([1-9][0-9]{0,6})?)?",
    re.ASCII,
)
"""A cell, or two corners of which each may lack its column or its row."""
_ID_ALPHABET: Final = string.ascii_letters + string.digits + "-_"
_ID_LENGTH: Final = 44


class RangeError(ValueError):
    """A range that cannot be read; the text is the API's."""


class Box(msgspec.Struct, frozen=True):
    """A rectangle of a tab, both ends included, counted from 0."""

    tab: str
    top: int
    left: int
    bottom: int
    right: int

    @property
    def text(self) -> str:
        """In A1 notation, as the API spells it: ``'Selected Markets'!A1:Z1000``."""
        name = self.tab if self.tab.isascii() and self.tab.isalnum() else "'" + self.tab.replace("'", "''") + "'"
        first = f"{_letters(self.left)}{self.top + 1}"
        last = f"{_letters(self.right)}{self.bottom + 1}"
        return f"{name}!{first}" if first == last else f"{name}!{first}:{last}"


class Spreadsheet:
    """Tabs by title, in their order. Reads go through ``box`` and ``read``."""

    def __init__(self, key: str, title: str) -> None:
        self.key = key
        """The id in its address."""
        self.title = title
        self.tabs: dict[str, list[list[Cell]]] = {}

    @property
    def url(self) -> str:
        """As a browser shows it."""
        return f"https://docs.google.com/spreadsheets/d/{self.key}/edit"

    def write(self, rows: Iterable[Sequence[Cell]], tab: str = TAB, *, by_hand: bool = False) -> None:
        """Replace what a tab holds, which is made if need be.

        Args:
            rows: its cells.
            tab: its title.
            by_hand: texts are taken as if somebody typed them: numbers, formulas and TRUE become what they look like.
        """
        keep = typed if by_hand else stored
        self.tabs[tab] = [[keep(cell) for cell in row] for row in rows]

    def size(self, tab: str) -> tuple[int, int]:
        """Rows and columns of a tab's grid."""
        rows = self.tabs[tab]
        return max(_ROWS, len(rows)), max([_COLUMNS, *(len(row) for row in rows)])

    def whole(self, tab: str) -> Box:
        """The box of a whole tab, which must be there."""
        rows, columns = self.size(tab)
        return Box(tab, 0, 0, rows - 1, columns - 1)

    def box(self, text: str) -> Box:
        """What a range in A1 notation means: a tab, a part of one, or a part of the first tab.

        Raises:
            RangeError: there is no such tab, the range makes no sense, or it reaches beyond the grid.
        """
        head, mark, cells = text.rpartition("!")
        if _unquoted(text) in self.tabs:
            tab, cells = _unquoted(text), ":"
        else:
            tab = _unquoted(head) if mark else next(iter(self.tabs), "")
        found = _BOX.fullmatch(cells)
        if tab not in self.tabs or found is None:
            raise RangeError(f"Unable to parse range: {text}")
        return self._within(tab, *found.groups(default=""), one=":" not in cells)

    def _within(self, tab: str, left: str, top: str, right: str, bottom: str, *, one: bool) -> Box:
        """The box from a column and a row to others; what is left out reaches to the grid's edge."""
        rows, columns = self.size(tab)
        if one:
            right, bottom = left, top
        across = sorted((_number(left) if left else 0, _number(right) if right else columns - 1))
        down = sorted((int(top) - 1 if top else 0, int(bottom) - 1 if bottom else rows - 1))
        box = Box(tab, down[0], across[0], down[1], across[1])
        if box.bottom >= rows or box.right >= columns:
            raise RangeError(f"Range ({box.text}) exceeds grid limits. Max rows: {rows}, max columns: {columns}")
        return box

    def read(self, box: Box, how: Render, *, by_columns: bool = False) -> list[list[Cell]]:
        """The cells of a box; empty ones at the end of a row, and empty rows at the end, are left out."""
        rows = self.tabs[box.tab][box.top : box.bottom + 1]
        cells = [[rendered(cell, how) for cell in row[box.left : box.right + 1]] for row in rows]
        if by_columns:
            width = max(map(len, cells), default=0)
            cells = [[row[place] if place < len(row) else "" for row in cells] for place in range(width)]
        return _trimmed(cells)


def default_spreadsheet(exchange: Exchange) -> Spreadsheet:
    """All markets of an exchange, as they are now, in a sheet whose id follows from the seed."""
    digest = hashlib.sha512(f"spreadsheet/{exchange.seed}".encode()).digest()
    key = "".join(_ID_ALPHABET[byte % len(_ID_ALPHABET)] for byte in digest[:_ID_LENGTH])
    sheet = Spreadsheet(key, "Markets of the exchange")
    sheet.write([[*COLUMNS, *OPTIONAL_COLUMNS], *market_rows(exchange)])
    return sheet


def market_rows(exchange: Exchange) -> list[list[Cell]]:
    """A row for every market, its cells in the order of ``COLUMNS`` and ``OPTIONAL_COLUMNS``."""
    rows: list[list[Cell]] = []
    for market, listing in exchange.listings.items():
        instrument, plot = listing.instrument, listing.plot
        traded = exchange.traded[market] / MICRO
        week = plot.volume_week + traded
        figures = [plot.liquidity, round(plot.volume_week / 6 + traded, 2), week, plot.volume_month + traded]
        rows.append([market, instrument.yes_token, instrument.no_token, *figures, True, "", "", plot.question])
    return rows


def _trimmed(rows: list[list[Cell]]) -> list[list[Cell]]:
    for row in rows:
        while row and row[-1] == "":
            row.pop()
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _unquoted(name: str) -> str:
    if len(name) >= 2 and name[0] == name[-1] == "'":
        return name[1:-1].replace("''", "'")
    return name


def _number(letters: str) -> int:
    """A column's number from 0: A is 0, AA 26."""
    number = 0
    for letter in letters.upper():
        number = number * _COLUMNS + ord(letter) - ord("A") + 1
    return number - 1


def _letters(number: int) -> str:
    letters, rest = "", number + 1
    while rest:
        rest, digit = divmod(rest - 1, _COLUMNS)
        letters = chr(ord("A") + digit) + letters
    return letters
