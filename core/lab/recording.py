"""Reading recordings: one file, plain or gzip, or a directory of segments (format: :mod:`core.store.recorded`).

Reading never stops for one bad line: it is told with its number, and the next is read. A damaged archive ends its file
where it is damaged, and that is told too. Memory does not grow with the recording.
"""

import errno
import math
import zlib
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Final

import msgspec

from core.errors import MalformedMessage, UsageError
from core.events import MarketMessage
from core.market.book import BookHash
from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.market.proof import ProofPolicy
from core.store.recorded import MANIFEST_NAME, Gap, decode_line, read_manifest, segments
from core.store.recorded import Line as Line
from core.units import Shares, UnitError, grid_of, parse_micro
from core.venue.gamma import parse_market
from core.venue.wire import UNREADABLE

MIN_SIZES: Final = ("5", "1", "10", "15", "20", "25", "50", "100", "2", "0")
"""Least order sizes tried against the first book's hash; all but the first are guesses in the order of likelihood."""
TICKS: Final = ("0.01", "0.001", "0.1", "0.005", "0.0025", "0.0001")
LONGEST_LINE: Final = 64 * 2**20
"""Bytes; four times what a socket takes in one frame, so that only what is no recording is longer."""
_CHUNK: Final = 64 * 2**10
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Problem(msgspec.Struct, frozen=True):
    """Something in a recording that could not be used."""

    line: int
    """Counted from 1, over all segments."""
    problem: str


_gamma: Final = msgspec.json.Decoder()


class Reading:
    """One pass over a recording: its lines, numbered from 1 over all segments, and what was wrong with it."""

    def __init__(self, path: Path, most_problems: float = math.inf) -> None:
        """Find its files and look whether the first can be opened; of the problems so many are kept.

        Raises:
            UsageError: there is nothing to be read.
        """
        self.problems: list[Problem] = []
        """What could not be used."""
        self.problem_count = 0
        self.cuts: list[Problem] = []
        """Where the recorder was stopped in the middle of a write; all that it had written before is there."""
        self.read_bytes = 0
        """Read from disk so far."""
        self.number = 0
        """Of the line last read."""
        self._most_problems = most_problems
        self._starts: list[tuple[int, str]] = []
        self._broken = False
        try:
            self._in_segments = path.is_dir()
            self.files = segments(path) if self._in_segments else [path]
            if self.files and S_ISREG(self.files[0].stat().st_mode):  # opening a pipe twice would end it
                self.files[0].open("rb").close()
        except OSError as error:
            raise _unreadable(path, error) from error
        if not self.files:
            raise UsageError(f"{path}: no segments (*.jsonl.gz) in it; give the path of a recording")

    def __iter__(self) -> Iterator[tuple[int, Line | Gap]]:
        """Yield ``(line number, frame or gap)``.

        Raises:
            UsageError: the first file cannot be opened after all.
        """
        for file in self.files:
            self._starts.append((self.number, file.name))
            try:
                with file.open("rb") as stream:
                    yield from self._entries(stream)
            except OSError as error:
                if len(self._starts) == 1 and self.read_bytes == 0:
                    raise _unreadable(file, error) from error
                self._problem(f"cannot be read any further: {error.strerror}", ahead=1)

    def place(self, number: int) -> str:
        """Where a line is, in words."""
        if not self._in_segments:
            return f"line {number}"
        before, name = max((start for start in self._starts if start[0] < number), default=self._starts[0])
        return f"{name} line {number - before}"

    def problem(self, number: int, text: str) -> None:
        """Note that something in a line could not be used."""
        self.problem_count += 1
        if len(self.problems) < self._most_problems:
            self.problems.append(Problem(number, text))

    def _entries(self, stream: IO[bytes]) -> Iterator[tuple[int, Line | Gap]]:
        for text in self._lines(stream):
            self.number += 1
            if text is None:
                self._problem(f"longer than {LONGEST_LINE:,} bytes")
            elif text and not text.isspace():
                try:
                    entry = decode_line(text)
                except UNREADABLE as error:
                    self._problem(f"not a line of a recording: {error}")
                else:
                    yield self.number, entry

    def _lines(self, stream: IO[bytes]) -> Iterator[bytes | None]:
        """Lines without their ends; None for one that is too long to be kept."""
        parts: list[bytes] = []
        size = 0
        self._broken = False
        for piece in self._pieces(stream):
            first, *rest = piece.split(b"\n")
            size += len(first)
            parts = [*parts, first] if size <= LONGEST_LINE else []
            for following in rest:
                yield b"".join(parts) if size <= LONGEST_LINE else None
                parts, size = [following], len(following)
        if size and not self._broken:
            yield b"".join(parts) if size <= LONGEST_LINE else None

    def _pieces(self, stream: IO[bytes]) -> Iterator[bytes]:
        """The bytes of a file, unpacked if they are packed; what is damaged is told and ends them."""
        chunk = self._read(stream)
        if not chunk.startswith(_GZIP_MAGIC):
            while chunk:
                yield chunk
                chunk = self._read(stream)
            return
        members, unpacker = 0, zlib.decompressobj(wbits=31)
        while chunk:
            if unpacker.eof:
                chunk = chunk.lstrip(b"\0")  # padding between members, as gzip itself reads them
                if not chunk:
                    chunk = self._read(stream)
                    continue
                members, unpacker = members + 1, zlib.decompressobj(wbits=31)
            before = unpacker.copy()
            try:
                yield unpacker.decompress(chunk, _CHUNK)
            except zlib.error as error:
                yield from _up_to_the_damage(before, chunk)
                self._broken = True
                self._problem(f"the archive is damaged here, nothing after it can be read: {error}", ahead=1)
                return
            chunk = unpacker.unconsumed_tail or unpacker.unused_data or self._read(stream)
        yield unpacker.flush()
        if not unpacker.eof:
            self._broken = True
            self._cut(whole_before=members > 0)

    def _read(self, stream: IO[bytes]) -> bytes:
        chunk = stream.read(_CHUNK)
        self.read_bytes += len(chunk)
        return chunk

    def _cut(self, *, whole_before: bool) -> None:
        """An archive that ends too early: a killed recorder leaves one behind, and so does a copy that broke off."""
        if whole_before or self._in_segments:
            self.cuts.append(Problem(self.number + 1, "the recorder was stopped in the middle of a write"))
        else:
            self._problem("the archive is damaged here, nothing after it can be read: it ends too early", ahead=1)

    def _problem(self, text: str, ahead: int = 0) -> None:
        self.problem(self.number + ahead, text)


