"""A market list in a local file: CSV with a header, or TOML with a table a market (peers.md 3, first row)."""

import csv
import io
import os
import stat
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Event
from typing import Any, Final

from msgspec import structs

from core.config import Settings
from core.errors import ListError
from core.selection.aside import Aside
from core.selection.listed import COLUMNS, Cell, MarketList
from core.selection.rows import checked, proper_name
from core.text import cleaned

MOST_BYTES: Final = 8 * 2**20
"""Of a list; 10,000 rows have three MiB."""
SUFFIXES: Final = (".csv", ".toml")
_SEPARATORS: Final = ",;\t"
"""What programs put between cells, by the language they speak."""


class FileProvider:
    """Reads a market list from a file, again each time."""

    def __init__(self, path: Path, settings: Settings, profiles: Collection[str], notes: Sequence[str] = ()) -> None:
        """``notes`` are told with every reading: why it is this file that is read.

        Raises:
            ListError: the file's name says neither CSV nor TOML.
        """
        self.source = cleaned(str(path))
        if path.suffix.lower() not in SUFFIXES:
            raise ListError(f"{self.source}: a market list is a file named .csv or .toml")
        self._path = path
        self._settings = settings
        self._profiles = frozenset(profiles)
        self._notes = tuple(notes)
        self._aside: Aside[MarketList] = Aside(self.source)

    async def read(self) -> MarketList:
        """The list as it stands in the file now.

        Raises:
            ListError: it cannot be read as a whole.
        """
        return await self._aside.call(self._read, self._settings.list_deadline_sec)

    def _read(self, _given_up: Event) -> MarketList:
        content, facts = _content(self._path, self.source)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ListError(f"{self.source} is no UTF-8 text: save it anew as UTF-8") from None
        as_cells = csv_cells if self._path.suffix.lower() == ".csv" else toml_cells
        cells, first_row = as_cells(text, self.source)
        found = checked(
            cells,
            source=self.source,
            kind="file",
            profiles=self._profiles,
            most_rows=self._settings.list_rows_max,
            first_row=first_row,
        )
        notes = (*self._notes, *found.notes)
        if facts.st_mode & 0o022:
            notes += (f"other users may change {self.source}: chmod go-w it",)
        return structs.replace(found, notes=notes, changed_unix=facts.st_mtime)


def _content(path: Path, source: str) -> tuple[bytes, os.stat_result]:
    """All of a regular file that nobody writes to meanwhile.

    Raises:
        ListError: it is none, cannot be read, is too long, or changed while it was read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise ListError(f"{source} is no file; give a CSV or TOML file as market_list")
            with open(handle, "rb", closefd=False) as file:
                content = file.read(MOST_BYTES + 1)
            after = os.fstat(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise ListError(
            f"{source}: {error.strerror}; `polymm-tui markets discover --out markets.csv` writes a list to begin with"
        ) from None
    if len(content) > MOST_BYTES:
        raise ListError(f"{source} has more than {MOST_BYTES} bytes, which is taken for a mistake")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ListError(f"{source} is being written; it is read again at the next refresh")
    return content, after


def csv_cells(text: str, source: str) -> tuple[list[Sequence[Cell]], int]:
    """Rows by line: a record over several lines is followed by empty rows, so that rows are counted as an editor does.

    Raises:
        ListError: quotes do not close, or a cell is too long.
    """
    separator = max(_SEPARATORS, key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    cells: list[Sequence[Cell]] = []
    try:
        for record in reader:
            cells += [record, *([[]] * (reader.line_num - len(cells) - 1))]
    except csv.Error as error:
        said = cleaned(str(error))
        raise ListError(f"{source}, line {reader.line_num}: no valid CSV ({said}); correct that line") from None
    return cells, 1


def toml_cells(text: str, source: str) -> tuple[list[Sequence[Cell]], int]:
    """The tables as rows below a header, the first of which is row 1.

    Raises:
        ListError: it is no TOML, or has no ``[[market]]`` tables.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ListError(f"{source}: no valid TOML: {cleaned(str(error))}; correct that place") from None
    except (ValueError, RecursionError):  # digits or brackets without end
        raise ListError(f"{source}: no valid TOML: a number or a nesting is too long") from None
    tables = document.get("market", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ListError(f"{source}: market wants a table for each market, written as [[market]]")
    if strange := sorted(document.keys() - {"market"}):
        named = ", ".join(cleaned(name, 60) for name in strange)
        raise ListError(f"{source}: {named}: not known here; a market list has [[market]] tables and nothing else")
    rows = [_by_proper_name(number, table, source) for number, table in enumerate(tables, 1)]
    header = list(dict.fromkeys((*COLUMNS, *(name for row in rows for name in row))))
    return [header, *([row.get(name) for name in header] for row in rows)], 0


def _by_proper_name(number: int, table: dict[str, Any], source: str) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for key, value in table.items():
        name = proper_name(key) or key
        if name in found:
            raise ListError(f"{source}: table {number} has {name} twice; remove one of them")
        found[name] = _scalar(value)
    return found


def _scalar(value: Any) -> Cell:
    """A value as a cell; what is none (a date, a list) as text, which no check lets through."""
    return value if isinstance(value, str | int | float | bool | None) else f"{type(value).__name__}: {value}"
