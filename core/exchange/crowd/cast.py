"""Who lives in a market."""

from collections.abc import Callable

from core.exchange.crowd.agents import Agent, Canceller, Crowd, Farmer, Ladder
from core.exchange.crowd.belief import Belief
from core.exchange.crowd.desk import Desk
from core.exchange.crowd.dice import Dice
from core.exchange.crowd.profiles import Profile
from core.exchange.crowd.takers import Baiter, Informed, NoiseTaker, Sniper
from core.exchange.plots import Plot

_FINE_MARKS = 100
"""Marks in a dollar above which a market has a fine tick."""


def usual_cast(
    hire: Callable[[str], Desk],
    dice: Dice,
    belief: Belief,
    plot: Plot,
    profile: Profile,
    *,
    speed: float,
    with_baiter: bool,
) -> list[Agent]:
    """The participants of one market; ``hire`` opens the desk of a name, ``dice`` are the canceller's.

    ``speed`` is how many seconds participants live in one of the exchange's: machines keep the latter.
    """
    makers = [
        Ladder(
            hire(f"fast/{number}"), belief, near=(2.6, 3.8), gap=(1.0, 2.0), count=3, size=45, spread=0.7,
            lag_s=0.2 * speed, sleep_s=profile.fast_sleep_s, tolerance=profile.tolerance, flicker=profile.flicker,
            pull_s=(0.3 * profile.lag_s / speed, 0.6 * profile.lag_s / speed),
        )
        for number in range(profile.fast_makers)
    ]  # fmt: skip
    slow_lag = 5.0 / 6.0 * profile.lag_s
    makers += [
        Ladder(
            hire("slow/0"), belief, near=(4.0, 5.5), gap=(1.0, 2.6), count=7, size=420, spread=0.6,
            lag_s=slow_lag, sleep_s=profile.slow_sleep_s, tolerance=profile.tolerance,
        ),
        Ladder(
            hire("slow/1"), belief, near=(5.0, 8.0), gap=(1.5, 3.5), count=6, size=900, spread=0.5,
            lag_s=slow_lag, sleep_s=profile.slow_sleep_s, tolerance=profile.tolerance,
        ),
    ]  # fmt: skip
    fine = makers[0].desk.marks > _FINE_MARKS
    band = plot.reward_cents / 100 * makers[0].desk.marks
    crowd = Crowd(
        hire("crowd"), belief, nearest=6.0, reach=26.0 if fine else 9.0, levels=30 if fine else 22,
        sleep_s=profile.batch_s,
    )  # fmt: skip
    farmers = [
        Farmer(hire("farmer/0"), belief, distance=max(3.2, band * 0.55), size=plot.reward_size),
        Farmer(hire("farmer/1"), belief, distance=max(3.6, band * 0.8), size=plot.reward_size),
    ]
    rate = profile.noise_rate
    agents: list[Agent] = [
        *makers,
        crowd,
        *farmers,
        NoiseTaker(hire("noise/0"), belief, rate=rate * 0.7, size=30, tilt=0.03, insight=0.3),
        NoiseTaker(hire("noise/1"), belief, rate=rate * 0.3, size=110, tilt=-0.03, insight=0.4),
        Sniper(hire("sniper"), belief, edge=1.0, size=(80, 350), patience_s=3.0),
        Informed(hire("informed"), belief, edge=0.5, size=(60, 300), patience_s=profile.patience_s),
        Canceller(
            dice, [agent.desk for agent in (*makers, crowd, *farmers)], decay=profile.decay, sleep_s=profile.batch_s
        ),
    ]
    if with_baiter:
        agents.append(Baiter(hire("baiter"), belief))
    return agents
