"""The population of an exchange: what is true in its markets, who lives there, and the waking of each in its time."""

from collections.abc import Callable
from functools import partial
from typing import Final

from core.exchange.crowd.agents import Agent
from core.exchange.crowd.belief import Belief, Hidden, Kind, Question, finale
from core.exchange.crowd.cast import usual_cast
from core.exchange.crowd.desk import Desk
from core.exchange.crowd.dice import Dice
from core.exchange.crowd.profiles import PROFILES, Name, Profile
from core.exchange.crowd.takers import Baiter
from core.exchange.exchange import Exchange
from core.exchange.lifecycle import Result
from core.exchange.listing import Listing, siblings
from core.exchange.plots import Plot
from core.units import grid_of

ORACLE_MS: Final = 7_200_000
"""From the end of a market to its resolution, undisputed (market-making.md 2.5) ..."""
ORACLE_SHARE: Final = 0.05
"""... but at most this share of the market's own life."""
_NAP_S: Final = 0.25
"""How long participants sleep in the exchange's time when they can do nothing."""
_FOREVER_S: Final = 1e8


class _Event:
    """One hidden outcome, the markets that ask about it, and who waits for news in each."""

    def __init__(self, hidden: Hidden, plots: list[Plot], end_unix: int, life_s: float) -> None:
        self.hidden = hidden
        self.plots = plots
        self.end_ms = end_unix * 1000
        self.life_s = life_s
        self.places: dict[str, int] = {}
        """Which question each listed market asks."""
        self.over = False


