"""The invented questions: what each market asks, how it starts and what it offers its makers."""

from typing import Final, Literal

import msgspec

Version = Literal["v1", "v2"]
"""Which protocol a market's tokens belong to (polymarket-api.md 2.1)."""


class Plot(msgspec.Struct, frozen=True):
    """What makes one invented market what it is."""

    question: str
    category: str
    tick_text: str
    start: float
    """Probability at the start."""
    fee_bps: int
    """Taker fee rate of the category, 400 = 0.04 (polymarket-api.md 9.1)."""
    rebate: float
    reward_size: int
    """Least size that scores for rewards, shares."""
    reward_cents: float
    """Largest distance from the midpoint that scores, cents."""
    daily_reward: int
    """Reward pool, whole dollars a day."""
    days: float
    """Days until it is expected to resolve."""
    liquidity: float
    volume_week: float
    volume_month: float
    vol_ticks: float = 0.22
    """How far the belief wanders in a lively market, ticks per square root of a second."""
    neg_risk: bool = False
    """At most one market of the event wins; exactly one where their starting probabilities sum to 1."""
    event: str = ""
    """Title of an event shared with other questions; empty when the question is its own event.

    Markets of a shared event that is not neg-risk are nested: each implies the one before it.
    """
    delay_ms: int = 0
    """How long the venue holds a marketable order, milliseconds (polymarket-api.md 2.5)."""
    version: Version = "v1"
    game_hours: float = 0.0
    """How long before it resolves the game begins that the question is about; 0 when it is about none."""


_FEES: Final[dict[str, tuple[int, float]]] = {
    "Crypto": (700, 0.2),
    "Sports": (500, 0.15),
    "Finance": (400, 0.25),
    "Politics": (400, 0.25),
    "Tech": (400, 0.25),
    "Economics": (500, 0.25),
    "Culture": (500, 0.25),
    "Weather": (500, 0.25),
    "Geopolitics": (0, 0.0),
}
"""Taker fee and maker rebate by category (polymarket-api.md 9.1)."""
_LEAGUE: Final = "Who will win the league?"
_LEADER: Final = "Who will lead the party after its congress?"
_CHAIR: Final = "Who will chair the oversight board?"
_STRIKES: Final = "Where will bitcoin stand at the end of the month?"


def _plot(
    question: str,
    category: str,
    tick_text: str,
    start: float,
    days: float,
    money: tuple[float, float, float],
    rewards: tuple[int, float, int] = (50, 3.5, 20),
    *,
    vol_ticks: float = 0.22,
    event: str = "",
    neg_risk: bool = False,
    delay_ms: int = 0,
    version: Version = "v1",
    game_hours: float = 0.0,
) -> Plot:
    """A plot with its category's fees; ``money`` is liquidity and volume of a week and a month, dollars."""
    fee_bps, rebate = _FEES[category]
    size, cents, daily = rewards
    return Plot(
        question=question,
        category=category,
        tick_text=tick_text,
        start=start,
        fee_bps=fee_bps,
        rebate=rebate,
        reward_size=size,
        reward_cents=cents,
        daily_reward=daily,
        days=days,
        liquidity=money[0],
        volume_week=money[1],
        volume_month=money[2],
        vol_ticks=vol_ticks,
        neg_risk=neg_risk,
        event=event,
        delay_ms=delay_ms,
        version=version,
        game_hours=game_hours,
    )


def _team(name: str, start: float, money: tuple[float, float, float]) -> Plot:
    return _plot(
        f"Will {name} win the league?",
        "Sports",
        "0.001",
        start,
        120,
        money,
        (200, 3.0, 40),
        event=_LEAGUE,
        neg_risk=True,
    )


def _leader(name: str, tick_text: str, start: float, money: tuple[float, float, float]) -> Plot:
    question = f"Will {name} lead the party after its congress?"
    return _plot(question, "Politics", tick_text, start, 52, money, (50, 4.5, 25), event=_LEADER, neg_risk=True)


def _chair(name: str, start: float, money: tuple[float, float, float]) -> Plot:
    question = f"Will {name} chair the oversight board?"
    return _plot(question, "Politics", "0.01", start, 43, money, (50, 4.5, 25), event=_CHAIR, neg_risk=True)


