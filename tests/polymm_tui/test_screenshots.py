"""Pictures of the page: where they go, who can read them, and that none is lost."""

import stat
from pathlib import Path

import pytest

from polymm_tui.console.pictures import keep_picture, pictures_home
from tests.polymm_tui.piloting import console, find
from tests.widgets.harness import screen_text
from tests.widgets.view_builders import NOON, a_view


def test_a_picture_is_for_its_owner_and_takes_no_others_place(tmp_path: Path) -> None:
    home = tmp_path / "state" / "screenshots"
    first, second = (keep_picture(home, text, NOON) for text in ("<svg>1</svg>", "<svg>2</svg>"))
    assert [first.name, second.name] == ["20260101T120000Z.svg", "20260101T120000Z-2.svg"]
    assert (first.read_text(), second.read_text()) == ("<svg>1</svg>", "<svg>2</svg>")
    assert stat.S_IMODE(first.stat().st_mode) == 0o600 and stat.S_IMODE(home.stat().st_mode) == 0o700


def test_pictures_go_to_the_state_directory(tmp_path: Path) -> None:
    assert pictures_home({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "polymm-tui" / "screenshots"
    assert pictures_home({"POLYMM_STATE_DIR": str(tmp_path)}) == tmp_path / "screenshots"


async def test_the_palette_takes_one_and_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console(size=(200, 60), notifications=True) as (app, _, pilot):
        await find(pilot, "screenshot")
        (path,) = (tmp_path / "polymm-tui" / "screenshots").iterdir()
        assert path.name in screen_text(app).replace("\n", "") or "screenshot" in screen_text(app)
        assert "Fed&#160;cuts&#160;rates" in path.read_text() and a_view().mode.upper() in path.read_text()


async def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "polymm-tui").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console(notifications=True) as (app, _, pilot):
        await find(pilot, "screenshot")
        assert "not written" in screen_text(app) and app.is_running
