"""A simulation's parts without an engine: what reaches us is written down."""

from core.events import BooksRead, Event, FeedAlive, FeedChanged
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.faults.director import Director
from core.exchange.faults.script import read_toml
from core.exchange.frames import MarketFrame
from core.exchange.limits import Limits
from core.lab.simulated_feed import MarketLine
from core.lab.simulated_reads import Reads
from core.lab.simulated_world import START_UNIX, World


class Stage:
    """An exchange, its faults, the market channel and REST, under a clock that a test moves."""

    def __init__(
        self,
        script: str = "",
        *,
        markets: int = 2,
        tokens_a_socket: int = 200,
        copies: int = 1,
        recycle_s: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.exchange = Exchange(seed=seed, markets=markets, now_ms=START_UNIX * 1000)
        self.population = Population(self.exchange, speed=10.0)
        self.director = Director(self.exchange, Limits())
        if script:
            self.director.arm(read_toml(script, "script"))
        self.events: list[tuple[float, Event]] = []
        self.texts: list[tuple[float, str]] = []
        """Of the market channel, by arrival in seconds."""
        self.world = World(self.exchange, self.director, lambda event: self.events.append((self.now_s, event)))
        self.line = MarketLine(
            self.world,
            self._hear,
            tokens_a_socket=tokens_a_socket,
            copies=copies,
            recycle_s=recycle_s,
        )
        self.reads = Reads(self.world)
        self.tokens = list(self.exchange.by_token)
        self.markets = list(self.exchange.listings)

    @property
    def now_s(self) -> float:
        return self.world.now_s

    def start(self) -> None:
        """Connect."""
        self.line.start(self.tokens)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until_ms = self.exchange.now_ms + round(seconds * 1000)
        while self.exchange.now_ms < until_ms:
            mail_ms = self.world.next_ms or until_ms
            at_ms = max(self.exchange.now_ms, min(until_ms, mail_ms, self.exchange.next_due_ms))
            self.exchange.step(at_ms)
            self._collect()
            while (mail_ms := self.world.next_ms) is not None and mail_ms <= at_ms:
                self.world.deliver_next()
                self._collect()

    def heard(self, since_s: float, until_s: float, token: str) -> int:
        """How many texts that speak of a token came in a span of time."""
        return sum(1 for at_s, text in self.texts if since_s <= at_s < until_s and token in text)

    def coverage(self) -> list[tuple[float, bool, tuple[str, ...]]]:
        """When which tokens came to be covered or ceased to be."""
        return [(at_s, e.connected, e.tokens) for at_s, e in self.events if isinstance(e, FeedChanged)]

    def pongs(self, since_s: float, until_s: float) -> int:
        """How many PONGs came in a span of time."""
        return sum(1 for at_s, e in self.events if isinstance(e, FeedAlive) and since_s <= at_s < until_s)

    def answers(self) -> list[tuple[float, BooksRead]]:
        """What came of reading books."""
        return [(at_s, e) for at_s, e in self.events if isinstance(e, BooksRead)]

    def _hear(self, text: str) -> bool:
        self.texts.append((self.now_s, text))
        return True

    def _collect(self) -> None:
        while True:
            self.director.watch()
            made, said = self.director.outbox(), self.exchange.drain()
            if not made and not said:
                return
            for frame in [*made, *self.director.route(said)]:
                if isinstance(frame, MarketFrame):
                    self.line.broadcast(frame)


def fault(text: str) -> str:
    """A script of one fault."""
    return f"[[fault]]\n{text}\n"
