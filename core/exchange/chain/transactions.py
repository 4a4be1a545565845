"""The chain as far as a trading wallet sees it: nonces, transactions on their way, approvals, and their effects.

A transaction takes effect when it is mined, all of it or nothing. Money moves only through ``Exchange.split``,
``merge``, ``redeem`` and ``convert``; whether a whole batch can be carried out is tried on a copy of the account first.
"""

import copy
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, Literal, Protocol

import msgspec

from core.exchange.chain import contracts
from core.exchange.chain.approvals import Approvals
from core.exchange.chain.contracts import Approve, Call, Convert, Effect, Merge, Redeem, Split
from core.exchange.chain.envelopes import Batch
from core.exchange.exchange import Exchange
from core.exchange.ledger import Ledger
from core.exchange.signing import spelled
from core.units import Outcome, Shares, Usd

State = Literal["STATE_NEW", "STATE_EXECUTED", "STATE_MINED", "STATE_CONFIRMED", "STATE_FAILED", "STATE_INVALID"]
"""As the relayer tells it (polymarket-api.md 11); the last three are final."""
_SENT_MS: Final = (100, 400)
"""From the relayer's taking a transaction to its sending it, (least, most)."""
_MINED_MS: Final = (1_500, 4_000)
_CONFIRMED_MS: Final = (1_500, 4_000)
_KEPT: Final = 10_000
"""Transactions remembered."""


class Refused(Exception):
    """A transaction that is not taken at all; the text is for the sender."""


class Transaction(msgspec.Struct):
    """One transaction and how far it has come."""

    transaction_id: str
    hash: str
    """``0x`` and 64 hexadecimal digits."""
    batch: Batch
    state: State
    submitter: str = ""
    """Who handed it to the relayer; empty for an EOA's own."""
    error: str = ""
    paid: Usd = Usd(0)
    """Cash that it brought its wallet, or below 0 took, micro-dollars."""
    mined_ms: int | None = None
    """When it got into a block, successful or reverted; None before, and for one that never did."""

    @property
    def sent(self) -> bool:
        """Whether it left the relayer, so that its hash can be told."""
        return self.state not in ("STATE_NEW", "STATE_INVALID")

    @property
    def failed(self) -> bool:
        """Whether it ended without effect."""
        return self.state in ("STATE_FAILED", "STATE_INVALID")


class _Positions(Protocol):
    """What moves money: the exchange, or for a rehearsal a ledger with a copy of one account."""

    def split(self, address: str, market: str, sets: Shares) -> None: ...

    def merge(self, address: str, market: str, sets: Shares) -> None: ...

    def redeem(
        self, address: str, market: str, outcome: Outcome | None = None, tokens: Shares | None = None
    ) -> Usd: ...

    def convert(self, address: str, given: Sequence[str], others: Sequence[str], sets: Shares) -> None: ...


