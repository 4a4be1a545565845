"""Nothing secret and no control character leaves through the log."""

import base64
import logging
from pathlib import Path

import pytest

from core.runtime.logs import STARS, LineFormatter, Redactor, logging_to
from tests.end_to_end.program import CANARY_KEY

RAW = CANARY_KEY.removeprefix("0x")


def forms(key: str = CANARY_KEY) -> list[str]:
    raw = bytes.fromhex(key.removeprefix("0x"))
    return [
        key, key.removeprefix("0x"), key.upper(), key.removeprefix("0x").upper(), "0X" + key.removeprefix("0x").upper(),
        base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), str(int.from_bytes(raw)), repr(raw),
    ]  # fmt: skip


@pytest.mark.parametrize("form", forms())
def test_a_key_is_blotted_out_in_every_form_a_library_might_print(form: str) -> None:
    """Libraries print keys as hex, bytes, numbers or base64; none of these may reach a reader."""
    redactor = Redactor()
    redactor.add(CANARY_KEY)
    cleaned = redactor.clean(f"bad key {form}!")
    assert cleaned.startswith("bad key ") and STARS in cleaned and cleaned.endswith("!")
    assert form not in cleaned


def test_a_secret_that_is_no_key_is_blotted_out_as_it_stands() -> None:
    """API secrets are base64 text and passphrases are any text."""
    redactor = Redactor()
    redactor.add("c2VjcmV0LXNlY3JldA==")
    redactor.add("short")
    assert redactor.clean("c2VjcmV0LXNlY3JldA== short") == f"{STARS} short"


def record(text: str, **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": text, "levelno": logging.INFO, "levelname": "INFO", "name": "here"})
    vars(made).update(fields)
    return made


def test_fields_and_tracebacks_are_cleaned_too() -> None:
    """A key sits in an exception's text as easily as in the message."""
    redactor = Redactor()
    redactor.add(CANARY_KEY)
    try:
        raise ValueError(f"key {CANARY_KEY}")
    except ValueError as error:
        broken = record("failed", detail=f"with {RAW}")
        broken.exc_info = (type(error), error, error.__traceback__)
    text = LineFormatter(redactor).format(broken)
    assert "Traceback" in text and RAW not in text and text.count(STARS) >= 2


def test_control_characters_cannot_forge_lines_or_steer_a_terminal() -> None:
    """Market titles come from strangers."""
    text = LineFormatter(Redactor()).format(record("title", title="a\x1b]52;c;eA==\x07\r2026 ERROR fake"))
    assert "\x1b" not in text and "\r" not in text and "\\x1b" in text
    text = LineFormatter(Redactor()).format(record("lost", detail="bye\n2026 ERROR fake\u202e\x9b2J\u2028é"))
    assert text.count("\n") == 0 and text.endswith("detail=bye\\n2026 ERROR fake\\u202e\\x9b2J\\u2028é")


def test_the_log_file_is_private_and_the_handler_leaves_nothing_behind(tmp_path: Path) -> None:
    """A second session of the same process must not write twice."""
    root = logging.getLogger()
    before = list(root.handlers)
    with logging_to(tmp_path / "polymm.log", Redactor()):
        logging.getLogger("core.test").warning("hello", extra={"n": 1})
    assert (tmp_path / "polymm.log").stat().st_mode & 0o077 == 0
    assert "hello n=1" in (tmp_path / "polymm.log").read_text()
    assert root.handlers == before


def test_headless_the_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is for results."""
    with logging_to(None, Redactor()):
        logging.getLogger("core.test").warning("hello")
    told = capsys.readouterr()
    assert "hello" in told.err and told.out == ""
