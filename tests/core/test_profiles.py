"""Profiles: what they set, how they lie over each other, and what is refused where."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import Settings, load
from core.errors import ConfigError
from core.market.instrument import Instrument
from core.profiles import BUILT_IN, QUOTE_KEYS, TICK_PROFILES, Live, Profiles, profile_of, tick_profile
from core.units import Shares

GLOBAL = frozenset(
    {
        "mode", "seed", "state_dir", "metrics_port", "demo_markets", "markets", "bankroll_usd", "paper_cash_usd",
        "clob_url", "gamma_url", "data_url", "relayer_url", "ws_market_url", "ws_user_url", "rpc_url", "ws_tokens",
        "ws_copies", "ws_recycle_sec", "audit_sec", "min_liquidity", "min_weekly_volume", "min_trend", "mm_score_min",
        "sheets_url", "spreadsheet_url", "google_credentials", "sheet_tab", "market_list", "list_deadline_sec",
        "list_rows_max", "list_refresh_sec", "list_removals_max", "list_shrink_frac", "max_markets",
        "list_figures_sec", "screen_max_spread", "screen_min_days", "screen_max_days",
        "screen_min_age_days", "screen_tags", "screen_not_tags", "screen_max_fee", "screen_min_reward", "screen_ticks",
        "screen_hysteresis", "screen_min_stay_sec", "geoblock_url",
        "gateway", "adopt_orders", "adopt_shares", "gross_cap", "daily_loss_limit_pct", "requote_triggers",
        "stale_sec", "min_market_life_sec", "group_project_frac", "auto_merge", "merge_min_shares", "auto_redeem",
        "drawdown_limit_pct", "group_cap", "max_open_orders", "loss_kill_pct",
    }
)  # fmt: skip
DAY = 86_400.0
MARKET = "0xfed"


def an_instrument(**changes: Any) -> Instrument:
    """A market on a cent grid without dates and tags."""
    base = Instrument(
        market=MARKET, yes_token="1", no_token="2", title="?", tick_text="0.01", min_size=Shares(5_000_000)
    )
    return msgspec.structs.replace(base, **changes)


def profiles(tmp_path: Path, text: str = "", environment: dict[str, str] | None = None) -> Profiles:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return Profiles(load(path, environment or {}, {}))


def refused(tmp_path: Path, text: str) -> str:
    """What is said of a file that is not taken."""
    with pytest.raises(ConfigError) as caught:
        profiles(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "settings.toml"), "FILE")


def test_every_setting_is_either_of_a_market_or_of_all() -> None:
    names = {item.name for item in fields(Settings)}
    assert names - QUOTE_KEYS - GLOBAL == set(), "say of each new setting whether markets may differ in it"
    assert not QUOTE_KEYS & GLOBAL
    assert names >= QUOTE_KEYS


def test_every_value_of_the_built_in_profiles_differs_from_the_default_and_is_allowed(tmp_path: Path) -> None:
    made = profiles(tmp_path)
    for name, values in BUILT_IN.items():
        assert set(values) <= QUOTE_KEYS
        assert all(value != getattr(Settings(), key) for key, value in values.items()), name
        made.for_market(an_instrument(), Live(profile=name))


def test_profiles_of_a_topic_leave_the_ticks_of_the_grid_alone() -> None:
    in_ticks = {item.name for item in fields(Settings) if item.metadata["unit"] == "ticks"}
    for name in set(BUILT_IN) - set(TICK_PROFILES):
        assert not in_ticks & set(BUILT_IN[name]), name


@pytest.mark.parametrize(
    ("tick_text", "name"),
    [("0.1", "coarse"), ("0.01", "coarse"), ("0.005", "coarse"), ("0.0025", "coarse"), ("0.001", "fine"),
     ("0.0001", "fine")],
)  # fmt: skip
def test_the_grid_chooses_its_profile(tick_text: str, name: str) -> None:
    assert tick_profile(an_instrument(tick_text=tick_text).grid.tick) == name


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, ""),
        ({"tags": ("politics",)}, "politics"),
        ({"tags": ("Elections",), "start_unix": 0.0, "end_unix": 20 * DAY}, "politics"),
        ({"tags": ("politics",), "start_unix": 0.0, "end_unix": 10 * DAY}, ""),
        ({"tags": ("politics",), "start_unix": 0.0, "end_unix": DAY}, "short_dated"),
        ({"tags": ("crypto",), "start_unix": 0.0, "end_unix": 900.0}, "short_dated"),
        ({"start_unix": 5 * DAY, "end_unix": 4 * DAY}, ""),
        ({"end_unix": 900.0}, ""),
        ({"game_start_unix": 5.0}, "sports"),
        ({"tags": ("sports", "politics")}, "sports"),
    ],
)
def test_facts_suggest_a_profile(facts: dict[str, Any], name: str) -> None:
    assert profile_of(an_instrument(**facts)) == name


def test_a_profile_by_facts_only_fills_what_nobody_set(tmp_path: Path) -> None:
    made = profiles(tmp_path, "k_vol = 2.5\n", {"ALPHA_FAIR": "0.3"})
    got = made.for_market(an_instrument(tags=("sports",)))
    assert (got.settings.k_vol, got.settings.alpha_fair, got.settings.inv_gamma) == (2.5, 0.3, 1.5)
    assert got.profile == "coarse + sports"
    assert got.origins["k_vol"].endswith("settings.toml")
    assert got.origins["alpha_fair"] == "environment ALPHA_FAIR"
    assert got.origins["inv_gamma"] == "profile sports, by its facts"
    assert got.origins["micro_levels"] == "profile coarse, by its tick"
    assert got.origins["k_fee_ticks"] == "default"


def test_a_named_profile_overrules_what_holds_for_all_and_the_markets_table_overrules_it(tmp_path: Path) -> None:
    text = f'k_vol = 2.5\n[market."{MARKET}"]\nprofile = "sports"\nINV_GAMMA = 0.7\n'
    got = profiles(tmp_path, text).for_market(an_instrument(tick_text="0.001"))
    assert (got.settings.k_vol, got.settings.inv_gamma, got.settings.k_fee_ticks) == (3.0, 0.7, 3.0)
    assert got.profile == "fine + sports"
    assert got.origins["k_vol"] == "profile sports, named"
    assert got.origins["inv_gamma"].endswith('settings.toml: [market."0xfed"]')


def test_other_markets_do_not_see_a_markets_table(tmp_path: Path) -> None:
    made = profiles(tmp_path, '[market."0xother"]\nk_vol = 9.0\n')
    assert made.for_market(an_instrument()).settings.k_vol == Settings().k_vol
    assert made.for_market(an_instrument(market="0xother")).settings.k_vol == 9.0


def test_a_markets_table_is_found_whatever_the_case_of_its_id(tmp_path: Path) -> None:
    """A cap written for a market must hold for it, and a table that is nobody's must not be taken in silence."""
    made = profiles(tmp_path, '[market."0xABC"]\nk_vol = 9.0\n')
    assert made.for_market(an_instrument(market="0xabc")).settings.k_vol == 9.0
    for wrong in (
        '[market."central bank"]\nk_vol = 9.0\n',
        '[market."0xA"]\nk_vol = 9.0\n[market."0xa"]\nk_vol = 8.0\n',
    ):
        with pytest.raises(ConfigError, match="market"):
            profiles(tmp_path, wrong)


