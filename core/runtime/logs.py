"""Narration for people: one line per record, key=value fields, secrets blotted out at the last moment."""

import base64
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
STARS: Final = "***"
_KEY_BYTES: Final = 16
"""Hexadecimal text of at least so many bytes is taken for a key."""


class Redactor:
    """Replaces known secrets in any text that leaves the program."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Blot this text out from now on: without a leading 0x too, in any case, and a key in any other spelling."""
        forms = {secret, secret.removeprefix("0x"), *_spellings(secret.removeprefix("0x"))}
        forms |= {form.lower() for form in forms} | {form.upper() for form in forms}
        kept = forms | set(self._secrets)
        self._secrets = tuple(sorted((form for form in kept if len(form) >= 8), key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, STARS)
        return text

    def mask(self, encoded: bytes) -> bytes:
        """Encoded texts without secrets: stars of the same length, so that lengths inside stay true."""
        for secret in self._secrets:
            if (found := secret.encode()) in encoded:
                encoded = encoded.replace(found, b"*" * len(found))
        return encoded


class LineFormatter(logging.Formatter):
    """``time level name event key=value ...``; what is not printable is escaped, line ends too except in tracebacks."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one or, with a traceback, several lines."""
        line = super().format(record)
        fields = [f"{key}={value}".replace("\n", "\\n") for key, value in vars(record).items() if key not in _STANDARD]
        if fields:
            head, newline, rest = line.partition("\n")
            line = " ".join([head, *fields]) + newline + rest
        text = self._redactor.clean(line)
        return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _spellings(hexadecimal: str) -> list[str]:
    """A key as libraries print it besides hexadecimal: base64, a number, bytes."""
    try:
        raw = bytes.fromhex(hexadecimal)
    except ValueError:
        return []
    if len(raw) < _KEY_BYTES:
        return []
    texts = (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
    return [*(text.decode() for text in texts), str(int.from_bytes(raw)), repr(raw)[2:-1]]


@contextmanager
def logging_to(log_file: Path | None, redactor: Redactor) -> Iterator[None]:
    """Send the log to a file (with a console) or to stderr (without) while the context lasts."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        os.close(os.open(log_file, os.O_CREAT | os.O_WRONLY, 0o600))
        log_file.chmod(0o600)
        handler = logging.FileHandler(log_file, encoding="utf-8")
    handler.setFormatter(LineFormatter(redactor))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "websockets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
