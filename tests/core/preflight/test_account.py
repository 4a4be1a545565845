"""Key, wallet, credentials, money and approvals: does it belong together, and what is the likely mistake."""

from typing import Any

import msgspec
import pytest

from core.preflight import account
from core.preflight.account import KINDS, SPENDERS, Allowed, WalletFacts, wallet_facts
from core.preflight.reach import Reached
from core.units import MICRO
from core.venue.credentials import RelayerKey, Secret
from core.venue.l1 import l1_headers
from core.venue.order_id import contract_of
from core.venue.wallets import wallets_of

KEY = Secret("0x" + "11" * 32)
EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
STRANGER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
RELAYER = RelayerKey(Secret("relayer"), EOA)
BOTH: tuple[Any, ...] = ("v2", "v2_neg_risk")


def told(body: Any, status: int = 200) -> Reached:
    return Reached(kind="answer", place="clob.example:443", status=status, body=msgspec.json.encode(body))


def test_a_request_for_credentials_is_signed_as_three_libraries_do_it() -> None:
    """The vector of polymarket-api.md, appendix A."""
    headers = l1_headers(KEY, 1_790_000_000)
    assert headers["POLY_SIGNATURE"] == (
        "0x85ca564babee4e457e787f6a6db85d07f12ea4c3b436cbb0d7985b97543f11f5"
        "0a58fb1019b2ba8c4c77d3cc30a2901659b9074b54129b035d545c907c8c5caa1b"
    )
    assert (headers["POLY_ADDRESS"], headers["POLY_TIMESTAMP"], headers["POLY_NONCE"]) == (EOA, "1790000000", "0")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_wallet_is_known_by_its_address(kind: int) -> None:
    """In any spelling of it: capitals of an address are a checksum and no part of it."""
    for funder in wallets_of(EOA, kind):
        for spelling in (funder, funder.lower(), "0x" + funder[2:].upper()):
            facts = wallet_facts(EOA, spelling)
            assert (facts.signature_type, facts.is_named) == (kind, True)
            assert KINDS[kind] in account.wallet(facts, True, RELAYER, is_asked=True).cause


def test_a_wallet_of_somebody_else_is_refused_with_all_that_are_ours() -> None:
    """The first error is told here and not by a rejected order (O05)."""
    check = account.wallet(wallet_facts(EOA, STRANGER), None, RELAYER, is_asked=True)
    assert check.level == "fail" and check.exit_code == 13 and STRANGER in check.cause
    assert {wallet for kind in KINDS for wallet in wallets_of(EOA, kind)} <= set(
        " ".join(check.details).replace(",", " ").split()
    )


def test_without_a_name_the_clients_own_choice_is_told() -> None:
    """The older deposit wallet goes first where it exists (the official client's rule)."""
    old, new = wallets_of(EOA, 3)
    assert wallet_facts(EOA, None).funder == new
    assert wallet_facts(EOA, None, has_old_deposit=True).funder == old


@pytest.mark.parametrize(
    ("kind", "is_named", "deployed", "key", "level", "words"),
    [
        (3, True, True, RELAYER, "ok", "deposit wallet"),
        (3, False, False, RELAYER, "warn", "a start would have it made"),
        (3, True, False, RELAYER, "fail", "does not exist"),
        (2, True, False, RELAYER, "fail", "does not exist"),
        (1, True, None, RELAYER, "fail", "does not say whether it exists"),
        (0, True, None, None, "warn", "gas is paid in POL"),
        (2, True, True, None, "warn", "without RELAYER_API_KEY"),
        (2, True, True, RelayerKey(Secret("relayer"), STRANGER), "warn", "is not the key's address"),
    ],
)
def test_what_is_odd_about_a_wallet_is_told(
    kind: int, is_named: bool, deployed: bool | None, key: RelayerKey | None, level: str, words: str
) -> None:
    facts = WalletFacts(EOA, wallets_of(EOA, kind)[0], kind, is_named)
    check = account.wallet(facts, deployed, key, is_asked=True)
    assert check.level == level and words in check.cause and bool(check.next_step) == (level != "ok")


def test_a_client_that_does_not_ask_the_relayer_needs_no_answer_of_it() -> None:
    facts = WalletFacts(EOA, wallets_of(EOA, 2)[0], 2, is_named=True)
    assert account.wallet(facts, None, RELAYER, is_asked=False).level == "ok"


