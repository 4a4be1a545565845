"""The cells of a market list made rows: what can be used, and what cannot, where and why. No I/O.

The list is an instruction about money, so nothing is guessed: what is damaged, doubled or contradicts itself is
rejected by row and column, and what shows that the whole reading is another table than meant is an error (peers.md 3,
first row; reliability.md D12, D14, M08).
"""

import difflib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from msgspec import structs

from core.errors import ListError
from core.market.instrument import TOKEN_ID
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS, Cell, Figures, Kind, ListRow, MarketList, RejectedRow
from core.text import MOST, cleaned
from core.units import MICRO, Usd

_T = TypeVar("_T")

MOST_USD: Final = 1e12
"""Dollars of liquidity or volume; more is no figure of any market."""
MOST_CAP_USD: Final = 10**9
_LEAST_CAP_USD: Final = Decimal("0.01")
_LONGEST_SHOWN: Final = 100
"""Characters of a rejected value that are kept."""
_MOST_NAMED: Final = 10
"""Unknown columns that are named."""

_CONDITION: Final = re.compile(r"0x[0-9a-f]{64}")
_SPELLED_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9.,'\u2019 \u00a0\u202f]*([eE][+-]?[0-9]+)?")
"""What programs make of a long number: separators, a point, an exponent."""
_PLAIN: Final = re.compile(r"[0-9]{1,16}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_MONEY: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?")
_FORMULA_ERROR: Final = re.compile(r"#[A-Z][A-Z0-9_/]*[!?]?")
_PENDING: Final = frozenset({"loading...", "loading\u2026"})
"""What a sheet shows while a formula fetches."""
_INSTRUCTIVE: Final = ("enabled", "profile", "max_usd")
"""Optional columns that hold markets back: one that is misspelt must not pass for one that is not there."""
_MISSPELT: Final = 0.8
_LONGEST_NAME: Final = 60
_MOST_COMPARED: Final = 200
"""Unknown columns that are held against the known ones; a sheet may have thousands."""
_YES: Final = frozenset({"yes", "y", "true", "on", "1", "x"})
_NO: Final = frozenset({"no", "n", "false", "off", "0"})
_SIGNIFICANT: Final = 17
"""Decimal digits that a double tells apart."""

_A_NUMBER: Final[dict[Kind, str]] = {
    "sheet": "the spreadsheet made a number of it, and digits are lost: format the column as plain text, "
    "then enter the id anew",
    "file": "it is a number, not text, and digits are lost: a spreadsheet made it so; format its column as plain text, "
    "enter the id anew (in TOML: in quotes)",
    "setting": "it is a number; write it in quotes",
    "venue": "it is a number",
}


def _plain_name(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).casefold()


_NAMES: Final = {_plain_name(name): name for name in (*COLUMNS, *OPTIONAL_COLUMNS)}


class _Bad(Exception):
    """A cell that cannot be used; its text says why."""


class _Header(NamedTuple):
    where: Mapping[str, int]
    """Column by its proper name -> place in a row."""
    width: int
    unknown: tuple[str, ...]


def checked(
    cells: Sequence[Sequence[Cell]],
    *,
    source: str,
    kind: Kind,
    profiles: Collection[str],
    most_rows: int,
    first_row: int = 1,
) -> MarketList:
    """Read a table: a header, then a market a row.

    Empty rows are skipped, and so are those where nothing but an unticked box stands. Of rows that say the same of one
    market the first counts; rows that contradict each other about a market, or that claim one token for several
    markets, are all rejected, because nothing tells which of them is meant.

    Args:
        cells: as they were read, the header among them.
        source: where they are from, for people.
        kind: of the source.
        profiles: names of parameter sets that a row may choose.
        most_rows: more rows with something in them are taken for a mistake.
        first_row: what the source calls the first of ``cells``.

    Returns:
        The rows that can be used, and those that cannot; ``changed_unix`` is left to the caller.

    Raises:
        ListError: there is no row, no header, a required column is missing or one is there twice, there are too many
            rows, or none that can be used.
    """
    head = next((n for n, row in enumerate(cells) if any(_text(cell) for cell in row)), None)
    if head is None:
        raise ListError(f"{source} is empty: its first row has to name the columns {', '.join(COLUMNS)}")
    header = _header(cells[head], source)
    told = [(first_row + n, row) for n, row in enumerate(cells[head + 1 :], head + 1) if not _is_blank(row, header)]
    if not told:
        raise ListError(f"{source} is empty: below its header there is no market; an empty list changes nothing")
    if len(told) > most_rows:
        raise ListError(
            f"{source} has {len(told)} rows, which is taken for a mistake; "
            f"if it is none, raise list_rows_max (now {most_rows})"
        )
    read = [_row(number, row, header, kind, profiles) for number, row in told]
    rows, rejected = _without_contradictions(
        [each for each in read if isinstance(each, ListRow)], [each for each in read if isinstance(each, RejectedRow)]
    )
    if not rows:
        first = rejected[0]
        raise ListError(
            f"{source}: none of its {len(told)} rows can be used; the first: "
            f"row {first.row}, {first.column} {first.value!r}: {first.reason}"
        )
    return MarketList(source=source, kind=kind, rows=tuple(rows), rejected=tuple(rejected), notes=_notes(header))


