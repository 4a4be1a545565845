"""What wallets let contracts take (polymarket-api.md 3.6)."""

from core.exchange.chain import contracts


class Approvals:
    """What each wallet lets each spender take. The usual approvals count as granted until they are changed."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str, str], int] = {}
        self._cut: dict[tuple[str, str], int] = {}
        """By token and spender, what is left of the usual approvals."""

    def amount(self, wallet: str, token: str, spender: str) -> int:
        """What a spender may take: base units of pUSD, or for ERC-1155 tokens all (``UNLIMITED``) or 0."""
        usual = contracts.UNLIMITED if (token, spender) in contracts.USUAL_APPROVALS else 0
        usual = min(usual, self._cut.get((token, spender), usual))
        return self._given.get((wallet, token, spender), usual)

    def give(self, wallet: str, token: str, spender: str, amount: int) -> None:
        """Replace an approval; 0 takes it away."""
        self._given[(wallet, token, spender)] = amount

    def cut(self, token: str, spender: str, amount: int) -> None:
        """Leave a spender no more than ``amount`` of a token, whatever any wallet approved before."""
        self._cut[(token, spender)] = amount
        for key, given in self._given.items():
            if key[1:] == (token, spender):
                self._given[key] = min(given, amount)

    def use(self, wallet: str, token: str, spender: str, amount: int) -> None:
        """Have a spender take something, which uses a limited approval up.

        Raises:
            ValueError: it may not take that much.
        """
        allowed = self.amount(wallet, token, spender)
        if allowed < amount:
            raise ValueError(f"{spender} is not approved for that much of {token}")
        if allowed != contracts.UNLIMITED:
            self.give(wallet, token, spender, allowed - amount)
