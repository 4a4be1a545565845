"""The format of a recording: one JSON line a frame, a note where something is missing, and what lies beside it.

A line is ``{"t": receive time in ms or null, "raw": the frame}``. A frame that is no JSON object or array stands as a
JSON string, one that is no text as ``"base64"`` instead. ``{"t": ..., "gap": "why", "tokens": [...]}`` says that frames
of these tokens, or of all when none are named, may be missing before the next line. A recording is one such file, plain
or gzip, or a directory of segments that are read in the order of their names.
"""

import base64
import os
import re
from pathlib import Path
from typing import Final

import msgspec

from core.market.instrument import Instrument

MANIFEST_NAME: Final = "manifest.json"
SEGMENT_SUFFIXES: Final = (".jsonl.gz", ".jsonl")
_NUMBER: Final = re.compile(r"-(\d{6,})\.jsonl\.gz$")


class Line(msgspec.Struct, frozen=True):
    """One recorded frame."""

    raw: bytes
    """The frame as it was received."""
    t: float | None = None
    """Receive time in milliseconds since 1970; None when the recorder did not keep it."""


class Gap(msgspec.Struct, frozen=True):
    """Frames may be missing here, and the recorder knows it."""

    reason: str
    t: float | None = None
    """When the recorder noticed, milliseconds since 1970."""
    tokens: tuple[str, ...] = ()
    """What is missing; () stands for everything."""


class Manifest(msgspec.Struct, frozen=True):
    """What a directory of segments says of itself."""

    program: str
    """Name and version of the recorder."""
    url: str
    """Where the frames came from."""
    tokens: tuple[str, ...]
    """Asked for."""
    markets: tuple[Instrument, ...] = ()
    """As the catalogue described them when the recording began; none when only tokens were given."""


class _Wire(msgspec.Struct):
    """Any line."""

    t: float | None = None
    raw: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    base64: bytes | msgspec.UnsetType = msgspec.UNSET
    gap: str | msgspec.UnsetType = msgspec.UNSET
    tokens: tuple[str, ...] = ()


_line: Final = msgspec.json.Decoder(_Wire)
_text: Final = msgspec.json.Decoder(str)
_manifest: Final = msgspec.json.Decoder(Manifest)
_encode: Final = msgspec.json.Encoder().encode


def decode_line(line: bytes) -> Line | Gap:
    """Read one line.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no line of a recording.
    """
    wire = _line.decode(line)
    if wire.raw is not msgspec.UNSET:
        raw = bytes(wire.raw)
        return Line(_text.decode(raw).encode() if raw[:1] == b'"' else raw, wire.t)
    if wire.base64 is not msgspec.UNSET:
        return Line(wire.base64, wire.t)
    if wire.gap is not msgspec.UNSET:
        return Gap(wire.gap, wire.t, wire.tokens)
    raise msgspec.ValidationError("neither a frame nor a note of a gap")


def encode_frame(frame: bytes, t_ms: float) -> bytes:
    """A frame as a line, its bytes unchanged if they are a JSON object or array without a line break."""
    if frame[:1] in (b"{", b"[") and b"\n" not in frame:
        line = b'{"t":%.3f,"raw":%b}\n' % (t_ms, frame)
        try:
            frame.decode()
            wire = _line.decode(line)
            if wire.raw is not msgspec.UNSET and bytes(wire.raw) == frame:
                return line
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    try:
        return b'{"t":%.3f,"raw":%b}\n' % (t_ms, _encode(frame.decode()))
    except UnicodeDecodeError:
        return b'{"t":%.3f,"base64":"%b"}\n' % (t_ms, base64.b64encode(frame))


def encode_gap(gap: Gap) -> bytes:
    """A note as a line."""
    return b'{"t":%.3f,"gap":%b,"tokens":%b}\n' % (gap.t or 0.0, _encode(gap.reason), _encode(gap.tokens))


def segments(directory: Path) -> list[Path]:
    """Segments of a directory in the order in which they were written.

    Raises:
        OSError: it cannot be listed.
    """
    return sorted(path for path in directory.iterdir() if path.name.endswith(SEGMENT_SUFFIXES))


def segment_name(stamp: str, number: int) -> str:
    """Name of a segment; names sort by ``stamp``, a UTC time in letters, and then by ``number``."""
    return f"{stamp}-{number:06d}.jsonl.gz"


def segment_number(path: Path) -> int:
    """The number in a segment's name; 0 for a name of another making."""
    found = _NUMBER.search(path.name)
    return int(found[1]) if found else 0


def read_manifest(directory: Path) -> Manifest | None:
    """What lies beside the segments; None when there is nothing.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError, UnicodeDecodeError: it is damaged or of another making.
    """
    try:
        return _manifest.decode((directory / MANIFEST_NAME).read_bytes())
    except FileNotFoundError:
        return None


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write it whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(directory / MANIFEST_NAME, msgspec.json.format(_encode(manifest)) + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Put a file that nobody else can read in place of the one there, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.new")
    handle = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)
    fresh.replace(path)


def size_text(count: float) -> str:
    """Bytes in a unit that fits: ``"512 B"``, ``"7.4 MB"``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
