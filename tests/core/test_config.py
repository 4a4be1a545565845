"""Layers, origins, names, ranges and traps of the settings."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from core.config import Settings, environment_name, load, with_changes
from core.errors import ConfigError

SEED_NAMES = [
    "MIN_LIQUIDITY",
    "MIN_WEEKLY_VOLUME",
    "MIN_TREND",
    "MM_SCORE_MIN",
    "K_VOL",
    "K_FEE_TICKS",
    "ALPHA_FAIR",
    "EWMA_VOL_WINDOW_SEC",
    "INV_GAMMA",
    "SOFT_CAP_DELTA_PCT",
    "HARD_CAP_DELTA_PCT",
    "ORDER_LAYERS",
    "BASE_SIZE_USD",
    "MAX_SIZE_USD",
    "REQUOTE_MID_TICKS",
    "REQUOTE_QUEUE_LEVELS",
    "ORDER_MAX_AGE_SEC",
    "DAILY_LOSS_LIMIT_PCT",
]


def read(text: str = "", environment: dict[str, str] | None = None, tmp: Path | None = None, **flags: Any) -> Any:
    path = None
    if tmp is not None:
        path = tmp / "settings.toml"
        path.write_text(text, encoding="utf-8")
    return load(path, environment or {}, flags)


def test_later_layer_wins_and_its_origin_is_kept(tmp_path: Path) -> None:
    text = "k_vol = 3.0\nk_fee_ticks = 2.0\ninv_gamma = 0.5\n"
    effective = read(text, {"K_VOL": "4.0", "K_FEE_TICKS": "3"}, tmp_path, k_vol=5.0, seed=None)
    settings, origins = effective.settings, effective.origins
    assert (settings.k_vol, settings.k_fee_ticks, settings.inv_gamma, settings.seed) == (5.0, 3.0, 0.5, 1)
    assert origins["k_vol"] == "flag --k-vol"
    assert origins["k_fee_ticks"] == "environment K_FEE_TICKS"
    assert origins["inv_gamma"] == str(tmp_path / "settings.toml")
    assert origins["seed"] == "default"


def test_every_setting_is_listed_with_value_unit_origin_and_sentence() -> None:
    rows = load(None, {"K_VOL": "3"}, {}).rows()
    assert [row["name"] for row in rows] == [item.name for item in fields(Settings)]
    assert all(row["text"] and set(row) == {"name", "value", "unit", "origin", "text"} for row in rows)
    assert {row["name"]: (row["value"], row["origin"]) for row in rows}["k_vol"] == (3.0, "environment K_VOL")


def test_defaults_are_within_their_own_ranges() -> None:
    flags = {item.name: getattr(Settings(), item.name) for item in fields(Settings)}
    assert load(None, {}, flags).settings == Settings()


@pytest.mark.parametrize("name", SEED_NAMES)
def test_names_of_the_seed_are_honoured(name: str) -> None:
    value = {"SOFT_CAP_DELTA_PCT": "0.01", "HARD_CAP_DELTA_PCT": "0.04", "MAX_SIZE_USD": "1"}.get(name, "1")
    value = {"MIN_TREND": "0.5", "ALPHA_FAIR": "0.5"}.get(name, value)
    effective = load(None, {name: value}, {})
    assert effective.origins[name.lower()] == f"environment {name}"
    assert getattr(effective.settings, name.lower()) == float(value)


def test_rpc_address_has_the_seeds_name_and_general_names_have_a_prefix() -> None:
    environment = {
        "POLYGON_RPC_URL": "http://a",
        "SEED": "9",
        "MODE": "live",
        "POLYMM_SEED": "7",
        "CLOB_URL": "http://b",
    }
    settings = load(None, environment, {}).settings
    assert (settings.rpc_url, settings.seed, settings.mode) == ("http://a", 7, "demo")
    assert settings.clob_url == Settings().clob_url
    assert len({environment_name(item.name) for item in fields(Settings)}) == len(fields(Settings))


def test_empty_variable_counts_as_not_given() -> None:
    assert load(None, {"K_VOL": ""}, {}).settings.k_vol == Settings().k_vol


@pytest.mark.parametrize(
    ("key", "hint"), [("k_vool", "did you mean k_vol"), ("ORDER_LAYER", "order_layers"), ("zzz", "config show")]
)
def test_unknown_name_is_an_error_with_the_nearest_one(key: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=hint):
        read(f"{key} = 1", tmp=tmp_path)


@pytest.mark.parametrize("text", ["k_vol = ", "[k_vol", "k_vol = 1\nk_vol = 2", "\x00"])
def test_file_that_is_no_toml_is_told_with_its_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"settings\.toml"):
        read(text, tmp=tmp_path)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.toml", {}, {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "bytes.toml", {}, {})


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("soft_cap_delta_pct", "1.5", "fraction: 0.015 means 1.5 %"),
        ("hard_cap_delta_pct", "3", "fraction: 0.03 means 3 %"),
        ("market_cap", "0.51", "outside 0.0001 .. 0.5"),
        ("group_cap", "0.51", "outside 0.0001 .. 0.5"),
        ("gross_cap", "0.51", "outside 0.0001 .. 0.5"),
        ("daily_loss_limit_pct", "0.01", "per cent: 1.0 means 1 %"),
        ("daily_loss_limit_pct", "0", "per cent"),
        ("order_layers", "0", "outside 1 .. 10 layers"),
        ("alpha_fair", "1", "outside"),
        ("metrics_port", "70000", "outside 0 .. 65535"),
        ("soft_cap_delta_pct", "0.03", "below hard_cap_delta_pct"),
        ("hard_cap_delta_pct", "0.015", "below hard_cap_delta_pct"),
        ("price_min", "0.99", "price_min must be below"),
        ("base_size_usd", "-1", "outside"),
    ],
)
def test_value_out_of_range_or_in_the_wrong_unit_is_refused_with_a_hint(name: str, value: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        load(None, {environment_name(name): value}, {})


def test_base_size_may_not_exceed_the_most() -> None:
    with pytest.raises(ConfigError, match="must not exceed"):
        load(None, {"BASE_SIZE_USD": "300", "MAX_SIZE_USD": "200"}, {})


@pytest.mark.parametrize("name", ["base_size_usd", "max_size_usd", "max_order_usd"])
def test_a_size_over_the_bankroll_is_refused_with_key_value_and_bound(name: str, tmp_path: Path) -> None:
    environment = {"BANKROLL_USD": "500", environment_name(name): "501"}
    words = f"{name}: 501 is over bankroll_usd of 500 dollars; lower it, or raise that"
    with pytest.raises(ConfigError, match=words):
        load(None, environment, {})
    load(None, environment | {environment_name(name): "500"}, {})
    load(None, {environment_name(name): "501"}, {})


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-inf", "1e400", "0x10", "1,5", "true", "1 2"])
@pytest.mark.parametrize("name", ["k_vol", "order_layers", "bankroll_usd"])
def test_text_that_is_no_number_is_refused(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(f"{name} = {value!r}", tmp=tmp_path)


@pytest.mark.parametrize("value", ["inf", "nan", "true", "1.5", "1e400", "9" * 400, "[1]", "1979-05-27"])
@pytest.mark.parametrize("name", ["order_layers", "seed"])
def test_toml_value_that_is_no_integer_is_refused(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(f"{name} = {value}", tmp=tmp_path)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "false", "9" * 400, "{}"])
def test_toml_value_that_is_no_number_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(f"k_vol = {value}", tmp=tmp_path)


@pytest.mark.parametrize(
    ("value", "wanted"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)]
)
def test_flag_is_read_from_the_usual_words(value: str, wanted: bool) -> None:
    assert load(None, {"REWARD_BUMP": value}, {}).settings.reward_bump is wanted


@pytest.mark.parametrize("value", ["maybe", "2", "truee"])
def test_flag_of_another_word_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="true or false"):
        load(None, {"REWARD_BUMP": value}, {})


def test_choice_outside_its_words_is_refused() -> None:
    with pytest.raises(ConfigError, match="demo, paper, live"):
        load(None, {"POLYMM_MODE": "Live"}, {})


def test_markets_come_as_a_list_or_as_one_text(tmp_path: Path) -> None:
    assert read('markets = ["0xa", "0xb"]', tmp=tmp_path).settings.markets == ("0xa", "0xb")
    assert load(None, {"POLYMM_MARKETS": " 0xa, ,0xb ,"}, {}).settings.markets == ("0xa", "0xb")
    with pytest.raises(ConfigError, match="list of texts"):
        read("markets = [1]", tmp=tmp_path)


def test_text_setting_wants_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wants text"):
        read("clob_url = 5", tmp=tmp_path)


def test_tables_of_a_file_are_kept_apart_from_its_settings(tmp_path: Path) -> None:
    text = (
        'k_vol = 3\n[profiles.mine]\nk_vol = 4\n[market."0xA"]\nprofile = "mine"\n'
        '[[calendar]]\napplies_to = "*"\n[[calendar]]\napplies_to = "sports"\n'
    )
    effective = read(text, tmp=tmp_path)
    tables = effective.tables
    assert effective.settings.k_vol == 3.0
    assert tables.source == str(tmp_path / "settings.toml")
    assert (tables.profiles, tables.markets) == ({"mine": {"k_vol": 4}}, {"0xA": {"profile": "mine"}})
    assert [row["applies_to"] for row in tables.calendar] == ["*", "sports"]
    assert load(None, {}, {}).tables.profiles == {}


def test_changes_of_settings_pass_the_checks_of_the_start() -> None:
    base = Settings()
    assert with_changes(base, {"K_VOL": "3", "size_cutoff": None, "price_max": 0.9}, "x").k_vol == 3.0
    for changes, message in (
        ({"k_vool": 1}, "x: unknown setting 'k_vool'; did you mean k_vol?"),
        ({"k_vol": "nan"}, "x: k_vol: wants a number, got 'nan'"),
        ({"k_vol": None}, "x: k_vol: wants a number, got None"),
        ({"soft_cap_delta_pct": 0.03}, "x: soft_cap_delta_pct must be below hard_cap_delta_pct"),
    ):
        with pytest.raises(ConfigError) as caught:
            with_changes(base, changes, "x")
        assert str(caught.value).startswith(message)
    assert base == Settings()


def test_a_setting_under_the_wrong_name_of_the_environment_is_refused() -> None:
    """An operator who believes that queues are kept must not find out at the next crash."""
    assert load(None, {"POLYMM_ADOPT_ORDERS": "true"}, {}).settings.adopt_orders
    rpc = {"POLYMM_RPC_URL": "http://here", "POLYGON_RPC_URL": "http://there"}
    assert load(None, rpc, {}).settings.rpc_url == "http://here", "the program's own name goes before an alias"
    with pytest.raises(ConfigError, match="POLYMM_STALE_SEC: this setting is called STALE_SEC there"):
        load(None, {"POLYMM_STALE_SEC": "3"}, {})
