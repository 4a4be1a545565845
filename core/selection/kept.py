"""The market list in force on the disk: ``markets.json`` in a session's directory, whole or not at all, ours alone."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from core.errors import ListError, PreflightError
from core.kill.files import open_existing, publish
from core.selection.changes import Kept

NAME: Final = "markets.json"
VERSION: Final = 1
MOST_BYTES: Final = 64 * 2**20
"""More than a list of the longest kind takes."""


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    sha256: str
    """Of the bytes of ``kept``."""
    kept: msgspec.Raw


def load(path: Path) -> Kept | None:
    """What the last session left; None when there is nothing.

    Raises:
        ListError: it cannot be read, is damaged, or of a later version; the text says what to do.
    """
    try:
        handle = open_existing(path)
    except FileNotFoundError:
        return None
    except PreflightError as error:
        raise ListError(str(error)) from error
    try:
        with open(handle, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from error
    if len(content) > MOST_BYTES:
        raise _damaged(path, "it is too long")
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _damaged(path, "it is not whole") from error
    if envelope.version != VERSION:
        raise ListError(f"{path}: it is of version {envelope.version}, this program reads {VERSION}; use one program")
    if hashlib.sha256(envelope.kept).hexdigest() != envelope.sha256:
        raise _damaged(path, "its checksum is wrong")
    try:
        return msgspec.json.decode(envelope.kept, type=Kept)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _damaged(path, "it is no market list") from error


def save(path: Path, kept: Kept) -> None:
    """Replace what is on the disk; returns when it is there, with its directory.

    Raises:
        ListError: it cannot be written; what was there stays.
    """
    body = msgspec.json.encode(kept)
    envelope = _Envelope(VERSION, hashlib.sha256(body).hexdigest(), msgspec.Raw(body))
    try:
        publish(path, msgspec.json.encode(envelope), replace=True)
    except OSError as error:
        raise ListError(f"{path}: {error.strerror}; the market list stays as it is until it can be written") from error


def _damaged(path: Path, why: str) -> ListError:
    return ListError(
        f"{path}: {why}; the list that was in force is not known. Move the file away to begin with the list as it is"
        " read now: markets that were being drained are then no longer looked after"
    )
