"""Key, wallet, credentials, money and approvals: do they belong together, and do they reach. Pure: facts in.

Sources: polymarket-api.md 3.1 (wallets), 3.2 (credentials), 3.6 (contracts), 4.3 (balances), 10.4 (refusals);
reliability.md 2.7 (O05, O11), 5 (7).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from core.errors import CredentialError
from core.preflight.check import Check, fail, first_of, ok, warn
from core.preflight.reach import Reached, trouble
from core.units import MICRO
from core.venue.credentials import ApiCredentials, BuilderKey, RelayerKey, Secret
from core.venue.order_id import Exchange, contract_of
from core.venue.wallets import wallets_of

KINDS: Final[Mapping[int, str]] = {
    0: "own address (EOA)",
    1: "proxy wallet (e-mail account)",
    2: "Safe (browser account)",
    3: "deposit wallet",
}
"""Wallets by signature type (polymarket-api.md 3.1)."""
RELAYED: Final[Mapping[int, str]] = {1: "PROXY", 2: "SAFE", 3: "WALLET"}
"""The relayer's names of contract wallets (polymarket-api.md 11)."""
OWN_ADDRESS: Final = 0
DEPOSIT: Final = 3
SPENDERS: Final[Mapping[str, str]] = {
    contract_of("v2").lower(): "Exchange V2",
    contract_of("v2_neg_risk").lower(): "Neg-risk Exchange V2",
    contract_of("v3").lower(): "Exchange V3",
    "0xada100db00ca00073811820692005400218fce1f": "CtfCollateralAdapter",
    "0xada2005600dec949baf300f4c6120000bdb6eaab": "NegRiskCtfCollateralAdapter",
    "0x12121212006e4cd160d18e3f00711da5c3372600": "Protocol V2 Router",
    "0xd91e80cf2e7be2e162c6513ced06f1dd0da35296": "old NegRiskAdapter",
}
"""Contracts that move what wallets hold, by address in lower case (polymarket-api.md 3.6)."""
ASSETS: Final[Mapping[str, str]] = {
    "COLLATERAL": "pUSD",
    "CONDITIONAL": "outcome tokens",
    "CONDITIONAL-V2": "outcome tokens of Protocol V2",
}
_REAL_SUM: Final = MICRO
"""Base units of pUSD, a dollar: less of it elsewhere tells nothing, because anybody may send dust."""
_LARGEST_DIGITS: Final = 78
_APPROVE: Final = "approve it on polymarket.com (enable trading, or trade once by hand), then look again"


class WalletFacts(msgspec.Struct, frozen=True):
    """Which wallet a key would trade for."""

    signer: str
    funder: str
    signature_type: int | None
    """None: it is none of the key's wallets."""
    is_named: bool
    """The environment names it; else it is what the official client takes by default."""


def wallet_facts(signer: str, funder: str | None, *, has_old_deposit: bool = False) -> WalletFacts:
    """Find out of which kind a wallet is.

    Args:
        signer: address of the key.
        funder: as the environment names it; None for the deposit wallet, as the official client chooses it.
        has_old_deposit: the older one of the two deposit wallets exists, which goes first then.
    """
    if funder is None:
        old, new = wallets_of(signer, DEPOSIT)
        return WalletFacts(signer, old if has_old_deposit else new, DEPOSIT, is_named=False)
    found = next((kind for kind in KINDS if funder.lower() in map(str.lower, wallets_of(signer, kind))), None)
    return WalletFacts(signer, funder, found, is_named=True)