def read_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Line]]:
    """Yield ``(line number, line)``; what cannot be read, and what the recorder missed, goes to ``problems``.

    Lines of a directory are counted over all its segments.

    Raises:
        UsageError: there is nothing to be read.
    """
    reading = Reading(path)
    reading.problems = reading.cuts = problems
    for number, entry in reading:
        if isinstance(entry, Gap):
            problems.append(Problem(number, f"frames may be missing here: {entry.reason}"))
        else:
            yield number, entry


def known_instruments(path: Path, gamma: Path | None) -> dict[str, Instrument]:
    """Instruments of a recording by condition id: of the Gamma file, else of what lies beside its segments.

    Raises:
        UsageError: a file cannot be read.
    """
    if gamma is not None:
        return read_gamma(gamma)
    try:
        manifest = read_manifest(path) if path.is_dir() else None
    except OSError as error:
        raise _unreadable(Path(error.filename or path), error) from error
    except UNREADABLE as error:
        raise UsageError(
            f"{path / MANIFEST_NAME}: damaged ({error}); remove it, or give the markets with --gamma"
        ) from error
    return {} if manifest is None else {instrument.market: instrument for instrument in manifest.markets}


def _unreadable(path: Path, error: OSError) -> UsageError:
    reason = "no such file" if error.errno == errno.ENOENT else error.strerror
    return UsageError(f"{path}: cannot be read ({reason}); give the path of a recording")


def _up_to_the_damage(unpacker: Any, chunk: bytes) -> Iterator[bytes]:
    """What an unpacker gives before it fails."""
    for n in range(len(chunk)):
        try:
            yield unpacker.decompress(chunk[n : n + 1])
        except zlib.error:
            return


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
    trial = TrackedBook(instrument, ProofPolicy())
    try:
        trial.apply_book(book, 0.0)
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
