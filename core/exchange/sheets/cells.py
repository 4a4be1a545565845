"""What a spreadsheet makes of what is typed into a cell, and how it hands it out again.

A number keeps fifteen significant digits, whoever typed it: an id of 77 digits in a cell that is not formatted as plain
text is a float from then on. Sources: the Sheets API's ``ValueRenderOption`` and ``ValueInputOption``.
"""

import math
import re
from decimal import Decimal
from typing import Final, Literal, get_args

Cell = str | int | float | bool | None
"""None and "" are the same: nothing is there."""
Render = Literal["FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"]
RENDERS: Final[dict[str, Render]] = {render: render for render in get_args(Render)}

ERRORS: Final = ("#N/A", "#REF!", "#ERROR!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!")
"""What a formula that comes to nothing shows."""
_DIGITS_KEPT: Final = 15
_EXACT_BELOW: Final = 1e21
"""From here on JSON shows a whole number with an exponent, as JavaScript does."""
_PLAIN_BELOW: Final = 10**_DIGITS_KEPT
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:,[0-9]{3})*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_TOO_LARGE: Final = "#NUM!"
_RESULTS: Final = {"=NA()": "#N/A", "=1/0": "#DIV/0!"}


class Formula(str):
    """A cell with a formula; the text is as it was typed."""

    @property
    def result(self) -> str:
        """What it comes to. Nothing is computed here: every formula but two is one that cannot be."""
        return _RESULTS.get(self.upper().replace(" ", ""), "#ERROR!")


def typed(cell: Cell) -> Cell:
    """What becomes of a value that a person types into a cell of the automatic format (``USER_ENTERED``)."""
    if not isinstance(cell, str):
        return stored(cell)
    if cell.startswith("'"):
        return cell[1:]
    if cell.startswith("=") and len(cell) > 1:
        return Formula(cell)
    text = cell.strip()
    if text.upper() in ("TRUE", "FALSE"):
        return text.upper() == "TRUE"
    number = stored(float(text.replace(",", ""))) if _NUMBER.fullmatch(text) else _TOO_LARGE
    return cell if number == _TOO_LARGE else number


def stored(cell: Cell) -> Cell:
    """A value as a cell keeps it when a program writes it (``RAW``): texts stay, numbers lose their far digits."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, str):
        return cell
    try:
        number = float(f"{float(cell):.{_DIGITS_KEPT}g}")
    except OverflowError:
        return _TOO_LARGE
    return number if math.isfinite(number) else _TOO_LARGE


def rendered(cell: Cell, how: Render) -> Cell:
    """A cell as the API hands it out: "" where nothing is, whole numbers without a point."""
    if cell is None:
        return ""
    if isinstance(cell, Formula):
        return str(cell) if how == "FORMULA" else cell.result
    if isinstance(cell, bool):
        return ("TRUE" if cell else "FALSE") if how == "FORMATTED_VALUE" else cell
    if isinstance(cell, str):
        return cell
    if how == "FORMATTED_VALUE":
        return _shown(float(cell))
    return int(Decimal(repr(cell))) if float(cell).is_integer() and abs(cell) < _EXACT_BELOW else cell


def _shown(number: float) -> str:
    """A number in the automatic format: six digits of what is too long for the cell, ``1.23457E+76``."""
    if number.is_integer() and abs(number) < _PLAIN_BELOW:
        return str(int(number))
    if 1e-5 <= abs(number) < _PLAIN_BELOW:
        return f"{number:.10g}"
    mantissa, _, exponent = f"{number:.5e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent):+03d}"
