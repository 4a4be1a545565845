"""What it takes to cancel: the API credentials of the account, and where the venue is. No key that signs.

Kept in a private file of the session's directory, so that a kill from any shell needs no session; and handed to the
watchdog on its standard input. Never in arguments or in the environment.
"""

from pathlib import Path
from typing import Final

import msgspec

from core.errors import CredentialError, PreflightError
from core.kill.files import open_existing, publish
from core.venue.credentials import ApiCredentials, Secret

NAME: Final = "kill.credentials"
_MOST_BYTES: Final = 65_536


class KillCredentials(msgspec.Struct, frozen=True):
    """Enough to list and cancel an account's orders, and to do nothing else."""

    clob_url: str
    address: str
    """Of the signer (header ``POLY_ADDRESS``)."""
    api: ApiCredentials


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    clob_url: str
    address: str
    key: str
    secret: str
    passphrase: str


def encode(credentials: KillCredentials) -> bytes:
    """One line, with the secrets in it."""
    api = credentials.api
    stored = _Stored(
        clob_url=credentials.clob_url,
        address=credentials.address,
        key=api.key.reveal(),
        secret=api.secret.reveal(),
        passphrase=api.passphrase.reveal(),
    )
    return msgspec.json.encode(stored) + b"\n"


def decode(line: bytes) -> KillCredentials:
    """Read what :func:`encode` wrote.

    Raises:
        CredentialError: it is something else; nothing of it is quoted.
    """
    try:
        stored = msgspec.json.decode(line, type=_Stored)
    except (msgspec.DecodeError, UnicodeError):
        raise CredentialError("the credentials for a kill cannot be read") from None
    api = ApiCredentials(Secret(stored.key), Secret(stored.secret), Secret(stored.passphrase))
    return KillCredentials(clob_url=stored.clob_url, address=stored.address, api=api)


def store(directory: Path, credentials: KillCredentials) -> None:
    """Keep them in a session's directory, mode 0600, in place of the last.

    Raises:
        PreflightError: the file cannot be written.
    """
    path = directory / NAME
    try:
        publish(path, encode(credentials), replace=True)
    except OSError as error:
        raise PreflightError(f"{path}: {error.strerror}; without it no shell could cancel") from error


def load(directory: Path) -> KillCredentials:
    """What a session of this directory kept last.

    Raises:
        CredentialError: nothing, or it cannot be read.
        PreflightError: the file is not ours alone.
    """
    path = directory / NAME
    try:
        handle = open_existing(path)
    except FileNotFoundError:
        raise CredentialError(f"no API credentials are kept in {directory}: no session has traded from there") from None
    with open(handle, "rb") as file:
        return decode(file.read(_MOST_BYTES))
