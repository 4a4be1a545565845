"""Credentials for a kill: kept for us alone, and never shown."""

from pathlib import Path

import pytest

from core.errors import CredentialError, PreflightError
from core.kill import stored
from core.kill.stored import KillCredentials
from core.venue.credentials import ApiCredentials, Secret

CANARY = "canary-5ecret"
CREDENTIALS = KillCredentials(
    clob_url="https://clob.polymarket.com",
    address="0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a",
    api=ApiCredentials(Secret(CANARY + "-key"), Secret(CANARY), Secret(CANARY + "-phrase")),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def revealed(credentials: KillCredentials) -> tuple[str, ...]:
    api = credentials.api
    texts = (api.key.reveal(), api.secret.reveal(), api.passphrase.reveal())
    return (credentials.clob_url, credentials.address, *texts)


def test_what_is_kept_comes_back_and_is_private(directory: Path) -> None:
    stored.store(directory, CREDENTIALS)
    path = directory / stored.NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert revealed(stored.load(directory)) == revealed(CREDENTIALS)
    stored.store(directory, CREDENTIALS)
    assert [each.name for each in directory.iterdir()] == [stored.NAME]


def test_a_line_for_the_watchdog_is_one_line() -> None:
    line = stored.encode(CREDENTIALS)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert revealed(stored.decode(line)) == revealed(CREDENTIALS)


def test_without_a_session_ever_there_is_nothing(directory: Path) -> None:
    with pytest.raises(CredentialError, match="no session has traded from there"):
        stored.load(directory)


def test_a_file_open_to_others_and_a_link_are_refused(directory: Path) -> None:
    stored.store(directory, CREDENTIALS)
    path = directory / stored.NAME
    path.chmod(0o644)
    with pytest.raises(PreflightError, match="chmod 600"):
        stored.load(directory)
    path.chmod(0o600)
    path.rename(directory / "elsewhere")
    path.symlink_to(directory / "elsewhere")
    with pytest.raises(PreflightError, match="no link"):
        stored.load(directory)


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{}", b"[1]", b'{"clob_url":1}', b"\xff", stored.encode(CREDENTIALS)[:-9], CANARY.encode() * 9],
)
def test_what_is_something_else_is_refused_and_not_quoted(line: bytes) -> None:
    with pytest.raises(CredentialError) as caught:
        stored.decode(line)
    assert CANARY not in str(caught.value) and caught.value.__cause__ is None


def test_a_key_that_signs_has_no_place_in_it() -> None:
    """An unknown field is refused, so nobody can add one in passing."""
    line = stored.encode(CREDENTIALS).replace(b"{", b'{"private_key":"0x11",', 1)
    with pytest.raises(CredentialError):
        stored.decode(line)


def test_nothing_shows_them() -> None:
    assert CANARY not in f"{CREDENTIALS!r} {CREDENTIALS}"