def condition_id(cell: Cell) -> str:
    """A condition id in lower case (polymarket-api.md 2.1).

    Raises:
        ListError: it is none; the text says what it looks like.
    """
    try:
        return _condition(cell)
    except _Bad as error:
        raise ListError(str(error)) from None


def proper_name(name: str) -> str:
    """What a column is called here, whatever the case, spaces and underscores of its name; "" when it is not known."""
    return _NAMES.get(_plain_name(name), "")


def _header(row: Sequence[Cell], source: str) -> _Header:
    where: dict[str, int] = {}
    unknown = []
    for place, cell in enumerate(row):
        said = cleaned(_text(cell), _LONGEST_NAME)
        name = proper_name(said)
        if not name:
            unknown += [said] if said else []
        elif name in where:
            raise ListError(f'{source}: the column "{name}" is there twice; rename or remove one of them')
        else:
            where[name] = place
    missing = [name for name in COLUMNS if name not in where]
    if missing:
        raise ListError(f"{source}: {_missing(missing, unknown)}; the first row has to name the columns")
    for name in _INSTRUCTIVE:
        near = difflib.get_close_matches(name, map(_plain_name, unknown[:_MOST_COMPARED]), n=1, cutoff=_MISSPELT)
        if near and name not in where:
            said = next(each for each in unknown if _plain_name(each) == near[0])
            raise ListError(f'{source}: no column is called "{said}": if it means {name}, call it so; else otherwise')
    return _Header(where, len(row), tuple(unknown))


def _missing(missing: Sequence[str], unknown: Sequence[str]) -> str:
    """Which columns are not there, each with the one that may be meant."""
    plain = {_plain_name(each): each for each in reversed(unknown[:_MOST_COMPARED])}
    said = []
    for name in missing:
        near = difflib.get_close_matches(_plain_name(name), plain, n=1)
        said.append(f'"{name}"' + (f' (the nearest there is "{plain[near[0]]}")' if near else ""))
    return f"no column {', '.join(said)}"


def _is_blank(row: Sequence[Cell], header: _Header) -> bool:
    """Nothing stands in the columns that are read; a box that is not ticked is what a sheet puts into empty rows.

    Saved as CSV such a box is a word in the column ``enabled``; a row of that alone holds no market back.
    """
    told = {name: cell for name, place in header.where.items() if (cell := _cell(row, place)) is not False}
    if _text(told.get("enabled")).casefold() in _NO:
        del told["enabled"]
    return not any(map(_text, told.values()))


def _cell(row: Sequence[Cell], place: int) -> Cell:
    return row[place] if place < len(row) else None


