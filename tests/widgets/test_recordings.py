"""The recordings: what each row says, where the cursor stays, and that the replay command can be pasted."""

import shlex

import msgspec
import pytest
from rich.cells import cell_len

from core.views import RecordingView
from tests.widgets.harness import WidgetApp, pictures, screen_text, texts
from tests.widgets.view_builders import NOON
from widgets.recordings import Recordings, recording_rows


def a_recording(number: int = 1, **changes: object) -> RecordingView:
    """One that ended in order."""
    base = RecordingView(
        path=f"/state/demo/recordings/20260101T12{number:02d}00Z", began_unix=NOON - 3_600 * number, lasted_s=725.0,
        disk_bytes=1_234_567, frames=12_345, markets=4, source="demo, polymm-tui 1.0",
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


SOME = (
    a_recording(3, running=True, lasted_s=42.0, frames=800),
    a_recording(2, frames=None, trouble="not ended in order: it may lack its last second"),
    a_recording(1),
)


def test_a_row_says_everything_there_is_room_for():
    head, *rows = texts(recording_rows(SOME, 0, 0, 100, 12))
    assert head.split() == ["RECORDING", "LASTED", "SIZE", "BEGAN,", "UTC", "FRAMES", "MKTS", "FROM"]
    assert rows[0].split()[:5] == ["›●20260101T120300Z", "42s", "1.2", "MB", "01"]
    assert "▲20260101T120200Z" in rows[1] and " – " in rows[1]
    assert rows[2].endswith("12,345    4 demo, polymm-tui 1.0")


def test_a_recording_under_way_cannot_be_played_and_says_so():
    assert "once it is stopped" in texts(recording_rows(SOME, 0, 0, 100, 12))[-1]


@pytest.mark.parametrize("path", ["/state/plain", "/with space/and 'quote'", "/state/$(rm -rf ~)"])
def test_the_replay_command_can_be_pasted_into_a_shell(path):
    last = texts(recording_rows((a_recording(path=path),), 0, 0, 120, 12))[-1]
    assert shlex.split(last.removeprefix("replay")) == ["polymm-tui", "replay", path]


def test_trouble_is_told_in_words_beside_its_sign():
    rows = texts(recording_rows(SOME, 1, 0, 100, 12))
    assert rows[-2] == "trouble not ended in order: it may lack its last second"
    assert rows[-1].startswith("replay  polymm-tui replay /state/demo/recordings/20260101T120200Z")


@pytest.mark.parametrize("width", [20, 40, 46, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 5, 9, 30])
def test_it_fits_any_pane(width, height):
    odd = a_recording(frames=10**15, disk_bytes=10**18, lasted_s=1e18, began_unix=1e300, markets=10**9)
    for recordings in ((), SOME, (odd,), SOME * 20):
        rows = recording_rows(recordings, 0, 0, width, height)
        assert len(rows) <= max(height, 2)
        assert all(cell_len(row.text) <= max(width, 46) for row in rows)


async def test_the_cursor_stays_on_its_recording_when_a_new_one_comes():
    widget = Recordings()
    async with WidgetApp(widget, lambda: widget.show(SOME[1:], NOON)).run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        assert widget.selected == SOME[1]
        widget.move(1)
        widget.move(1)
        assert widget.selected == SOME[2]
        widget.show(SOME, NOON)
        assert widget.selected == SOME[2]
        assert widget.rows[3].text.startswith("› 20260101T120100Z")
        widget.show(SOME[:1], NOON)
        assert widget.selected == SOME[0], "one that is gone leaves the cursor on the first"
        widget.show((), NOON)
        widget.move(1)
        assert widget.selected is None


async def test_the_cursor_stays_in_sight_in_a_long_list():
    widget = Recordings()
    many = [a_recording(number) for number in range(40)]
    async with WidgetApp(widget, lambda: widget.show(many, NOON)).run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        for step in (1,) * 45 + (-1,) * 45:
            widget.move(step)
            assert any(row.text.startswith("›") for row in widget.rows)
        assert "Recordings 40" in widget._border_title.plain


async def test_an_empty_pane_says_how_one_is_begun():
    widget = Recordings()
    async with WidgetApp(widget, lambda: widget.show((), NOON)).run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert "no recordings" in screen_text(pilot.app) and "record start" in screen_text(pilot.app)


@pictures
@pytest.mark.parametrize("state", ["some", "empty"])
def test_picture(snap_compare, state):
    widget = Recordings()
    shown = {"some": SOME, "empty": ()}[state]
    app = WidgetApp(widget, lambda: (widget.show(shown, NOON), widget.move(1)))
    assert snap_compare(app, terminal_size=(100, 12))