class Population:
    """Beliefs and participants of all markets.

    ``speed`` is how many seconds of theirs pass in one of the exchange's: beliefs, lags of opinion, arrivals and
    patience run faster. What belongs to machines and networks does not: the fast makers' looks and lag, the sniper's
    50 to 400 ms, and the venue's own delays; nor does the date at which a question ends.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        profile: Name | Profile = "normal",
        speed: float = 1.0,
        paused: bool = False,
        baiter: bool = False,
    ) -> None:
        """``baiter`` adds to every market somebody who lures those who follow the touch blindly."""
        if speed <= 0:
            raise ValueError("speed must be positive")
        self.accounts: dict[str, str] = {}
        """Addresses of all participants, and the name of each in its market."""
        self.beliefs: dict[str, Belief] = {}
        self._exchange = exchange
        self._profile = PROFILES[profile] if isinstance(profile, str) else profile
        self._speed = speed
        self._paused = paused
        self._baiter = baiter
        self._events: dict[str, _Event] = {}
        self._agents: dict[str, list[Agent]] = {}
        for market in exchange.listings:
            self.settle(market)
        exchange.drain()
        self._later(self._profile.step_s / speed, self._believe)

    def pause(self, paused: bool) -> None:
        """Stop all participants, or let them go on; their resting orders stay."""
        self._paused = paused

    @property
    def attacks(self) -> int:
        """Baits laid so far, in all markets."""
        return sum(agent.laid for agents in self._agents.values() for agent in agents if isinstance(agent, Baiter))

    def outcome(self, market: str) -> Result:
        """How a market will be resolved; nobody in it knows."""
        event = self._events[self._exchange.listings[market].event_id]
        return "YES" if event.hidden.outcome(event.places[market]) else "NO"

    def settle(self, market: str) -> None:
        """Move into a market of the exchange, also into one that was opened while it ran.

        Raises:
            ValueError: it belongs to an event whose outcome was drawn without it.
        """
        listing = self._exchange.listings[market]
        event = self._event(listing)
        questions = [plot.question for plot in event.plots]
        if listing.plot.question not in questions:
            raise ValueError(f"the event {listing.event_title!r} was settled without this question")
        event.places[market] = questions.index(listing.plot.question)
        seed = self._exchange.seed
        belief = self.beliefs[market] = Belief(seed, market, _question(listing.plot, listing.event_id), self._profile)

        def hire(name: str) -> Desk:
            desk = Desk(self._exchange, market, name)
            self.accounts[desk.account] = name
            return desk

        dice = Dice(seed, f"{market}/canceller")
        agents = self._agents[market] = usual_cast(
            hire, dice, belief, listing.plot, self._profile, speed=self._speed, with_baiter=self._baiter
        )
        for agent in agents:
            agent.dice.turn()
            agent.open()
        for agent in agents:
            self._later(agent.dice.turn().uniform(0.1, 3.0) / self._speed, partial(self._wake, market, agent))

    def _event(self, listing: Listing) -> _Event:
        """The event of a listing; its other questions count even where they are not listed."""
        found = self._events.get(listing.event_id)
        if found is not None:
            return found
        plot = listing.plot
        plots = siblings(plot)
        if plot not in plots:
            family = [each for each in self._exchange.listings.values() if each.event_id == listing.event_id]
            plots = [each.plot for each in family]
        kind: Kind = "single" if len(plots) == 1 else "exclusive" if plot.neg_risk else "nested"
        questions = [_question(each, listing.event_id) for each in plots]
        hidden = Hidden(self._exchange.seed, listing.event_id, questions, self._profile, kind)
        life_s = listing.end_unix - listing.start_unix
        event = self._events[listing.event_id] = _Event(hidden, plots, listing.end_unix, life_s)
        return event

    def _wake(self, market: str, agent: Agent, now_ms: int) -> None:
        if self._exchange.is_over(market):
            return
        again = partial(self._wake, market, agent)
        if self._idle(market):
            self._later(_NAP_S, again)
            return
        agent.dice.turn()
        sleep_s = agent.wake()
        self._later(sleep_s if agent.machine else sleep_s / self._speed, again)

    def _react(self, market: str, agent: Agent, now_ms: int) -> None:
        if not self._idle(market):
            agent.dice.turn()
            again_s = agent.react()
            if again_s is not None:
                self._later(again_s, partial(self._react, market, agent))

    def _idle(self, market: str) -> bool:
        """Whether the participants of a market can or may do nothing now."""
        modes = ("restarting", "disabled", "cancel_only")
        return self._paused or self._exchange.mode.state in modes or self._exchange.phase(market) != "open"

    def _believe(self, now_ms: int) -> None:
        wait_s = self._later(self._profile.step_s / self._speed, self._believe)
        for event in self._events.values():
            if not event.over and now_ms >= event.end_ms:
                self._end(event)
            elif not event.over and not self._paused:
                self._learn(event, wait_s, now_ms)

    def _learn(self, event: _Event, wait_s: float, now_ms: int) -> None:
        dt = wait_s * self._speed
        owed = finale((event.end_ms - now_ms) / 1000, wait_s, event.life_s)
        news = event.hidden.step(dt, owed)
        for market, place in event.places.items():
            self.beliefs[market].learn(event.hidden.truths[place], dt)
            if place in news:
                self._tell(market)

    def _tell(self, market: str) -> None:
        for agent in self._agents[market]:
            agent.dice.turn()
            delay_s = agent.hear()
            if delay_s is not None:
                self._later(delay_s, partial(self._react, market, agent))

    def _end(self, event: _Event) -> None:
        """Close the markets of an event whose time has come; the oracle speaks later."""
        event.over = True
        wait_ms = min(ORACLE_MS, round(event.life_s * ORACLE_SHARE * 1000))
        for market, place in event.places.items():
            self.beliefs[market].truth = float(event.hidden.outcome(place))
            self._exchange.close_market(market)
            self._exchange.schedule(self._exchange.now_ms + wait_ms, partial(self._resolve, market))

    def _resolve(self, market: str, now_ms: int) -> None:
        self._exchange.resolve(market, self.outcome(market))

    def _later(self, wait_s: float, action: Callable[[int], None]) -> float:
        """Schedule after ``wait_s`` seconds of the exchange's, never in the same millisecond; returns the real wait."""
        wait_ms = max(1, round(min(wait_s, _FOREVER_S) * 1000))
        self._exchange.schedule(self._exchange.now_ms + wait_ms, action)
        return wait_ms / 1000


def _question(plot: Plot, event_id: str) -> Question:
    return Question(
        name=f"{event_id}/{plot.question}",
        start=plot.start,
        tick=grid_of(plot.tick_text).tick,
        vol_ticks=plot.vol_ticks,
    )
