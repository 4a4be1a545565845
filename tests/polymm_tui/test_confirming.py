"""Live is confirmed by a word that is typed, after it has been said whose money it is and how much of it."""

import os
from collections.abc import Iterator

import pytest

from core.config import Settings
from core.errors import CredentialError, UsageError
from polymm_tui import confirming
from polymm_tui.confirming import confirm_live, live_sentences, wallet_words

KEY = "0x" + "ab" * 32
LIVE = Settings(mode="live")


class Terminal:
    """A terminal at which something is typed, or nothing."""

    def __init__(self, typed: str | None, is_terminal: bool = True) -> None:
        self._read, self._write = os.pipe()
        self.isatty = lambda: is_terminal
        self._typed = typed
        if typed is not None:
            os.write(self._write, typed.encode() or b"x")

    def fileno(self) -> int:
        return self._read

    def readline(self) -> str:
        assert self._typed is not None
        return self._typed

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PK", KEY)
    for name in ("POLYMM_CONFIRM_LIVE", "FUNDER", "SIGNATURE_TYPE", "BROWSER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    monkeypatch.setattr(confirming, "WAITS_S", 0.05)
    yield made
    for each in made:
        each.close()


def at(monkeypatch: pytest.MonkeyPatch, made: list[Terminal], typed: str | None, is_terminal: bool = True) -> None:
    made.append(Terminal(typed, is_terminal))
    monkeypatch.setattr("sys.stdin", made[-1])


def test_without_a_terminal_live_is_confirmed_by_the_environment_only(
    monkeypatch: pytest.MonkeyPatch, typing: list[Terminal]
) -> None:
    """A pipe that happens to say LIVE is no operator."""
    at(monkeypatch, typing, "LIVE\n", is_terminal=False)
    with pytest.raises(UsageError, match="POLYMM_CONFIRM_LIVE=yes"):
        confirm_live(LIVE)
    monkeypatch.setenv("POLYMM_CONFIRM_LIVE", "yes")
    confirm_live(LIVE)


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [("LIVE\n", None), ("live\n", "'live' is not LIVE"), ("\n", "nothing was typed"), ("", "nothing was typed"),
     (None, "within")],
)  # fmt: skip
def test_at_a_terminal_live_is_typed(
    monkeypatch: pytest.MonkeyPatch, typing: list[Terminal], typed: str | None, refusal: str | None
) -> None:
    """The word itself, in capitals and in time: return alone is no."""
    at(monkeypatch, typing, typed)
    if refusal is None:
        confirm_live(LIVE)
    else:
        with pytest.raises(UsageError, match=refusal) as caught:
            confirm_live(LIVE)
        assert "nothing was done" in str(caught.value)


def test_it_is_said_first_whose_money_it_is_where_and_how_much(
    monkeypatch: pytest.MonkeyPatch, typing: list[Terminal], capsys: pytest.CaptureFixture[str]
) -> None:
    at(monkeypatch, typing, "LIVE\n")
    confirm_live(LIVE)
    told = capsys.readouterr().out
    assert wallet_words({"PK": KEY}) in told and wallet_words({"PK": KEY}).startswith("0x")
    assert KEY not in told and KEY[2:] not in told, "never the key"
    assert "the market list, at most 100 markets" in told and "Type LIVE within" in told


def test_the_worst_is_told_in_dollars_where_the_settings_say_how_many_there_are() -> None:
    text = "\n".join(live_sentences(Settings(mode="live", bankroll_usd=50_000.0, markets=("0x1", "0x2")), "0xw"))
    assert "a market $3,000.00, an event $5,000.00, all together $15,000.00" in text
    assert "2 markets" in text and "a day's loss of $500.00; kills after $1,500.00" in text
    assert "30.0% of the account" in "\n".join(live_sentences(LIVE, "0xw"))


def test_other_modes_ask_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PK")
    confirm_live(Settings(mode="demo"))
    with pytest.raises(CredentialError, match="PK"):
        confirm_live(LIVE)