@pytest.mark.parametrize(
    "body",
    [{}, [], None, {"apiKey": "a", "secret": "b"}, {"apiKey": 1, "secret": "b", "passphrase": "c"},
     {"apiKey": "", "secret": "b", "passphrase": "c"}],
)  # fmt: skip
def test_half_credentials_are_none(body: Any) -> None:
    assert account.api_credentials(told(body)) is None
    whole = {"apiKey": "a", "secret": "b", "passphrase": "c"}
    assert account.api_credentials(told(whole, 201)) is None
    api = account.api_credentials(told(whole))
    assert api is not None and (api.key.reveal(), api.secret.reveal(), api.passphrase.reveal()) == ("a", "b", "c")


@pytest.mark.parametrize(("status", "code"), [(400, 13), (401, 13), (403, 13), (404, 13), (500, 3), (200, 3), (429, 3)])
def test_a_refusal_of_the_key_has_a_code_of_its_own(status: int, code: int) -> None:
    """A venue that is out of order is no reason to make a new key."""
    check = account.credentials_refused(told({"error": "Unauthorized/Invalid api key"}, status), "the API credentials")
    assert check.exit_code == code and check.next_step


def test_the_page_of_a_guard_is_no_refusal_of_the_key() -> None:
    page = Reached(kind="answer", place="clob.example:443", status=403, body=b"<html>")
    assert account.credentials_refused(page, "the API credentials").exit_code == 3


FACTS = WalletFacts(EOA, wallets_of(EOA, 3)[0], 3, is_named=True)
TEN = 10 * MICRO


@pytest.mark.parametrize(
    ("balances", "bankroll", "mined", "level", "words"),
    [
        ({3: TEN}, None, None, "ok", "10.00 dollars in cash"),
        ({3: TEN}, 10.0, TEN, "ok", "10.00 dollars in cash"),
        ({3: TEN}, 9.0, TEN, "warn", "more than the bankroll of 9.00"),
        ({3: TEN}, 11.0, TEN, "warn", "less than the bankroll of 11.00"),
        ({3: TEN}, None, TEN - 1, "warn", "the chain 10.00 dollars"),
        ({3: 0, 0: 0, 1: 0, 2: None}, None, 0, "warn", "nothing can be bought"),
        ({3: 0, 0: MICRO - 1}, None, 0, "warn", "nothing can be bought"),
        ({3: 0, 0: 5, 1: TEN, 2: None}, None, 0, "fail", "10.00 dollars in the key's proxy wallet"),
        ({3: None}, None, TEN, "fail", "no balance"),
    ],
)
def test_money_is_where_it_is_looked_for_or_where_it_is_is_told(
    balances: dict[int, int | None], bankroll: float | None, mined: int | None, level: str, words: str
) -> None:
    check = account.cash(FACTS, balances, bankroll, mined, holds_shares=False)
    assert check.level == level and words in check.cause
    if level == "fail" and balances[3] == 0:
        assert wallets_of(EOA, 1)[0] in check.next_step and check.exit_code == 13


@pytest.mark.parametrize(
    ("holds_shares", "level", "words"),
    [(True, "warn", "it holds outcome tokens"), (None, "warn", "nobody tells what else it holds"), (False, "fail", "")],
)
def test_a_wallet_that_holds_shares_is_not_the_wrong_one(holds_shares: bool | None, level: str, words: str) -> None:
    """All of its money may be in positions, which need the session; in doubt nothing is refused."""
    check = account.cash(FACTS, {3: 0, 1: TEN}, None, 0, holds_shares=holds_shares)
    assert check.level == level and words in check.cause and wallets_of(EOA, 1)[0] in check.next_step


@pytest.mark.parametrize(
    ("body", "flag"), [([{"size": 5}], True), ([], False), ({}, None), (7, None), ([7], True)]
)  # fmt: skip
def test_shares_are_held_or_not_or_nobody_says(body: Any, flag: bool | None) -> None:
    assert account.held(told(body)) is flag
    assert account.held(told(body, 500)) is None


