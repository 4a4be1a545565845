"""Who owns what: cash, tokens, what open orders hold back and what is matched but not settled.

The invariant: cash of all accounts + fees kept + collateral behind tokens = everything ever deposited, paid out as
rewards or advanced for conversions. While a market is unresolved it has as many YES as NO tokens and a dollar for each
pair; afterwards its collateral covers what its tokens will be paid. Balances change only when a trade settles, as on
the venue.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from core.errors import InvariantBroken
from core.exchange.lifecycle import Result, payout_of
from core.exchange.orders import Movement, NewOrder
from core.units import OUTCOMES, Outcome, Shares, Usd

TokenKey = tuple[str, Outcome]
"""Market and outcome."""
BURNED: Final = "0x" + "b0" * 20
"""Holds the NO tokens that conversions gave up."""


class Account(msgspec.Struct):
    """One funder's money in base units: micro-dollars and micro-shares."""

    address: str
    """Lower case."""
    shown: str
    """As the owner spells it, normally with checksum capitals."""
    cash: int = 0
    tokens: dict[TokenKey, int] = {}
    active_cash: int = 0
    """Held back by open BUY orders, in all markets together."""
    active_tokens: dict[TokenKey, int] = {}
    matched_cash: int = 0
    """Owed by trades that have not settled."""
    matched_tokens: dict[TokenKey, int] = {}

    @property
    def free_cash(self) -> int:
        """Micro-dollars a new BUY order may use.

        The venue's scope of the sum over open orders is contradictory (polymarket-api.md 2.4); the strict reading is
        taken here: one pool for all markets.
        """
        return self.cash - self.active_cash - self.matched_cash

    def free_tokens(self, key: TokenKey) -> int:
        """Micro-shares a new SELL order may use; bought tokens count once their trade has settled."""
        return self.tokens.get(key, 0) - self.active_tokens.get(key, 0) - self.matched_tokens.get(key, 0)


