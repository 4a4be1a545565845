"""Secrets never show themselves, and a bad key is refused without being told."""

import copy
import json
import pickle
import traceback
from typing import Any

import msgspec
import pytest

from core.errors import CredentialError
from core.venue.credentials import ApiCredentials, Secret, Wallet, wallet_from_environment

TEXT = "a" * 63 + "b"
SECRET = Secret(TEXT)


def test_secret_is_stars_wherever_it_is_shown() -> None:
    holders: tuple[Any, ...] = (SECRET, [SECRET], ApiCredentials(SECRET, SECRET, SECRET), Wallet(SECRET, None))
    for holder in holders:
        for shown in (repr(holder), str(holder), f"{holder}", f"{holder!r}", ascii(holder)):
            assert "***" in shown
            assert TEXT not in shown
    assert SECRET.reveal() == TEXT


@pytest.mark.parametrize("store", [pickle.dumps, json.dumps, msgspec.json.encode, msgspec.to_builtins, copy.deepcopy])
def test_secret_is_not_to_be_stored(store: Any) -> None:
    for held in (SECRET, Wallet(SECRET, None)):
        with pytest.raises((TypeError, NotImplementedError)):
            store(held)


def test_secret_has_no_dictionary_to_be_dumped() -> None:
    assert not hasattr(SECRET, "__dict__")


def test_key_is_read_with_or_without_its_prefix() -> None:
    for key in (TEXT, "0x" + TEXT, f"  {TEXT}\n"):
        wallet = wallet_from_environment({"PK": key, "BROWSER_ADDRESS": ""})
        assert (wallet.private_key.reveal(), wallet.funder) == ("0x" + TEXT, None)


def test_wallet_address_is_taken_as_given() -> None:
    address = "0x" + "Ab" * 20
    assert wallet_from_environment({"PK": TEXT, "BROWSER_ADDRESS": address}).funder == address


@pytest.mark.parametrize("key", ["", "0x", "0x" + TEXT + "c", TEXT[:-1], "g" * 64, TEXT.replace("a", "١")])
def test_bad_key_is_refused_and_never_told(key: str) -> None:
    with pytest.raises(CredentialError) as caught:
        wallet_from_environment({"PK": key})
    told = "".join(traceback.format_exception(caught.value))
    assert len(key) < 8 or key not in told


@pytest.mark.parametrize("address", ["0x12", "Ab" * 20, "0x" + "zz" * 20])
def test_bad_address_is_refused(address: str) -> None:
    with pytest.raises(CredentialError, match="BROWSER_ADDRESS"):
        wallet_from_environment({"PK": TEXT, "BROWSER_ADDRESS": address})
