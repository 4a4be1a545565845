"""Narration for people: one line per record, key=value fields, secrets blotted out at the last moment."""

import logging
import sys
from pathlib import Path
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
STARS: Final = "***"


class Redactor:
    """Replaces known secrets in any text that leaves the program."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Blot this text out from now on, with and without a leading 0x, in any case."""
        forms = {secret, secret.removeprefix("0x")}
        forms |= {form.lower() for form in forms} | {form.upper() for form in forms}
        kept = forms | set(self._secrets)
        self._secrets = tuple(sorted((form for form in kept if len(form) >= 8), key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, STARS)
        return text


class LineFormatter(logging.Formatter):
    """``time level name event key=value ...``, control characters escaped."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one or, with a traceback, several lines."""
        line = super().format(record)
        fields = [f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD]
        if fields:
            head, newline, rest = line.partition("\n")
            line = " ".join([head, *fields]) + newline + rest
        text = self._redactor.clean(line)
        return "".join(char if char >= " " or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def configure(redactor: Redactor, log_file: Path | None) -> logging.Handler:
    """Send the log to a file (with a console) or to stderr (without), and return the handler."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.FileHandler(log_file, encoding="utf-8")
        log_file.chmod(0o600)
    handler.setFormatter(LineFormatter(redactor))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "websockets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return handler