ALL = dict.fromkeys(SPENDERS, 2**256 - 1)
V2, NEG_RISK, V3 = (contract_of(name).lower() for name in ("v2", "v2_neg_risk", "v3"))
ADAPTER = next(spender for spender, name in SPENDERS.items() if name == "CtfCollateralAdapter")


@pytest.mark.parametrize(
    ("changes", "needed", "level", "words"),
    [
        ({}, BOTH, "ok", "contracts may take"),
        ({V2: 0}, BOTH, "fail", "Exchange V2"),
        ({NEG_RISK: 0}, BOTH, "fail", "Neg-risk Exchange V2"),
        ({NEG_RISK: 0}, ("v2",), "warn", "Neg-risk Exchange V2"),
        ({V3: 0}, BOTH, "warn", "Exchange V3"),
        ({V3: 0}, ("v3",), "fail", "Exchange V3"),
        ({ADAPTER: 0}, BOTH, "warn", "nothing is merged"),
        ({V2: TEN - 1}, BOTH, "warn", "only 10.00 dollars of 10.00 dollars"),
        ({V2: TEN}, BOTH, "ok", ""),
        ({"0x" + "ab" * 20: 0}, BOTH, "warn", "unknown contract"),
    ],
)
def test_the_contract_without_approval_is_named(
    changes: dict[str, int], needed: tuple[Any, ...], level: str, words: str
) -> None:
    """Fails where a market of the list settles there, warns where only merges do."""
    check = account.allowances([Allowed("COLLATERAL", ALL | changes)], needed, TEN)
    assert check.level == level and words in " ".join((check.cause, check.next_step))


def test_tokens_without_approval_are_named_as_such() -> None:
    check = account.allowances([Allowed("COLLATERAL", ALL), Allowed("CONDITIONAL", ALL | {V2: 0})], BOTH, TEN)
    assert check.level == "fail" and "no outcome tokens" in check.cause


def test_what_the_venue_does_not_tell_is_not_taken_for_granted() -> None:
    assert account.allowances([None], BOTH, TEN).level == "fail"
    some = Allowed("COLLATERAL", {V2: 2**256 - 1})
    check = account.allowances([some], BOTH, TEN)
    assert check.level == "warn" and "Neg-risk Exchange V2" in check.cause


@pytest.mark.parametrize(
    ("body", "amounts"),
    [
        ({"allowances": {V2.upper().replace("0X", "0x"): "5"}}, {V2: 5}),
        ({"allowances": {V2: "five", NEG_RISK: 7, V3: "-1", ADAPTER: True}}, {NEG_RISK: 7}),
        ({"allowances": {V2: "9" * 79}}, {}),
    ],
)
def test_amounts_are_read_or_left_out(body: Any, amounts: dict[str, int]) -> None:
    found = account.allowed_of("COLLATERAL", told(body))
    assert found is not None and found.amounts == amounts


@pytest.mark.parametrize("body", [{}, {"allowances": None}, {"allowances": [1]}])
def test_an_answer_without_contracts_is_doubt_and_no_answer_a_failure(body: Any) -> None:
    """An older shape of the answer must not refuse a start; a question without an answer does."""
    found = account.allowed_of("COLLATERAL", told(body))
    assert found == Allowed("COLLATERAL", {}) and account.allowances([found], BOTH, TEN).level == "warn"
    for nothing in (told([]), told(7), told(body, 500)):
        assert account.allowed_of("COLLATERAL", nothing) is None


@pytest.mark.parametrize(
    ("text", "units"),
    [("6761230", 6761230), (5, 5), ("", None), ("1.5", None), ("-1", None), ("１", None), (None, None)],
)
def test_a_balance_is_whole_base_units_or_none(text: Any, units: int | None) -> None:
    assert account.base_units(told({"balance": text})) == units


@pytest.mark.parametrize(
    ("reached", "code"),
    [
        (Reached(kind="shut", place="ws.example:443", detail="1008 invalid auth"), 13),
        (Reached(kind="shut", place="ws.example:443"), 13),
        (Reached(kind="timeout", place="ws.example:443", seconds=5.0), 3),
    ],
)
def test_a_channel_that_hangs_up_doubts_the_credentials(reached: Reached, code: int) -> None:
    check = account.user_channel(reached)
    assert check.level == "fail" and check.exit_code == code and check.next_step