def wallet(facts: WalletFacts, deployed: bool | None, key: RelayerKey | BuilderKey | None, *, is_asked: bool) -> Check:
    """Whether key, address and wallet fit (O05).

    Args:
        facts: of the wallet.
        deployed: a contract wallet exists, as the relayer says; None when it does not say.
        key: for the relayer; None without.
        is_asked: the order client asks the relayer too before it opens, and does not without its answer.
    """
    name, signer, funder = "wallet", facts.signer, facts.funder
    if facts.signature_type is None:
        cause = f"BROWSER_ADDRESS {funder} is no wallet of the key's address {signer}"
        own = [f"{what}: {', '.join(wallets_of(signer, kind))}" for kind, what in KINDS.items()]
        step = "set BROWSER_ADDRESS to the one that holds the money, or PK to the key of that wallet"
        return fail(name, cause, step, CredentialError.exit_code, own)
    words = f"the key's {KINDS[facts.signature_type]} {funder}" + (f" of {signer}" if facts.signature_type else "")
    if isinstance(key, RelayerKey) and key.address.lower() != signer.lower():
        cause = f"RELAYER_API_KEY_ADDRESS {key.address} is not the key's address {signer}"
        return warn(name, cause, "set the relayer key of that address; merges and redemptions would be refused")
    if deployed is None and is_asked and facts.signature_type != OWN_ADDRESS:
        cause = f"{words}: the relayer does not say whether it exists, and the order client does not open without"
        return fail(name, cause, "see `relayer`; wait, or check relayer_url")
    if deployed is False and facts.signature_type == DEPOSIT and not facts.is_named:
        cause = f"{words} is not there yet: a start would have it made"
        return warn(name, cause, "deposit on polymarket.com first, or name the wallet with the money: BROWSER_ADDRESS")
    if deployed is False:
        step = "deposit on polymarket.com, which makes it, or correct BROWSER_ADDRESS"
        return fail(name, f"{words} does not exist", step, CredentialError.exit_code)
    if facts.signature_type == OWN_ADDRESS:
        cause = f"{words}: the venue takes new ones for a deposit wallet only, and gas is paid in POL"
        return warn(name, cause, "if orders are refused, move the money to the deposit wallet")
    if key is None:
        cause = f"{words}; without RELAYER_API_KEY nothing is merged, split or redeemed"
        return warn(name, cause, "make a relayer key on polymarket.com, or do without")
    return ok(name, words)


def api_credentials(reached: Reached) -> ApiCredentials | None:
    """The credentials in an answer of GET /auth/derive-api-key or POST /auth/api-key; None when there are none."""
    told = reached.json
    if not reached.is_good or not isinstance(told, dict):
        return None
    key, secret, passphrase = (told.get(name) for name in ("apiKey", "secret", "passphrase"))
    if not (isinstance(key, str) and isinstance(secret, str) and isinstance(passphrase, str) and key and secret):
        return None
    return ApiCredentials(Secret(key), Secret(secret), Secret(passphrase))


def credentials_refused(reached: Reached, what: str) -> Check:
    """Why there are no credentials, or why they are not taken.

    Args:
        reached: the answer, which is not the one wished for.
        what: that was asked for, in words.
    """
    cause, step = trouble(reached, "clob_url")
    if reached.kind == "answer" and not reached.is_page and reached.status in (400, 401, 403, 404):
        words = reached.reason or f"status {reached.status}"
        return fail(
            "credentials",
            f"the venue refuses {what}: {words}",
            "check PK, and that the clock is right; a key that was revoked has to be made anew on polymarket.com",
            CredentialError.exit_code,
        )
    return fail("credentials", cause or f"the answer to {what} cannot be read", step or "check clob_url")


def base_units(reached: Reached) -> int | None:
    """The balance in an answer of GET /balance-allowance; None when there is none."""
    told = reached.json
    return _whole(told.get("balance")) if reached.is_good and isinstance(told, dict) else None


def held(reached: Reached) -> bool | None:
    """Whether a wallet holds outcome tokens, by an answer of the index's GET /positions; None when it does not say."""
    told = reached.json
    return bool(told) if reached.is_good and isinstance(told, list) else None


def cash(
    facts: WalletFacts,
    balances: Mapping[int, int | None],
    bankroll_usd: float | None,
    mined: int | None,
    untold: str = "",
    *,
    holds_shares: bool | None = None,
) -> Check:
    """Whether there is money, and where (O05, O11; reliability.md 5, 7).

    Args:
        facts: of the wallet.
        balances: base units of pUSD by signature type; only its own when it has any.
        bankroll_usd: dollars that the strategy is given; None for all there is.
        mined: the same balance as the chain tells it; None when it does not.
        untold: why the venue tells no balance, in words; "" when it did not say.
        holds_shares: the wallet holds outcome tokens, so it is the right one; None when nobody says.
    """
    name = "balance"
    kind = facts.signature_type
    own = balances.get(kind) if kind is not None else None
    if own is None:
        why = f": {untold}" if untold else ""
        return fail(name, f"the venue tells no balance of this wallet{why}", "look again; see `credentials`")
    elsewhere = {other: amount for other, amount in balances.items() if other != kind and amount}
    if not own and max(elsewhere.values(), default=0) >= _REAL_SUM:
        other, amount = max(elsewhere.items(), key=lambda each: each[1])
        address = wallets_of(facts.signer, other)[0]
        cause = f"no cash in {facts.funder}, and {_dollars(amount)} in the key's {KINDS[other]}"
        if holds_shares is False:
            return fail(name, cause, f"set BROWSER_ADDRESS to {address}", CredentialError.exit_code)
        why = "it holds outcome tokens" if holds_shares else "nobody tells what else it holds"
        return warn(name, f"{cause}; {why}", f"deposit, or, if the other is meant, set BROWSER_ADDRESS to {address}")
    if not own:
        cause = f"no cash in {facts.funder}: nothing can be bought"
        return warn(name, cause, "deposit pUSD, or look whether BROWSER_ADDRESS is the wallet with the money")
    words = f"{_dollars(own)} in cash"
    if mined is not None and mined != own:
        cause = f"the venue tells {words}, the chain {_dollars(mined)}"
        return warn(name, cause, "wait a minute: the venue's figure lags; it is refreshed when you trade by hand")
    if bankroll_usd is not None and own > bankroll_usd * MICRO:
        cause = f"{words}, more than the bankroll of {bankroll_usd:,.2f} dollars"
        return warn(name, cause, "keep in this wallet only what it works with")
    if bankroll_usd is not None and own < bankroll_usd * MICRO:
        cause = f"{words}, less than the bankroll of {bankroll_usd:,.2f} dollars"
        return warn(name, cause, "deposit the rest, or lower BANKROLL_USD; sizes and caps go by the bankroll")
    return ok(name, words)


