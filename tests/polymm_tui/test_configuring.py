"""What `polymm-tui config show` says of profiles and of single markets."""

import json
from pathlib import Path

import pytest

from core.errors import ConfigError
from polymm_tui import cli

TEXT = (
    'k_vol = 2.5\n[profiles.calm]\nbuilds_on = "politics"\ninv_gamma = 0.5\n'
    '[market."0xaa"]\nprofile = "calm"\nk_vol = 1.5\n[market."0xbb"]\nk_vol = 2.5\n'
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_rows_of_a_market_are_those_that_it_does_not_share(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who asks why one market quotes wider sees that market's values only, each with its origin."""
    assert cli.main(["config", "show", "--config", str(file), "--json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if "market" in row]
    told = {(row["market"], row["name"]): (row["value"], row["origin"]) for row in rows}
    table = f'{file}: [market."0xaa"]'
    assert told["0xaa", "profile"] == ("calm", table)
    assert told["0xaa", "k_vol"] == (1.5, table)
    assert told["0xaa", "inv_gamma"] == (0.5, "profile calm, named")
    assert told["0xaa", "alpha_fair"] == (0.1, "profile calm, named")
    assert told["0xbb", "profile"] == ("auto", f'{file}: [market."0xbb"]')
    assert {name for market, name in told if market == "0xbb"} == {"profile", "k_vol"}


def test_a_market_has_a_heading_of_its_own(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "show", "--config", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("market 0xaa")
    assert lines[start - 1] == "" and lines[start + 1].startswith("profile ")
    assert "market 0xbb" in lines


def test_a_mistake_in_a_table_ends_with_two_and_names_the_place(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[market."0xaa"]\nsoft_cap_delta_pct = 1.5\n', encoding="utf-8")
    assert cli.main(["config", "show", "--config", str(file)]) == ConfigError.exit_code
    assert f'{file}: [market."0xaa"]: soft_cap_delta_pct: 1.5 is outside' in capsys.readouterr().err