def test_what_was_measured_in_another_space_cannot_be_changed_live(tmp_path: Path) -> None:
    made = profiles(tmp_path, "")
    with pytest.raises(ConfigError, match="vol_space"):
        made.changed(an_instrument(), Live(), "", (("vol_space", "price"),))


def test_own_profiles_build_on_others(tmp_path: Path) -> None:
    text = (
        '[profiles.calm]\nbuilds_on = "politics"\nk_vol = 1.5\n[profiles.calmer]\nbuilds_on = "calm"\n'
        f'inv_gamma = 2.0\n[market."{MARKET}"]\nprofile = "calmer"\n'
    )
    made = profiles(tmp_path, text)
    settings = made.for_market(an_instrument()).settings
    assert (settings.k_vol, settings.inv_gamma, settings.alpha_fair) == (1.5, 2.0, 0.1)
    assert {"calm", "calmer", *BUILT_IN} == set(made.names)


def test_the_profile_of_the_other_tick_may_be_named(tmp_path: Path) -> None:
    got = profiles(tmp_path, f'[market."{MARKET}"]\nprofile = "coarse"\n').for_market(an_instrument(tick_text="0.001"))
    assert got.profile == "coarse"
    assert got.settings.k_fee_ticks == Settings().k_fee_ticks


def test_auto_goes_back_to_the_choice_by_facts(tmp_path: Path) -> None:
    text = f'[market."{MARKET}"]\nprofile = "politics"\n'
    game = an_instrument(game_start_unix=5.0)
    made = profiles(tmp_path, text)
    assert made.for_market(game).profile == "coarse + politics"
    assert made.for_market(game, Live(profile="auto")).profile == "coarse + sports"
    assert profiles(tmp_path, text.replace("politics", "auto")).for_market(game).profile == "coarse + sports"