class Allowed(msgspec.Struct, frozen=True):
    """What contracts may take of one kind of asset."""

    asset: str
    """As :data:`ASSETS` names it."""
    amounts: Mapping[str, int]
    """Base units by address in lower case."""


def allowed_of(asset: str, reached: Reached) -> Allowed | None:
    """What an answer of GET /balance-allowance says; None when it is none, no contracts when it names none."""
    told = reached.json
    if not reached.is_good or not isinstance(told, dict):
        return None
    given = told.get("allowances")
    if not isinstance(given, dict):
        return Allowed(asset, {})
    amounts = {str(spender).lower(): _whole(amount) for spender, amount in given.items()}
    return Allowed(asset, {spender: amount for spender, amount in amounts.items() if amount is not None})


def allowances(told: Sequence[Allowed | None], needed: Collection[Exchange], cash_units: int) -> Check:
    """Whether the contracts that settle may take what orders give, and those that merge what they burn.

    An order without is refused with "not enough balance / allowance" (polymarket-api.md 2.4).

    Args:
        told: by asset; None for one of which the venue says nothing.
        needed: contracts of the markets to be made; all when those are not known.
        cash_units: base units there are.
    """
    name = "allowances"
    if any(each is None for each in told):
        return fail(name, "the venue does not tell what its contracts may take", "look again; see `credentials`")
    settling = {contract_of(each).lower() for each in needed}
    missing, short, minor = list[str](), list[str](), list[str]()
    for each in told:
        assert each is not None
        for spender, amount in sorted(each.amounts.items(), key=lambda one: SPENDERS.get(one[0], one[0])):
            line = f"{SPENDERS.get(spender, 'unknown contract')} ({spender}) may take"
            if not amount:
                (missing if spender in settling else minor).append(f"{line} no {ASSETS[each.asset]}")
            elif each.asset == "COLLATERAL" and amount < cash_units:
                short.append(f"{line} only {_dollars(amount)} of {_dollars(cash_units)}")
    if missing:
        return fail(name, first_of(missing), _APPROVE, details=[*missing[1:], *short, *minor])
    untold = [
        SPENDERS[spender]
        for spender in sorted(settling)
        if not any(each is not None and spender in each.amounts for each in told)
    ]
    if short or minor:
        lines = [*short, *minor]
        step = _APPROVE if short else f"{_APPROVE}; until then nothing is merged or split through it"
        return warn(name, first_of(lines), step, details=tuple(lines[1:]))
    count = len({spender for each in told if each is not None for spender in each.amounts})
    if untold:
        return warn(
            name, f"the venue says nothing of {', '.join(untold)}", "the first order of such a market will tell"
        )
    return ok(name, f"{count} contracts may take what they settle, merge and split")


def user_channel(reached: Reached) -> Check:
    """Whether the channel of our own fills takes the credentials (polymarket-api.md 6)."""
    if reached.kind == "shut":
        cause = f"{reached.place} closed the user channel ({reached.detail or 'without a word'})"
        step = "the credentials are not taken there: see `credentials`, and that ws_user_url is the same venue's"
        return fail("user-channel", cause, step, CredentialError.exit_code)
    cause, step = trouble(reached, "ws_user_url")
    if cause:
        return fail("user-channel", cause, step)
    return ok("user-channel", f"{reached.place} takes the credentials in {reached.seconds * 1000:.0f} ms")


def _whole(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LARGEST_DIGITS else None


def _dollars(units: int) -> str:
    return f"{units / MICRO:,.2f} dollars"
