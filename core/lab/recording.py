"""Recordings: JSON lines of ``{"t": receive time in ms or null, "raw": one frame}``, plain or gzip.

Reading never stops for one bad line: it is told with its number, and the next is read. A damaged archive ends the
recording where it is damaged, and that is told too.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from core.errors import MalformedMessage, UsageError
from core.events import MarketMessage
from core.market.book import BookHash
from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.units import Shares, UnitError, grid_of, parse_micro
from core.venue.gamma import parse_market
from core.venue.wire import UNREADABLE

MIN_SIZES: Final = ("5", "1", "10", "15", "20", "25", "50", "100", "2", "0")
"""Least order sizes tried against the first book's hash; all but the first are guesses in the order of likelihood."""
TICKS: Final = ("0.01", "0.001", "0.1", "0.005", "0.0025", "0.0001")


class Line(msgspec.Struct, frozen=True):
    """One recorded frame."""

    raw: msgspec.Raw
    t: float | None = None
    """Receive time in milliseconds; None when the recorder did not keep it."""


class Problem(msgspec.Struct, frozen=True):
    """Something in a recording that could not be used."""

    line: int
    """Counted from 1."""
    problem: str


_line: Final = msgspec.json.Decoder(Line)
_gamma: Final = msgspec.json.Decoder()


def read_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Line]]:
    """Yield ``(line number, line)``; what cannot be read goes to ``problems``.

    Raises:
        UsageError: the file cannot be opened.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, text in enumerate(stream, 1):
                if text.isspace():
                    continue
                try:
                    yield number, _line.decode(text)
                except UNREADABLE as error:
                    problems.append(Problem(number, f"not a line of a recording: {error}"))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problems.append(Problem(number + 1, f"the archive is damaged here, nothing after it can be read: {error}"))


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the path of a recording") from error
    with stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if not packed:
            yield stream
            return
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield cast("IO[bytes]", unpacked)


def read_gamma(path: Path) -> dict[str, Instrument]:
    """Instruments of a file with one Gamma market or a list of them, by condition id.

    Raises:
        UsageError: the file cannot be read, or an object in it is no market.
    """
    return {market: instrument for market, (instrument, _) in read_gamma_objects(path).items()}


def read_gamma_objects(path: Path) -> dict[str, tuple[Instrument, dict[str, Any]]]:
    """Instruments as :func:`read_gamma` gives them, each with the object it was read from.

    Raises:
        UsageError: the file cannot be read, or an object in it is no market.
    """
    try:
        raw = _gamma.decode(path.read_bytes())
        objects = raw if isinstance(raw, list) else [raw]
        instruments = [parse_market(item).instrument for item in objects]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a Gamma file with --gamma") from error
    except (*UNREADABLE, MalformedMessage) as error:
        raise UsageError(f"{path}: not Gamma markets: {error}") from error
    return {one.market: (one, item) for one, item in zip(instruments, objects, strict=True)}


def infer_instruments(messages: Iterable[MarketMessage], known: dict[str, Instrument]) -> list[Instrument]:
    """Instruments of the markets whose first full book is among ``messages`` and that are not known yet.

    A recording names neither the outcomes nor the minimum size nor the neg-risk flag. The token whose book comes first
    is taken as YES; minimum and flag are those that reproduce the first book's hash.
    """
    books: dict[str, MarketMessage] = {}
    tokens: dict[str, dict[str, None]] = {}
    for message in messages:
        seen = tokens.setdefault(message.market, {})
        if message.event_type == "book":
            books.setdefault(message.market, message)
            seen.setdefault(message.asset_id)
        for change in message.price_changes or ():
            seen.setdefault(change.asset_id)
    found = []
    for market, book in books.items():
        if market not in known:
            others = [token for token in tokens[market] if token != book.asset_id]
            instrument = _infer(book, others[0] if others else "")
            if instrument is not None:
                found.append(instrument)
    return found


def _infer(book: MarketMessage, other_token: str) -> Instrument | None:
    tick_text = book.tick_size or _coarsest_tick(book)
    try:
        instrument = Instrument(
            market=book.market,
            yes_token=book.asset_id,
            no_token=other_token,
            title=f"{book.market[:10]}…{book.market[-4:]}",
            tick_text=grid_of(tick_text).tick_text,
            min_size=Shares(parse_micro(MIN_SIZES[0])),
        )
    except UnitError:
        return None
    trial = TrackedBook(instrument)
    try:
        trial.apply_book(book)
    except MalformedMessage:
        return instrument
    levels = trial.book.hash_levels("YES")
    for min_size, neg_risk in product(MIN_SIZES, (False, True)):
        hasher = BookHash(book.market, book.asset_id, min_size, instrument.tick_text, neg_risk)
        if hasher.of(book.timestamp, levels, book.last_trade_price) == book.hash:
            size = Shares(parse_micro(min_size))
            return msgspec.structs.replace(instrument, min_size=size, min_size_text=min_size, neg_risk=neg_risk)
    return instrument


def _coarsest_tick(book: MarketMessage) -> str:
    """The coarsest grid that holds every price of a book; a cent when none does."""
    prices = [level.price for level in (*(book.bids or ()), *(book.asks or ()))]
    for tick_text in sorted(TICKS, key=float, reverse=True):
        try:
            for price in prices:
                grid_of(tick_text).ticks(price)
        except UnitError:
            continue
        return tick_text
    return "0.01"