class Ledger:
    """All accounts, the collateral behind each market's tokens and the fees taken."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.collateral: dict[str, int] = {}
        """Micro-dollars locked per market; until it is resolved the supply of either token."""
        self.results: dict[str, Result] = {}
        """Markets that are resolved."""
        self.fees = 0
        """Taker fees kept, rebates already taken off."""
        self.deposited = 0
        self.rewards = 0
        """Micro-dollars the venue paid out of its own pocket."""
        self.advanced = 0
        """Micro-dollars that conversions paid out or locked: what the NO tokens given up will pay in the end."""

    def account(self, address: str) -> Account:
        """The account of an address, opened empty when it is new."""
        key = address.lower()
        found = self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = Account(address=key, shown=address)
        return found

    def deposit(self, address: str, cash: Usd) -> None:
        """Bring money in from outside."""
        self.account(address).cash += cash
        self.deposited += cash

    def split(self, address: str, market: str, sets: Shares) -> None:
        """Turn cash into as many YES and NO tokens (polymarket-api.md 11).

        Raises:
            ValueError: the account has not that much free cash, or the market is resolved.
        """
        account = self._acting(address, market, sets)
        if account.free_cash < sets:
            raise ValueError("not enough free cash to split")
        self._exchange_sets(account, market, sets)

    def merge(self, address: str, market: str, sets: Shares) -> None:
        """Turn as many YES and NO tokens back into cash (polymarket-api.md 11).

        Raises:
            ValueError: the account has not that many free pairs, or the market is resolved.
        """
        account = self._acting(address, market, sets)
        if min(account.free_tokens((market, "YES")), account.free_tokens((market, "NO"))) < sets:
            raise ValueError("not enough free tokens to merge")
        self._exchange_sets(account, market, -sets)

    def redeem(self, address: str, market: str, outcome: Outcome | None = None, tokens: Shares | None = None) -> Usd:
        """Pay an account for its free tokens of a resolved market; returns the sum (polymarket-api.md 11).

        All of both outcomes, or of one, or ``tokens`` of one.

        Raises:
            ValueError: the market is not resolved, or the account has not that many.
        """
        result = self.results.get(market)
        if result is None:
            raise ValueError("the market is not resolved")
        account = self.account(address)
        paid = 0
        for each in OUTCOMES if outcome is None else (outcome,):
            free = max(0, account.free_tokens((market, each)))
            given = free if tokens is None else tokens
            if given > free:
                raise ValueError("not enough free tokens to redeem")
            account.tokens[(market, each)] = account.tokens.get((market, each), 0) - given
            paid += payout_of(result, each, Shares(given))
        account.cash += paid
        self.collateral[market] = self.collateral.get(market, 0) - paid
        return Usd(paid)

    def convert(self, address: str, given: Sequence[str], others: Sequence[str], sets: Shares) -> None:
        """Turn NO of some outcomes of a complete event into YES of all others and cash (market-making.md 2.11).

        As the contract does it: the NO tokens go to an account nobody has, with the NO halves of the pairs minted for
        the others. Exactly one outcome comes true, so that of n NO tokens n - 1 pay a dollar: that much is advanced.

        Raises:
            ValueError: an outcome is resolved, or the account has not that much free NO.
        """
        account = self._acting(address, "", sets)
        if any(market in self.results for market in (*given, *others)):
            raise ValueError("an outcome of the event is resolved")
        if not given or any(account.free_tokens((market, "NO")) < sets for market in given):
            raise ValueError("not enough free tokens to convert")
        burned = self.account(BURNED)
        for market in given:
            _add(account, (market, "NO"), -sets)
            _add(burned, (market, "NO"), sets)
        for market in others:
            _add(account, (market, "YES"), sets)
            _add(burned, (market, "NO"), sets)
            self.collateral[market] = self.collateral.get(market, 0) + sets
        account.cash += (len(given) - 1) * sets
        self.advanced += (len(given) + len(others) - 1) * sets

    def reward(self, address: str, amount: Usd) -> None:
        """Pay an account out of the venue's own pocket (polymarket-api.md 9.3)."""
        self.account(address).cash += amount
        self.rewards += amount

    def rebate(self, address: str, amount: Usd) -> None:
        """Give an account a part of the fees taken (polymarket-api.md 9.2)."""
        self.account(address).cash += amount
        self.fees -= amount

    def reserve(self, new: NewOrder, amount: int) -> None:
        """Hold back (or, with a negative amount, set free) what a resting order may cost."""
        account = self.accounts[new.account]
        if new.side == "BUY":
            account.active_cash += amount
        else:
            key = (new.market, new.outcome)
            account.active_tokens[key] = account.active_tokens.get(key, 0) + amount

    def commit(self, market: str, movements: Iterable[Movement]) -> None:
        """Owe what a trade takes from each party until it settles."""
        for move in movements:
            self._owe(market, move, 1)

    def settle(self, market: str, movements: list[Movement]) -> None:
        """Carry a trade out: the debts vanish, cash and tokens change hands, pairs are minted or burned."""
        minted = {"YES": 0, "NO": 0}
        for move in movements:
            self._owe(market, move, -1)
            self._move(market, move)
            self.fees += move.fee
            minted[move.outcome] += move.tokens
        if minted["YES"] != minted["NO"]:
            raise InvariantBroken(f"a trade of {market} mints {minted}")
        self.collateral[market] = self.collateral.get(market, 0) + minted["YES"]

    def void(self, market: str, movements: Iterable[Movement]) -> None:
        """Forget a trade that will never settle: its debts vanish, nothing changes hands."""
        for move in movements:
            self._owe(market, move, -1)

    def check(self) -> None:
        """Prove the invariant of this module.

        Raises:
            InvariantBroken: money or tokens appeared, vanished or went negative.
        """
        cash = sum(account.cash for account in self.accounts.values())
        if cash + self.fees + sum(self.collateral.values()) != self.deposited + self.rewards + self.advanced:
            raise InvariantBroken("cash, fees and collateral do not add up to the deposits, rewards and advances")
        if self.fees < 0:
            raise InvariantBroken("more rebates were paid than fees taken")
        supply: dict[TokenKey, int] = {}
        for account in self.accounts.values():
            if account.free_cash < 0:
                raise InvariantBroken(f"{account.address} owes more cash than it has")
            for key, tokens in account.tokens.items():
                supply[key] = supply.get(key, 0) + tokens
                if account.free_tokens(key) < 0:
                    raise InvariantBroken(f"{account.address} owes more {key[1]} than it has")
        for market, locked in self.collateral.items():
            result = self.results.get(market)
            if result is not None:
                owed = sum(payout_of(result, outcome, Shares(supply.get((market, outcome), 0))) for outcome in OUTCOMES)
                if locked < owed:
                    raise InvariantBroken(f"the tokens of {market} are owed more than is locked")
            elif not supply.get((market, "YES"), 0) == supply.get((market, "NO"), 0) == locked:
                raise InvariantBroken(f"tokens of {market} are not backed one to one")

    def _acting(self, address: str, market: str, sets: Shares) -> Account:
        if market in self.results:
            raise ValueError("the market is resolved")
        if sets <= 0:
            raise ValueError("nothing to split, merge or convert")
        return self.account(address)

    def _exchange_sets(self, account: Account, market: str, sets: int) -> None:
        """Swap cash for pairs, or with a negative number pairs for cash."""
        account.cash -= sets
        for outcome in OUTCOMES:
            _add(account, (market, outcome), sets)
        self.collateral[market] = self.collateral.get(market, 0) + sets

    def _owe(self, market: str, move: Movement, sign: int) -> None:
        account = self.accounts[move.account]
        account.matched_cash += sign * max(0, move.fee - move.cash)
        if move.tokens < 0:
            key = (market, move.outcome)
            account.matched_tokens[key] = account.matched_tokens.get(key, 0) - sign * move.tokens

    def _move(self, market: str, move: Movement) -> None:
        account = self.accounts[move.account]
        account.cash += move.cash - move.fee
        _add(account, (market, move.outcome), move.tokens)


def _add(account: Account, key: TokenKey, tokens: int) -> None:
    account.tokens[key] = account.tokens.get(key, 0) + tokens
