"""Which sheet is meant, where requests may go, and whose key file is used: nothing here talks to anybody."""

import json
import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ListError
from core.selection.addresses import is_loopback
from core.selection.sheets import account_of, sheets_base, spreadsheet_id

ID = "1AbC-dEf_ghIjKlMnOpQrStUvWxYz0123456789abcde"
KEY = "-----BEGIN PRIVATE KEY-----\nCANARYcanaryCANARYcanary0123456789\n-----END PRIVATE KEY-----\n"
EMAIL = "maker@project.iam.gserviceaccount.com"
TOKEN_URI = "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize(
    "address",
    [
        ID,
        f"  {ID}\n",
        f"https://docs.google.com/spreadsheets/d/{ID}",
        f"https://docs.google.com/spreadsheets/d/{ID}/",
        f"https://docs.google.com/spreadsheets/d/{ID}/edit?usp=sharing#gid=0",
        f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=17",
        f"https://docs.google.com/spreadsheets/u/1/d/{ID}/edit",
        f"https://docs.google.com/a/example.org/spreadsheets/d/{ID}/edit#gid=0",
        f"docs.google.com/spreadsheets/d/{ID}/edit",
    ],
)
def test_a_sheet_is_named_by_its_address_or_its_id(address: str) -> None:
    assert spreadsheet_id(address) == ID


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "no https address at docs.google.com"),
        ("short", "no https address"),
        (ID + "/../x", "no https address"),
        (f"http://docs.google.com/spreadsheets/d/{ID}", "no https address"),
        (f"https://docs.google.com.evil.example/spreadsheets/d/{ID}", "no https address"),
        (f"https://docs.google.com@evil.example/spreadsheets/d/{ID}", "no https address"),
        (f"https://docs.google.com:444/spreadsheets/d/{ID}", "no https address"),
        (f"https://evil.example/https://docs.google.com/spreadsheets/d/{ID}", "no https address"),
        (f"https://docs.google.com\\@evil.example/spreadsheets/d/{ID}", "no https address"),
        (f"https://127.0.0.1/spreadsheets/d/{ID}", "no https address"),
        ("file:///etc/passwd", "no https address"),
        (f"https://d\u043ecs.google.com/spreadsheets/d/{ID}", "no https address"),
        ("https://[docs.google.com/", "no https address"),
        (f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pubhtml", "of a published copy"),
        ("https://docs.google.com/spreadsheets/d/short/edit", "no id of a spreadsheet in it"),
        (f"https://docs.google.com/document/d/{ID}/edit", "no id of a spreadsheet in it"),
        ("https://docs.google.com/spreadsheets/d/../../../a/edit", "no id of a spreadsheet in it"),
        ("https://docs.google.com/", "no id of a spreadsheet in it"),
        (f"https://docs.google.com/a/spreadsheets/d/{ID}/edit", "no id of a spreadsheet in it"),
        (f"https://docs.google.com/a/b/c/spreadsheets/d/{ID}/edit", "no id of a spreadsheet in it"),
        (f"docs.google.com.evil.example/spreadsheets/d/{ID}", "no https address"),
        (f"docs.google.com@evil.example/spreadsheets/d/{ID}", "no https address"),
    ],
)
def test_another_address_is_refused(address: str, says: str) -> None:
    """reliability.md M07: nothing of it is used but an id of a strict form."""
    with pytest.raises(ListError, match=r"SPREADSHEET_URL wants the address of a sheet") as caught:
        spreadsheet_id(address)
    assert says in str(caught.value)


@given(st.text(max_size=80).map(lambda text: f"https://docs.google.com/spreadsheets/d/{text}"))
def test_an_id_has_no_character_that_means_something_in_a_path(address: str) -> None:
    try:
        found = spreadsheet_id(address)
    except ListError:
        return
    assert found.replace("-", "").replace("_", "").isalnum()
    assert found.isascii()


@pytest.mark.parametrize(
    "address",
    ["https://sheets.googleapis.com", "https://sheets.googleapis.com/", "http://127.0.0.1:8080/sheets", "http://[::1]:1",
     "http://localhost:9", "https://sheets-eu.p.googleapis.com"],
)  # fmt: skip
def test_the_service_is_googles_or_on_loopback(address: str) -> None:
    assert sheets_base(address) == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    ["http://sheets.googleapis.com", "https://evil.example", "https://googleapis.com.evil.example", "https://googleapis.com",
     "https://sheets.googleapis.com:8443", "https://user@sheets.googleapis.com", "https://10.0.0.1", "https://169.254.169.254",
     "http://0.0.0.0:80", "http://localhost.evil.example", "ftp://sheets.googleapis.com", "sheets.googleapis.com", "", "https://"],
)  # fmt: skip
def test_the_service_is_nowhere_else(address: str) -> None:
    """reliability.md 5, 19."""
    with pytest.raises(ListError, match="sheets_url has to be an https address at googleapis"):
        sheets_base(address)