def _strike(dollars: str, tick_text: str, start: float, money: tuple[float, float, float]) -> Plot:
    question = f"Will bitcoin be above ${dollars} at the end of the month?"
    return _plot(question, "Crypto", tick_text, start, 19, money, (50, 4.5, 60), vol_ticks=0.3, event=_STRIKES)


PLOTS: Final = (
    _plot(
        "Will the central bank cut rates at its next meeting?",
        "Economics", "0.01", 0.46, 38, (184_220.5, 412_900.0, 1_090_300.0), (100, 3.5, 100),
    ),
    _plot(
        "Will Northbridge United win the league?",
        "Sports", "0.001", 0.318, 120, (96_410.2, 260_140.0, 610_880.0), (200, 3.0, 200), event=_LEAGUE, neg_risk=True,
    ),
    _plot(
        "Will bitcoin close the quarter above its opening price?",
        "Crypto", "0.01", 0.57, 61, (71_030.9, 508_777.0, 1_402_015.0), (50, 4.5, 50), vol_ticks=0.3,
    ),
    _plot(
        "Will a named storm make landfall before the season ends?",
        "Weather", "0.001", 0.137, 85, (48_905.7, 88_310.0, 240_690.0), (100, 3.5, 100),
    ),
    _plot(
        "Will the coalition government survive the confidence vote?",
        "Politics", "0.01", 0.71, 24, (133_580.0, 190_400.0, 502_200.0), (100, 3.0, 100),
    ),
    _plot(
        "Will the lander touch down intact on its first attempt?",
        "Tech", "0.01", 0.34, 47, (39_215.3, 77_050.0, 198_700.0), (50, 4.5, 50),
    ),
    _plot(
        "Will the ceasefire hold through the end of the month?",
        "Geopolitics", "0.01", 0.62, 19, (210_660.1, 395_020.0, 1_120_440.0), (200, 3.5, 200),
    ),
    _plot(
        "Will the album top the charts in its opening week?",
        "Culture", "0.001", 0.884, 12, (27_340.6, 64_980.0, 150_230.0), (50, 3.0, 50),
    ),
    _team("Harbour City", 0.214, (61_220.8, 141_300.0, 352_410.0)),
    _team("Old Mill Rovers", 0.137, (44_018.1, 97_260.0, 260_950.0)),
    _team("Kingsway Athletic", 0.092, (31_877.4, 70_115.0, 190_620.0)),
    _team("Saltmarsh Town", 0.055, (18_430.0, 41_090.0, 133_700.0)),
    _leader("Ada Thornbury", "0.01", 0.36, (72_904.6, 121_480.0, 318_060.0)),
    _leader("Conrad Vale", "0.01", 0.24, (58_311.2, 98_040.0, 262_300.0)),
    _leader("Ines Okafor-Lund", "0.01", 0.15, (40_126.9, 66_700.0, 170_450.0)),
    _leader("Piet Marlowe", "0.001", 0.082, (22_508.3, 39_210.0, 121_330.0)),
    _leader("Rosalind Achterberg", "0.001", 0.031, (12_940.0, 18_300.0, 70_900.0)),
    _strike("80,000", "0.01", 0.78, (66_205.5, 288_140.0, 790_320.0)),
    _strike("90,000", "0.01", 0.52, (101_660.7, 540_870.0, 1_390_055.0)),
    _strike("100,000", "0.01", 0.27, (88_412.0, 470_310.0, 1_203_940.0)),
    _strike("110,000", "0.001", 0.091, (37_180.4, 152_600.0, 430_815.0)),
    _plot(
        "Will the orbital tug reach its parking orbit this year?",
        "Tech", "0.01", 0.43, 33, (30_117.2, 58_420.0, 160_030.0), version="v2",
    ),
    _plot(
        "Will the harvest report beat the five-year average?",
        "Economics", "0.001", 0.275, 27, (26_044.0, 53_900.0, 140_260.0), (100, 3.5, 30), version="v2",
    ),
    _plot(
        "Will the Redmoor Foxes win their next home match?",
        "Sports", "0.01", 0.55, 3.0, (52_760.3, 88_400.0, 176_010.0), (100, 3.0, 80), vol_ticks=0.3, delay_ms=250,
        game_hours=2.5,
    ),
    _plot(
        "Will ether gain on bitcoin this week?",
        "Crypto", "0.01", 0.49, 6.0, (47_300.9, 233_050.0, 640_770.0), (50, 4.5, 45), vol_ticks=0.3, delay_ms=250,
    ),
    _plot(
        "Will unemployment be reported below five per cent?",
        "Economics", "0.01", 0.66, 16, (58_930.0, 102_070.0, 301_440.0), (100, 3.5, 40),
    ),
    _plot(
        "Will the merger of the two airlines be approved?",
        "Finance", "0.01", 0.58, 74, (41_212.7, 60_350.0, 171_900.0), (50, 3.5, 35),
    ),
    _plot(
        "Will the index close the month at a record high?",
        "Finance", "0.01", 0.39, 21, (80_005.1, 171_260.0, 466_380.0), (100, 3.0, 60),
    ),
    _plot(
        "Will the bank holding group split its shares?",
        "Finance", "0.001", 0.164, 96, (19_540.8, 28_900.0, 97_310.0), (50, 3.0, 15),
    ),
    _plot(
        "Will the long bond yield end the quarter lower?",
        "Finance", "0.01", 0.51, 63, (55_620.0, 93_180.0, 255_070.0), (100, 3.5, 50),
    ),
    _plot(
        "Will the second chamber pass the water bill?",
        "Politics", "0.01", 0.47, 30, (36_480.6, 52_210.0, 149_890.0), (50, 3.5, 25),
    ),
    _plot(
        "Will turnout in the regional vote exceed sixty per cent?",
        "Politics", "0.01", 0.33, 41, (28_100.4, 51_770.0, 130_260.0), (50, 3.5, 20),
    ),
    _plot(
        "Will the mayor of Eastport stand for another term?",
        "Politics", "0.001", 0.712, 58, (17_606.2, 24_020.0, 81_400.0), (50, 3.0, 10),
    ),
    _plot(
        "Will a snap election be called before winter?",
        "Politics", "0.001", 0.118, 66, (64_330.7, 91_280.0, 281_950.0), (100, 3.0, 45),
    ),
    _plot(
        "Will the constitutional referendum be postponed?",
        "Politics", "0.01", 0.22, 35, (25_870.0, 50_440.0, 128_630.0), (50, 4.5, 20),
    ),
    _plot(
        "Will the border crossing reopen to traffic this month?",
        "Geopolitics", "0.01", 0.29, 18, (90_142.5, 140_030.0, 402_210.0), (200, 3.5, 70),
    ),
    _plot(
        "Will the two ministers meet in person before the summit?",
        "Geopolitics", "0.01", 0.56, 26, (70_388.9, 101_600.0, 290_120.0), (100, 3.5, 50),
    ),
    _plot(
        "Will the strait be closed to shipping for a day?",
        "Geopolitics", "0.001", 0.064, 48, (120_910.3, 180_720.0, 590_440.0), (200, 3.0, 80),
    ),
    _plot(
        "Will the sanctions be extended unchanged?",
        "Geopolitics", "0.01", 0.83, 40, (44_770.1, 61_950.0, 170_380.0), (100, 3.5, 30),
    ),
    _plot(
        "Will the Kestrels reach the final of the cup?",
        "Sports", "0.01", 0.41, 37, (60_215.0, 130_480.0, 344_160.0), (100, 3.0, 60),
    ),
    _plot(
        "Will the champion keep the heavyweight belt?",
        "Sports", "0.01", 0.64, 15, (49_026.6, 110_920.0, 250_300.0), (100, 3.0, 55), game_hours=3.0,
    ),
    _plot(
        "Will the marathon record fall in the spring race?",
        "Sports", "0.001", 0.208, 82, (21_300.5, 31_040.0, 104_770.0), (50, 3.0, 15),
    ),
    _plot(
        "Will the rookie driver finish the season on the podium?",
        "Sports", "0.01", 0.37, 91, (33_690.2, 55_180.0, 160_900.0), (50, 3.5, 25),
    ),
    _plot(
        "Will solana trade above its yearly high this quarter?",
        "Crypto", "0.01", 0.26, 60, (52_148.8, 260_410.0, 700_260.0), (50, 4.5, 40), vol_ticks=0.3,
    ),
    _plot(
        "Will a large exchange list the new stable coin this month?",
        "Crypto", "0.01", 0.48, 22, (29_940.0, 75_330.0, 200_040.0), (50, 4.5, 20), vol_ticks=0.3,
    ),
    _plot(
        "Will the network upgrade ship on its announced date?",
        "Crypto", "0.01", 0.74, 29, (35_517.3, 81_090.0, 230_680.0), (50, 4.5, 25),
    ),
    _plot(
        "Will mining difficulty rise at the next adjustment?",
        "Crypto", "0.001", 0.623, 9, (20_080.4, 58_260.0, 149_420.0), (50, 3.0, 15),
    ),
    _plot(
        "Will the new phone ship without a charging port?",
        "Tech", "0.001", 0.093, 110, (15_260.6, 20_140.0, 66_510.0), (50, 3.0, 10),
    ),
    _plot(
        "Will the chip maker regain the lead in market value?",
        "Tech", "0.01", 0.35, 28, (61_833.9, 122_700.0, 349_280.0), (100, 3.0, 50),
    ),
    _plot(
        "Will the open model top the public ranking this month?",
        "Tech", "0.01", 0.44, 20, (73_420.0, 161_930.0, 420_070.0), (100, 3.5, 60),
    ),
    _plot(
        "Will the undersea cable be back in service in time?",
        "Tech", "0.01", 0.68, 13, (18_774.1, 52_300.0, 118_640.0), (50, 3.5, 15),
    ),
    _plot(
        "Will the drama win the award for best picture?",
        "Culture", "0.01", 0.31, 77, (46_190.7, 70_260.0, 210_990.0), (50, 3.5, 30),
    ),
    _plot(
        "Will the festival announce a third headliner?",
        "Culture", "0.01", 0.59, 25, (16_350.2, 50_900.0, 110_780.0), (50, 3.5, 10),
    ),
    _plot(
        "Will the museum recover the stolen painting this year?",
        "Culture", "0.001", 0.071, 130, (11_480.0, 14_700.0, 51_220.0), (50, 3.0, 5),
    ),
    _plot(
        "Will the series be renewed for another season?",
        "Culture", "0.01", 0.77, 44, (24_960.5, 51_040.0, 126_330.0), (50, 3.5, 15),
    ),
    _plot(
        "Will the capital see snow before the new year?",
        "Weather", "0.01", 0.42, 39, (34_215.8, 66_130.0, 180_510.0), (50, 3.5, 25),
    ),
    _plot(
        "Will the river stay below its flood mark this spring?",
        "Weather", "0.01", 0.81, 101, (20_733.6, 30_480.0, 95_960.0), (50, 3.5, 10),
    ),
    _plot(
        "Will this summer be the warmest on record?",
        "Weather", "0.001", 0.347, 140, (39_480.9, 55_820.0, 171_300.0), (100, 3.0, 30),
    ),
    _plot(
        "Will consumer prices rise faster than forecast?",
        "Economics", "0.01", 0.53, 11, (91_270.4, 202_610.0, 560_450.0), (100, 3.5, 70),
    ),
    _plot(
        "Will the currency peg survive the year?",
        "Economics", "0.001", 0.861, 125, (27_905.0, 40_370.0, 133_840.0), (50, 3.0, 15),
    ),
    _chair("Marguerite Sole", 0.46, (51_380.4, 90_210.0, 260_330.0)),
    _chair("Ottokar Brandt", 0.33, (47_015.9, 84_700.0, 231_080.0)),
    _chair("Lucia Ferreira-Nunn", 0.21, (38_260.0, 60_190.0, 180_440.0)),
)  # fmt: skip
"""All questions, in the order in which they are listed; the first eight are the demo's."""


def extra_plot(number: int) -> Plot:
    """The question of the ``number``-th market that is opened while the exchange runs."""
    return _plot(
        f"Will petition {number + 1} gather its signatures in time?",
        "Politics", ("0.01", "0.001")[number % 2], 0.3 + 0.4 * (number * 0.618 % 1), 7, (20_000.0, 60_000.0, 150_000.0),
    )  # fmt: skip