def _row(
    number: int, row: Sequence[Cell], header: _Header, kind: Kind, profiles: Collection[str]
) -> ListRow | RejectedRow:
    """One row, or what is wrong with it: the first cell that cannot be used, and the names of the others."""
    cells: dict[str, Cell] = {name: _cell(row, place) for name, place in header.where.items()}
    problems: list[tuple[str, str]] = []
    if kind == "file" and any(_text(cell) for cell in row[header.width :]):
        problems.append(("", "it has more cells than the header: quote texts that have commas in them"))

    def take(name: str, read: Callable[[Cell], _T], otherwise: _T) -> _T:
        try:
            return read(cells.get(name))
        except _Bad as error:
            problems.append((name, f"{error}{_odd_ones(_text(cells.get(name)), name)}"))
            return otherwise

    market = take("market_id", _condition, "")
    yes = take("yes_token_id", lambda cell: _token(cell, kind), "")
    no = take("no_token_id", lambda cell: _token(cell, kind), "")
    if yes and yes == no:
        problems.append(("no_token_id", "the same as yes_token_id: one of them is wrong"))
    figures = Figures(*(take(name, _dollars, None) for name in COLUMNS[3:]))
    enabled = take("enabled", _enabled, True)
    profile = take("profile", lambda cell: _profile(cell, profiles), "")
    max_usd = take("max_usd", _max_usd, None)
    if not problems:
        note = cleaned(_text(cells.get("note")))
        return ListRow(number, market, yes, no, figures, enabled, profile, max_usd, note)
    column, reason = problems[0]
    others = ", ".join(name for name, _ in problems[1:] if name)
    return RejectedRow(
        row=number,
        column=column,
        value=cleaned(_text(cells.get(column)), _LONGEST_SHOWN),
        reason=reason + (f" (wrong too: {others})" if others else ""),
        market=market,
    )


def _without_contradictions(
    rows: Sequence[ListRow], rejected: Sequence[RejectedRow]
) -> tuple[list[ListRow], list[RejectedRow]]:
    """Rows of which each is the only one about its market and its tokens; and all that are rejected, in their order."""
    said: defaultdict[str, dict[ListRow, int]] = defaultdict(dict)
    claims: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        said[row.market].setdefault(_meaning(row), row.row)
        for token in (row.yes_token, row.no_token):
            claims[token].setdefault(row.market, row.row)
    unreadable = {each.market: each.row for each in reversed(rejected) if each.market}
    kept, out = [], list(rejected)
    for row in rows:
        problem = _repeated(row, said[row.market], unreadable.get(row.market)) or _claimed(row, claims)
        if problem is None:
            kept.append(row)
        else:
            column, value, reason = problem
            out.append(RejectedRow(row=row.row, column=column, value=value, reason=reason, market=row.market))
    return kept, sorted(out, key=lambda each: each.row)


def _repeated(row: ListRow, said: Mapping[ListRow, int], unreadable: int | None) -> tuple[str, str, str] | None:
    """What is wrong with a row because others are about its market too: column, value and reason."""
    if unreadable is not None:
        return "market_id", row.market, f"row {unreadable} is about the same market and cannot be read"
    if len(said) > 1:
        other = next(number for meaning, number in said.items() if meaning != _meaning(row))
        return "market_id", row.market, f"row {other} says something else of the same market: leave one of them"
    first = said[_meaning(row)]
    return None if first == row.row else ("market_id", row.market, f"a repetition of row {first}")


def _claimed(row: ListRow, claims: Mapping[str, Mapping[str, int]]) -> tuple[str, str, str] | None:
    """The token of a row that another market claims too: column, value and reason."""
    for column, token in (("yes_token_id", row.yes_token), ("no_token_id", row.no_token)):
        for market, number in claims[token].items():
            if market != row.market:
                return column, token, f"row {number}, another market, has the same token: one of them is wrong"
    return None


def _meaning(row: ListRow) -> ListRow:
    return structs.replace(row, row=0, note="")


