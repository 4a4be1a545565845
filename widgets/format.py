"""Values as short text: prices in cents, shares, dollars, ages, and the words of strangers made harmless.

Pure text without Textual. Negative numbers carry a true minus, so that they line up with the plus sign.
"""

import re
import time
from functools import lru_cache
from math import isfinite, isnan
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size

from core.text import cleaned
from core.units import MICRO

MINUS: Final = "\u2212"
NOTHING: Final = "\u2013"
"""Stands where there is no value."""
ELLIPSIS: Final = "\u2026"
_SUPERSCRIPTS: Final = str.maketrans("0123456789", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
_AGE_MOST: Final = 1e12
"""Seconds; what a broken clock makes of an age is cut here."""
_MAX_FOREIGN: Final = 2_000
"""Characters of a foreign text that are looked at; a line never shows more."""
_OPENING: Final = re.compile(r"^(?:will\s+)?(?:(?:the|a|an)\s+)?(?=\S)", re.IGNORECASE)


def cent_decimals(decimals: int) -> int:
    """Decimals of a price in cents on a grid whose prices in dollars have ``decimals``."""
    return max(0, decimals - 2)


def cents(ticks: int, grid_k: int, decimals: int) -> str:
    """A tick number as cents with the decimals of its grid, exactly: ``"41.3"``."""
    places = cent_decimals(decimals)
    scale = 10**places
    whole, rest = divmod(ticks * 100 * scale // grid_k, scale)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)


def point_cells(decimals: int) -> int:
    """Cells that stand behind the whole cents of a price in cents, the point included."""
    places = cent_decimals(decimals)
    return places + 1 if places else 0


def level_cents(ticks: int, grid_k: int, decimals: int, cells: int) -> str:
    """As :func:`cents`, so padded that points stand under points where prices have at most ``cells`` behind them."""
    return cents(ticks, grid_k, decimals) + " " * (cells - point_cells(decimals))


def model_cents(dollars: float | None, decimals: int) -> str:
    """A model price in cents, finer than its grid."""
    if dollars is None:
        return NOTHING
    return _true_minus(f"{dollars * 100:.{_model_decimals(decimals)}f}")


def signed_cents(dollars: float | None, decimals: int) -> str:
    """A model difference in cents with its sign: ``"+0.07"``."""
    if dollars is None:
        return NOTHING
    return _true_minus(f"{dollars * 100:+.{_model_decimals(decimals)}f}")


def markout_cents(dollars: float | None) -> str:
    """What a share was worth afterwards, in hundredths of a cent with its sign, in at most six cells."""
    if dollars is None:
        return NOTHING
    text = f"{dollars * 100:+.2f}"
    return _true_minus(text if len(text) <= 6 else f"{dollars * 100:+.1f}")


def shares(micro: int) -> str:
    """Micro-shares with thousands separated and at most two decimals, cut towards zero: ``"1,240"``, ``"7.5"``."""
    hundredths = abs(micro) * 100 // MICRO
    whole, rest = divmod(hundredths, 100)
    text = f"{whole:,}.{rest:02d}".rstrip("0").rstrip(".")
    return f"{MINUS}{text}" if micro < 0 and hundredths else text


def book_shares(micro: int) -> str:
    """A size for the eye: whole shares from a hundred on, cut towards zero: ``"534"``, ``"40.51"``."""
    whole = abs(micro) // MICRO
    return shares(micro) if whole < 100 else f"{MINUS if micro < 0 else ''}{whole:,}"


def signed_shares(micro: int) -> str:
    """Micro-shares with their sign; zero has none."""
    text = shares(micro)
    return f"+{text}" if micro > 0 and text != "0" else text


def short_shares(micro: int) -> str:
    """Micro-shares in at most five cells: ``"840"``, ``"1.2k"``, ``"84k"``, ``"3.1M"``."""
    count = abs(micro) / MICRO
    sign = MINUS if micro < 0 else ""
    for limit, divisor, letter in ((999.5, 1.0, ""), (999_500.0, 1e3, "k"), (999_500_000.0, 1e6, "M")):
        if count < limit:
            scaled = count / divisor
            digits = 1 if letter and scaled < 9.95 else 0
            return f"{sign}{scaled:.{digits}f}{letter}"
    return f"{sign}>999M"


def short_figure(value: float | None) -> str:
    """A figure of any size in at most six cells: ``"845"``, ``"12.3k"``, ``"1.21M"``, ``"4e+15"``."""
    if value is None or not isfinite(value):
        return NOTHING
    for limit, divisor, letter in ((999.5, 1.0, ""), (999.5e3, 1e3, "k"), (999.5e6, 1e6, "M"), (999.5e9, 1e9, "B")):
        if abs(value) < limit:
            scaled = value / divisor
            digits = 0 if not letter or abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            return _true_minus(f"{scaled:.{digits}f}{letter}")
    return _true_minus(f"{value:.0e}")


def usd(micro: int) -> str:
    """Micro-dollars to the cent: ``"$7,140.00"``."""
    return f"{MINUS if _cents_of(micro) < 0 else ''}${_cents_text(micro)}"


def signed_usd(micro: int) -> str:
    """Micro-dollars to the cent with a sign; zero has none: ``"+18.42"``."""
    amount = _cents_of(micro)
    sign = "+" if amount > 0 else MINUS if amount < 0 else ""
    return f"{sign}{_cents_text(micro)}"


def whole_usd(micro: int) -> str:
    """Micro-dollars to the dollar: ``"$7,140"``."""
    amount = round(micro / MICRO)
    return f"{MINUS if amount < 0 else ''}${abs(amount):,}"


def age(seconds: float | None) -> str:
    """An age in at most four cells: ``"0s"``, ``"59s"``, ``"12m"``, ``"3h"``, ``"9d"``.

    Whole seconds on purpose: a tenth would change, and repaint, its row in every frame.
    """
    if seconds is None or isnan(seconds):
        return NOTHING
    whole = int(min(max(0.0, seconds), _AGE_MOST))
    for limit, divisor, letter in ((60, 1, "s"), (3_600, 60, "m"), (86_400, 3_600, "h"), (864_000_000, 86_400, "d")):
        if whole < limit:
            return f"{whole // divisor}{letter}"
    return "old"


def duration(seconds: float) -> str:
    """How long something rare has lasted: tenths below ten seconds (``"0.8s"``), then as :func:`age`."""
    return f"{max(0.0, seconds):.1f}s" if seconds < 9.95 else age(seconds)


def utc_clock(unix: float) -> str:
    """The time of day in UTC: ``"13:04:22"``; nothing of a moment beyond the calendar."""
    try:
        return time.strftime("%H:%M:%S", time.gmtime(unix))
    except (OverflowError, ValueError, OSError):
        return NOTHING


def superscript(number: int) -> str:
    """A small raised number, the sign of an order's layer."""
    return str(number).translate(_SUPERSCRIPTS)


def number(text: str, width: int) -> str:
    """Right-aligned number of ASCII digits and signs; too long a number shows as ``#`` instead of a wrong one."""
    return text.rjust(width) if len(text) <= width else "#" * width


@lru_cache(maxsize=2_048)
def clean(text: str) -> str:
    """Foreign text on one line without anything that could move the cursor, turn the direction or hide itself."""
    return cleaned(text, _MAX_FOREIGN)


def brief(title: str) -> str:
    """A cleaned title without the words that most titles begin with, for narrow columns."""
    return _OPENING.sub("", clean(title), count=1)


def fit(text: str, width: int) -> str:
    """Clean text cut or padded to exactly ``width`` cells; a cut ends with an ellipsis."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + ELLIPSIS


def wrap_words(text: str, width: int) -> list[str]:
    """Clean text broken at spaces into lines of at most ``width`` cells; a word too long for a line goes on below."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        grown = f"{line} {word}" if line else word
        if cell_len(grown) > width and line:
            lines.append(line)
            grown = word
        if cell_len(grown) > width:
            pieces = [piece for piece in chop_cells(grown, max(1, width)) if piece]
            *whole, grown = (fit(piece, min(width, cell_len(piece))) for piece in pieces)
            lines += whole
        line = grown
    return [*lines, line] if line else lines


def _cents_of(micro: int) -> int:
    return round(micro / 10_000)


def _cents_text(micro: int) -> str:
    whole, rest = divmod(abs(_cents_of(micro)), 100)
    return f"{whole:,}.{rest:02d}"


def _model_decimals(decimals: int) -> int:
    return max(2, cent_decimals(decimals) + 1)


def _true_minus(text: str) -> str:
    return text.replace("-", MINUS)