class Chain:
    """All transactions, on the exchange's clock.

    Example::

        chain = Chain(exchange)
        sent = contracts.relay(open_envelope(envelope), submitter)
        exchange.step(exchange.now_ms + 10_000)
        assert sent.state == "STATE_CONFIRMED"
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._by_id: dict[str, Transaction] = {}
        self._by_hash: dict[str, Transaction] = {}
        self._mined: dict[str, int] = {}
        """Nonce of each wallet's next transaction, those on their way left out."""
        self._waiting: dict[str, int] = {}
        """Transactions of each wallet on their way."""
        self._last_due: dict[str, int] = {}
        """When a wallet's last transaction gets into a block: later ones come after it."""
        self._counter = 0

    def nonce(self, wallet: str, *, pending: bool = False) -> int:
        """Nonce of a wallet's next transaction; with ``pending``, after those on their way."""
        return self._mined.get(wallet, 0) + (self._waiting.get(wallet, 0) if pending else 0)

    def transaction(self, transaction_id: str) -> Transaction | None:
        """A relayed transaction by its id."""
        return self._by_id.get(transaction_id)

    def by_hash(self, transaction_hash: str) -> Transaction | None:
        """Any transaction by its hash; relayed ones from the moment the relayer sent them."""
        found = self._by_hash.get(transaction_hash.lower())
        return found if found is not None and found.sent else None

    def relay(self, batch: Batch, submitter: str) -> Transaction:
        """Take a transaction to be relayed.

        Raises:
            Refused: another of the wallet is on its way, nonce or deadline are wrong, or a call is not permitted.
        """
        self._check_calls(batch.calls)
        if self._waiting.get(batch.wallet):
            raise Refused("wallet busy: active action in flight")
        nonce = self.nonce(batch.wallet)
        if batch.nonce != nonce:
            raise Refused(f"batch nonce {batch.nonce} does not match on-chain nonce {nonce}")
        if self._expired(batch, self._exchange.now_ms):
            raise Refused("batch deadline has passed")
        made = self._take(batch, "0x" + self._draw_bytes("hash", 32).hex(), "STATE_NEW")
        made.submitter = submitter
        self._later(_SENT_MS, partial(self._send, made))
        return made

    def send(self, batch: Batch, transaction_hash: str) -> Transaction:
        """Take an EOA's own transaction.

        Raises:
            Refused: it is known already, or its nonce is not the next one.
        """
        if transaction_hash in self._by_hash:
            raise Refused("already known")
        nonce = self.nonce(batch.wallet, pending=True)
        if batch.nonce != nonce:
            word = "low" if batch.nonce < nonce else "high"
            raise Refused(f"nonce too {word}: next nonce {nonce}, tx nonce {batch.nonce}")
        made = self._take(batch, transaction_hash, "STATE_EXECUTED")
        self._to_block(made)
        return made

    def rehearse(self, wallet: str, calls: Iterable[Call]) -> list[Effect]:
        """What calls would do now, tried without doing it.

        Raises:
            ValueError: they would revert; the text says why.
        """
        effects = [contracts.decode(call) for call in calls]
        copied = self._copy_of(wallet)
        approvals = copy.deepcopy(self._exchange.approvals)
        for effect in effects:
            self._carry_out(wallet, effect, copied, approvals)
        return effects

    def _check_calls(self, calls: Iterable[Call]) -> None:
        for number, call in enumerate(calls):
            try:
                contracts.decode(call)
            except contracts.CallError as error:
                raise Refused(f"call blocked: call[{number}] blocked: {error}") from error

    def _take(self, batch: Batch, transaction_hash: str, state: State) -> Transaction:
        self._exchange.admit(spelled(batch.wallet))
        self._waiting[batch.wallet] = self._waiting.get(batch.wallet, 0) + 1
        made = Transaction(
            transaction_id=str(uuid.UUID(bytes=self._draw_bytes("id", 16), version=4)),
            hash=transaction_hash,
            batch=batch,
            state=state,
        )
        self._by_id[made.transaction_id] = self._by_hash[made.hash] = made
        if len(self._by_id) > _KEPT:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            del self._by_hash[oldest.hash]
        return made

    def _send(self, made: Transaction, now_ms: int) -> None:
        if self._expired(made.batch, now_ms):
            self._waiting[made.batch.wallet] -= 1
            made.state, made.error = "STATE_INVALID", "batch deadline has passed"
            return
        made.state = "STATE_EXECUTED"
        self._to_block(made)

    def _to_block(self, made: Transaction) -> None:
        wallet = made.batch.wallet
        due = max(self._exchange.now_ms + self._exchange.clockwork.draw(_MINED_MS), self._last_due.get(wallet, 0))
        self._last_due[wallet] = due
        self._exchange.schedule(due, partial(self._mine, made))

    def _mine(self, made: Transaction, now_ms: int) -> None:
        batch = made.batch
        made.mined_ms = now_ms
        self._waiting[batch.wallet] -= 1
        try:
            if self._expired(batch, now_ms):
                raise ValueError("the deadline has passed")
            effects = self.rehearse(batch.wallet, batch.calls)
        except ValueError as error:
            made.state, made.error = "STATE_FAILED", f"execution reverted: {error}"
        else:
            before = self._cash(batch.wallet)
            with self._exchange.history.within(made.hash):
                for effect in effects:
                    self._carry_out(batch.wallet, effect, self._exchange, self._exchange.approvals)
            made.paid = Usd(self._cash(batch.wallet) - before)
            made.state = "STATE_MINED"
            self._later(_CONFIRMED_MS, partial(self._confirm, made))
        if not made.failed or batch.kind in ("EOA", "PROXY"):
            # Safes and deposit wallets undo the counting together with everything else.
            self._mined[batch.wallet] = self.nonce(batch.wallet) + 1

    def _confirm(self, made: Transaction, now_ms: int) -> None:
        made.state = "STATE_CONFIRMED"

    def _carry_out(self, wallet: str, effect: Effect, positions: _Positions, approvals: Approvals) -> None:
        if isinstance(effect, Approve):
            approvals.give(wallet, effect.token, effect.spender, effect.amount)
            return
        if not isinstance(effect, Convert):
            self._check_market(effect)
        if isinstance(effect, Split):
            approvals.use(wallet, contracts.PUSD, effect.contract, effect.sets)
            positions.split(wallet, effect.market, effect.sets)
            return
        approvals.use(wallet, contracts.token_taken_by(effect.contract), effect.contract, contracts.UNLIMITED)
        if isinstance(effect, Convert):
            positions.convert(wallet, *self._exchange.sides(effect.group, effect.index_set), effect.sets)
        elif isinstance(effect, Merge):
            positions.merge(wallet, effect.market, effect.sets)
        else:
            positions.redeem(wallet, effect.market, effect.outcome, effect.tokens)

    def _check_market(self, effect: Split | Merge | Redeem) -> None:
        listing = self._exchange.listings.get(effect.market)
        if listing is None:
            raise ValueError("no such condition")
        adapter = contracts.NEG_RISK_ADAPTER if listing.instrument.neg_risk else contracts.ADAPTER
        if effect.contract != (contracts.ROUTER if listing.plot.version == "v2" else adapter):
            raise ValueError("the condition belongs to another contract")

    def _cash(self, wallet: str) -> int:
        account = self._exchange.ledger.accounts.get(wallet)
        return 0 if account is None else account.cash

    def _copy_of(self, wallet: str) -> Ledger:
        """A ledger with one account, to try things on."""
        real = self._exchange.ledger
        made = Ledger()
        if wallet in real.accounts:
            made.accounts[wallet] = copy.deepcopy(real.accounts[wallet])
        made.collateral = dict(real.collateral)
        made.results = real.results
        return made

    def _expired(self, batch: Batch, now_ms: int) -> bool:
        return batch.deadline_s is not None and batch.deadline_s * 1000 < now_ms

    def _later(self, span: tuple[int, int], action: partial[None]) -> None:
        self._exchange.schedule(self._exchange.now_ms + self._exchange.clockwork.draw(span), action)

    def _draw_bytes(self, what: str, length: int) -> bytes:
        self._counter += 1
        return hashlib.sha256(f"chain/{what}/{self._exchange.seed}/{self._counter}".encode()).digest()[:length]
