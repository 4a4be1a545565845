"""The word that stands between a command line and real money: what it trades with, how much, and how long it waits."""

import os
import select
import sys
from collections.abc import Mapping
from typing import Final

from core.config import Settings
from core.errors import CredentialError, UsageError
from core.venue.credentials import wallet_from_environment
from core.venue.wallets import signer_of

WORD: Final = "LIVE"
WAITS_S: Final = 60.0
"""Nothing is done when nothing is typed for so long."""


def confirm_live(settings: Settings) -> None:
    """Live is asked for by name and confirmed by a typed word, or by POLYMM_CONFIRM_LIVE=yes where nobody is there.

    Raises:
        CredentialError: there is no key, or it is none.
        UsageError: it was not confirmed.
    """
    if settings.mode != "live":
        return
    if not os.environ.get("PK"):
        raise CredentialError("live mode needs a private key: set PK in the environment of this command")
    if os.environ.get("POLYMM_CONFIRM_LIVE") == "yes":
        return
    if not sys.stdin.isatty():
        raise UsageError("live mode trades real money: confirm with POLYMM_CONFIRM_LIVE=yes, or start from a terminal")
    for line in live_sentences(settings, wallet_words(os.environ)):
        print(line)  # noqa: T201
    print(f"Type {WORD} within {WAITS_S:.0f} s to go on; anything else does nothing: ", end="", flush=True)  # noqa: T201
    typed = _typed()
    if typed is None:
        print()  # noqa: T201
        raise UsageError(f"live mode was not confirmed within {WAITS_S:.0f} s; nothing was done")
    if typed.strip() != WORD:
        said = f"{typed.strip()[:20]!r} is not {WORD}" if typed.strip() else "nothing was typed"
        raise UsageError(f"live mode was not confirmed: {said}; nothing was done")


def wallet_words(environment: Mapping[str, str]) -> str:
    """Whose money it is: the wallet and the key that signs for it.

    Raises:
        CredentialError: the key is none.
    """
    wallet = wallet_from_environment(environment)
    signer = signer_of(wallet.private_key)
    if wallet.funder is None or wallet.funder.lower() == signer.lower():
        return signer
    return f"{wallet.funder}, signed for by {signer}"


def live_sentences(settings: Settings, wallet: str) -> list[str]:
    """What live mode is about to do: with whose money, where, how much, and what it may lose at worst."""
    if settings.markets:
        where = f"{len(settings.markets)} markets, named by their condition ids"
    else:
        where = f"the market list, at most {settings.max_markets} markets"
    caps = (("a market", settings.market_cap), ("an event", settings.group_cap), ("all together", settings.gross_cap))
    worst = ", ".join(f"{what} {_dollars(share, settings.bankroll_usd)}" for what, share in caps)
    stop = _dollars(settings.daily_loss_limit_pct / 100, settings.bankroll_usd)
    kill = _dollars(settings.loss_kill_pct / 100, settings.bankroll_usd) if settings.loss_kill_pct else "never"
    return [
        "LIVE: orders are placed with real money, at once and until it is stopped.",
        f"  wallet   {wallet}",
        f"  markets  {where}",
        f"  at risk  at most, if every order fills and every position loses: {worst}",
        f"  stops    new risk after a day's loss of {stop}; kills after {kill}",
    ]


def _dollars(share: float, bankroll_usd: float | None) -> str:
    """A share of the bankroll; in dollars where the settings say how many there are."""
    if bankroll_usd is None:
        return f"{share:.1%} of the account"
    return f"${share * bankroll_usd:,.2f}"


def _typed() -> str | None:
    """A line from the terminal; None when none came in time."""
    ready, _, _ = select.select([sys.stdin], [], [], WAITS_S)
    return sys.stdin.readline() if ready else None