def test_loopback_is_known_by_its_text() -> None:
    assert all(map(is_loopback, ["http://127.0.0.1", "http://127.9.9.9:1/x", "http://[::1]/", "http://localhost"]))
    assert not any(
        map(is_loopback, ["http://127.0.0.1.evil.example", "http://10.0.0.1", "x", "", "http://[", "http://0"])
    )


def key_file(folder: Path, **fields: Any) -> Path:
    told = {
        "type": "service_account", "client_email": EMAIL, "private_key": KEY, "private_key_id": "ab",
        "token_uri": TOKEN_URI, "universe_domain": "evil.example", "project_id": "p",
    }  # fmt: skip
    path = folder / "key.json"
    path.write_text(json.dumps({name: value for name, value in (told | fields).items() if value is not None}))
    path.chmod(0o600)
    return path


def test_a_key_file_is_read_and_its_key_never_shows_itself(tmp_path: Path) -> None:
    account = account_of(key_file(tmp_path), may_be_loopback=False)
    assert (account.email, account.key_id, account.token_uri) == (EMAIL, "ab", TOKEN_URI)
    assert account.key.reveal() == KEY
    assert "CANARY" not in f"{account} {account!r} {vars(type(account.key))}"


def refusal(path: Path) -> str:
    """Why a key file is not taken; neither the text nor any local of the traceback holds the key."""
    with pytest.raises(ListError) as caught:
        account_of(path, may_be_loopback=False)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack = traceback.StackSummary.from_list([each for each in frames.stack if each.filename != __file__])
    assert "CANARY" not in "".join(frames.format())
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o610])
def test_a_key_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    """reliability.md 5, 2."""
    path = key_file(tmp_path)
    path.chmod(mode)
    assert f"{path} is open to other users (mode {mode:o}): chmod 600 it" in refusal(path)


def test_a_stricter_mode_is_fine(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    path.chmod(0o400)
    assert account_of(path, may_be_loopback=False).email == EMAIL


def test_a_key_file_has_to_be_a_file_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert "and no link" in refusal(link)
    assert "is no file" in refusal(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert "is no file" in refusal(pipe)
    assert "no such file; GOOGLE_APPLICATION_CREDENTIALS names" in refusal(tmp_path / "none.json")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to another user" in refusal(path)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"type": "authorized_user"}, "(it is of type 'authorized_user'); make one"),
        ({"type": "external_account"}, "external_account"),
        ({"type": None}, "(it has no type)"),
        ({"type": "x\x1b[2J\u202e"}, "'x[2J'"),
        ({"type": 5}, "no JSON of that kind"),
        ({"client_email": None}, "client_email is missing or no address"),
        ({"client_email": "a@b\r\nX-Evil: 1"}, "client_email is missing or no address"),
        ({"client_email": "[bold]@x.y"}, "client_email is missing or no address"),
        ({"private_key": None}, "private_key is missing or no PEM key"),
        ({"private_key": "CANARY"}, "no JSON of that kind"),
        ({"private_key": ["CANARY"]}, "no JSON of that kind"),
        ({"token_uri": None}, "token_uri is not Google's"),
        ({"token_uri": "http://127.0.0.1/token"}, "token_uri is not Google's"),
        ({"token_uri": "http://localhost/token"}, "token_uri is not Google's"),
    ],
)
def test_another_file_is_refused_by_what_is_wrong_with_it(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    said = refusal(key_file(tmp_path, **fields))
    assert says in said
    assert said.isprintable()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"CANARY"', b"\xff\xfe", b"[" * 20_000, b"{" + b" " * 70_000]
)
def test_what_is_no_json_object_is_no_key_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert "service account's key file" in refusal(path)


def test_a_key_file_has_an_end(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    path.write_text(path.read_text().ljust(64 * 1024))
    assert account_of(path, may_be_loopback=False).email == EMAIL
    path.write_text(path.read_text() + " ")
    assert "service account's key file" in refusal(path)


def test_tokens_of_an_exchange_are_taken_beside_its_sheets_alone(tmp_path: Path) -> None:
    path = key_file(tmp_path, token_uri="http://127.0.0.1:8080/token")
    assert account_of(path, may_be_loopback=True).token_uri == "http://127.0.0.1:8080/token"