def _text(cell: Cell) -> str:
    """A cell as text, without what stands around it and the apostrophe by which spreadsheets keep text as text."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip().removeprefix("'").strip()
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    return repr(cell) if isinstance(cell, float) or abs(cell) < 10**100 else "a number of over 100 digits"


def _condition(cell: Cell) -> str:
    text = _filled(cell)
    wanted = "wants the condition id, 0x and 64 hexadecimal digits"
    if not isinstance(cell, str) or _SPELLED_NUMBER.fullmatch(text):
        raise _Bad(f"a number; {wanted} (Gamma's own number of a market is none)")
    lower = text.lower()
    if _CONDITION.fullmatch(lower):
        return lower
    if _CONDITION.fullmatch("0x" + lower):
        raise _Bad(f"has no 0x in front; {wanted}")
    if lower.startswith("0x"):
        raise _Bad(f"has {len(text) - 2} characters after 0x; {wanted}")
    raise _Bad(f"no condition id; {wanted}")


def _token(cell: Cell, kind: Kind) -> str:
    text = _filled(cell)
    if not isinstance(cell, str):
        raise _Bad(_A_NUMBER[kind])
    if not TOKEN_ID.fullmatch(text):
        if text.isdigit() and text.isascii():
            raise _Bad(f"has {len(text)} digits, and a token id has 78 at most")
        if _SPELLED_NUMBER.fullmatch(text):
            raise _Bad(_A_NUMBER[kind])
        raise _Bad("no token id; wants up to 78 digits and nothing else")
    number = int(text)
    if text.startswith("0") or number >= 2**256:
        raise _Bad("no token id: it begins with 0, or is larger than 256 bits hold; copy it anew")
    if _lost_digits(text, number):
        raise _Bad(_A_NUMBER[kind])
    return text


def _lost_digits(text: str, number: int) -> bool:
    """Whether a long id went through a double: exactly one, or written with zeros for the digits a double has not.

    One in 2**190 of the true ids looks like that.
    """
    return len(text) > _SIGNIFICANT + 3 and (int(float(number)) == number or not text[_SIGNIFICANT:].strip("0"))


def _dollars(cell: Cell) -> float | None:
    text = _value(cell)
    if not text:
        return None
    if isinstance(cell, bool):
        raise _Bad("no number")
    if isinstance(cell, str):
        if _PLAIN.fullmatch(text.removeprefix("-")) is None:
            raise _Bad("no plain number: write it as 1234.5, without currency sign and separators")
        dollars = float(text)
    else:
        dollars = float(cell or 0) if abs(cell or 0) <= MOST_USD else math.inf
    if dollars < 0:
        raise _Bad("below 0, which no liquidity and no volume is")
    if not dollars <= MOST_USD:
        raise _Bad(f"absurd: no market has more than {MOST_USD:g} dollars")
    return dollars + 0.0  # -0.0 is 0


def _enabled(cell: Cell) -> bool:
    text = _value(cell).casefold()
    if not text or text in _YES:
        return True
    if text in _NO:
        return False
    raise _Bad("neither yes nor no")


def _profile(cell: Cell, profiles: Collection[str]) -> str:
    text = _value(cell)
    if not text or text in profiles:
        return text
    near = difflib.get_close_matches(text, profiles, n=1)
    names = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(profiles)) or 'none'}"
    raise _Bad(f"no profile of that name; {names}")


def _max_usd(cell: Cell) -> Usd | None:
    text = _value(cell)
    if not text:
        return None
    if isinstance(cell, bool) or not _MONEY.fullmatch(text):
        raise _Bad("no plain amount of dollars: write it as 250 or 250.50")
    dollars = Decimal(text)
    if not dollars:
        raise _Bad("0 is no limit to make a market by: to end it, write no under enabled")
    if not _LEAST_CAP_USD <= dollars <= MOST_CAP_USD:
        raise _Bad(f"outside {_LEAST_CAP_USD} .. {MOST_CAP_USD} dollars")
    return Usd(int(dollars * MICRO))  # rounded down: it only ever lowers


def _value(cell: Cell) -> str:
    """A cell's text; "" where there is none.

    Raises:
        _Bad: a formula, or what came of one that failed.
    """
    text = _text(cell)
    if _FORMULA_ERROR.fullmatch(text) or text.casefold() in _PENDING:
        raise _Bad("a formula error: correct the formula, or write the value itself")
    if isinstance(cell, str) and text.startswith("="):
        raise _Bad("a formula, and formulas are not worked out here: write the value itself")
    return text


def _filled(cell: Cell) -> str:
    text = _value(cell)
    if not text:
        raise _Bad("missing")
    return text


def _odd_ones(text: str, column: str) -> str:
    """Names characters that cannot be seen, and in an id those that only look like ASCII; "" where there are none."""
    is_id = column in COLUMNS[:3]
    odd = sorted({char for char in text[:MOST] if not char.isprintable() or (is_id and not char.isascii())})
    codes = ", ".join(f"U+{ord(char):04X}" for char in odd[:3])
    return f" (with characters that are not what they seem: {codes})" if odd else ""


def _notes(header: _Header) -> tuple[str, ...]:
    if not header.unknown:
        return ()
    named = ", ".join(f'"{name}"' for name in header.unknown[:_MOST_NAMED])
    more = len(header.unknown) - _MOST_NAMED
    return (f"columns that are not read: {named}" + (f" and {more} more" if more > 0 else ""),)