def test_live_changes_win_add_up_and_can_be_taken_back(tmp_path: Path) -> None:
    made, market = profiles(tmp_path, f'[market."{MARKET}"]\nk_vol = 4.0\n'), an_instrument()
    first = made.changed(market, Live(), "fine", (("K_VOL", "5"),))
    second = made.changed(market, first, "", (("inv_gamma", " 0.5 "),))
    got = made.for_market(market, second)
    assert (got.settings.k_vol, got.settings.inv_gamma, got.profile) == (5.0, 0.5, "fine")
    assert got.origins["k_vol"] == got.origins["inv_gamma"] == "operator"
    third = made.changed(market, second, "auto", (("k_vol", ""),))
    assert made.for_market(market, third).settings.k_vol == 4.0
    assert made.for_market(market, third).profile == "coarse"


@pytest.mark.parametrize(
    ("profile", "changes", "hint"),
    [
        ("sprots", (), "no profile 'sprots'"),
        ("", (("k_vool", "1"),), "did you mean k_vol"),
        ("", (("k_vol", "nan"),), "wants a number"),
        ("", (("k_vol", "-1"),), "outside 0 .. 100"),
        ("", (("gross_cap", "0.1"),), "holds for the whole program"),
        ("", (("hard_cap_delta_pct", "3"),), "fraction: 0.03 means 3 %"),
        ("", (("hard_cap_delta_pct", "0.01"),), "soft_cap_delta_pct must be below"),
    ],
)
def test_live_changes_are_checked_as_at_start(
    profile: str, changes: tuple[tuple[str, str], ...], hint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=hint) as caught:
        profiles(tmp_path).changed(an_instrument(), Live(), profile, changes)
    assert str(caught.value).startswith("operator: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[profiles.x]\nk_vool = 1\n", "FILE: [profiles.x]: unknown setting 'k_vool'; did you mean k_vol?"),
        ("[profiles.x]\nk_vol = 'much'\n", "FILE: [profiles.x]: k_vol: wants a number, got 'much'"),
        ('[market."0xa"]\nsoft_cap_delta_pct = 1.5\n',
         'FILE: [market."0xa"]: soft_cap_delta_pct: 1.5 is outside 0 .. 0.5 fraction of bankroll; this is a fraction: '
         "0.015 means 1.5 %"),
        ('[market."0xa"]\nsoft_cap_delta_pct = 0.03\n',
         'FILE: [market."0xa"]: soft_cap_delta_pct must be below hard_cap_delta_pct; lower the one or raise the other'),
        ("[profiles.x]\nprice_min = 0.99\nprice_max = 0.5\n",
         "FILE: [profiles.x]: price_min must be below price_max; lower the one or raise the other"),
        ('[market."0xa"]\ngross_cap = 0.1\n',
         'FILE: [market."0xa"]: gross_cap holds for the whole program, not for one market; set it outside of tables'),
        ("[profiles.x]\ndaily_loss_limit_pct = 2.0\n",
         "FILE: [profiles.x]: daily_loss_limit_pct holds for the whole program, not for one market; "
         "set it outside of tables"),
        ('[market."0xa"]\nprofile = "y"\n',
         'FILE: [market."0xa"]: profile: there is no profile \'y\'; there are coarse, fine, politics, sports, '
         "short_dated, auto"),
        ('[market."0xa"]\nprofile = 3\n', 'FILE: [market."0xa"]: profile: wants the name of a profile, got 3'),
        ('[profiles.x]\nbuilds_on = "y"\n',
         "FILE: [profiles.x]: builds_on: there is no profile 'y'; there are coarse, fine, politics, sports, "
         "short_dated, x, auto"),
        ('[profiles.x]\nbuilds_on = "y"\n[profiles.y]\nbuilds_on = "x"\n',
         "FILE: [profiles.x]: builds_on: builds on itself; take one of x, y out"),
        ('[profiles.x]\nbuilds_on = "x"\n', "FILE: [profiles.x]: builds_on: builds on itself; take one of x out"),
        ("[profiles.sports]\nk_vol = 1.0\n",
         "FILE: [profiles.sports]: this name is taken by a profile of the program; choose another"),
        ("[profiles.auto]\nk_vol = 1.0\n",
         "FILE: [profiles.auto]: auto stands for the choice by facts; choose another name"),
        ("profiles = 3\n", "FILE: profiles: wants tables of settings, written as [profiles.NAME]"),
        ("[market]\nk_vol = 3\n", 'FILE: market: wants tables of settings, written as [market."0x..."]'),
        ("calendar = 3\n", "FILE: calendar: wants a list of tables, written as [[calendar]]"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_is_told_with_file_table_and_key(text: str, message: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == message


def test_no_flat_setting_within_its_range_makes_a_profile_by_facts_refuse_the_start(tmp_path: Path) -> None:
    short = {"tags": ("crypto",), "start_unix": 0.0, "end_unix": 3_600.0}
    for text in (
        "price_min = 0.5\n", "price_max = 0.02\n", "base_size_usd = 9e5\n", "soft_cap_delta_pct = 0.029\n",
        "fade_sec = 8000\n", "reduce_sec = 86000\n", "close_sec = 7200\n", "caution_window_sec = 140\n",
        "caution_vol_ratio = 3.1\n", "ewma_vol_window_sec = 250\n",
    ):  # fmt: skip
        made = profiles(tmp_path, text)
        for facts in ({}, {"tags": ("sports",)}, {"tick_text": "0.001", "tags": ("politics",)}, short):
            made.for_market(an_instrument(**facts))


def test_a_profile_by_facts_does_not_mix_its_own_half_of_a_schedule_with_yours(tmp_path: Path) -> None:
    game = an_instrument(game_start_unix=5.0)
    free, mine = profiles(tmp_path).for_market(game), profiles(tmp_path, "reduce_sec = 3600\n").for_market(game)
    alone = profiles(tmp_path, f'[market."{MARKET}"]\nreduce_sec = 7200\n').for_market(game).settings
    assert (alone.fade_sec, alone.reduce_sec) == (86_400.0, 7_200.0)
    schedule = [(each.settings.fade_sec, each.settings.reduce_sec, each.settings.close_sec) for each in (free, mine)]
    assert schedule == [(7_200.0, 900.0, 300.0), (86_400.0, 3_600.0, 1_800.0)]


def test_before_the_facts_are_known_the_table_alone_speaks(tmp_path: Path) -> None:
    text = f'[market."{MARKET}"]\nprofile = "sports"\nlayer_ratio = 2\n[market."0xb"]\nlayer_ratio = 1\n'
    made = profiles(tmp_path, text)
    assert made.tables == (MARKET, "0xb")
    known = made.without_facts(MARKET)
    assert (known.profile, known.settings.k_vol, known.settings.layer_ratio) == ("sports", 3.0, 2.0)
    assert made.without_facts("0xb").profile == ""
    assert {row["name"] for row in known.rows()} == QUOTE_KEYS


@given(st.dictionaries(st.sampled_from(sorted(QUOTE_KEYS)), st.text(max_size=6), max_size=3), st.text(max_size=6))
def test_whatever_an_operator_types_is_taken_whole_or_refused(changes: dict[str, str], profile: str) -> None:
    made, market = Profiles(load(None, {}, {})), an_instrument()
    try:
        live = made.changed(market, Live(), profile, tuple(changes.items()))
    except ConfigError:
        return
    settings = made.for_market(market, live).settings
    assert settings.soft_cap_delta_pct < settings.hard_cap_delta_pct
    assert settings.price_min < settings.price_max


def test_the_example_of_the_manual_is_accepted(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    example = manual.partition("```toml\n")[2].partition("```")[0]
    made = profiles(tmp_path, example)
    settings = made.without_facts("0x5c1e...").settings
    assert (settings.k_vol, settings.inv_gamma, settings.soft_cap_delta_pct) == (2.5, 0.5, 0.01)
    assert [row.text for row in made.calendar] == ["FOMC statement"]
