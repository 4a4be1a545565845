"""Output without what the terminal shows already: the screen is the same, with fewer bytes."""

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.style import Style

from polymm_tui.terminal_output import Thrift

SEQUENCE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")


def painted(output: str) -> list[tuple[str, str]]:
    """Every character and every control but SGR in order, each with the style in force, told by a small terminal."""
    seen: list[tuple[str, str]] = []
    ink, ground, marks = "39", "49", set[str]()
    at = 0
    while at < len(output):
        found = SEQUENCE.match(output, at)
        if found is None:
            seen.append((output[at], f"{ink}/{ground}/{sorted(marks)}"))
            at += 1
            continue
        at = found.end()
        if found[2] != "m":
            bare = found[2] == "H" or found[1] == "?2026"
            seen.append((found[0], "" if bare else f"{ink}/{ground}/{sorted(marks)}"))
            continue
        codes = iter((found[1] or "0").split(";"))
        for code in codes:
            if code in ("38", "48"):
                kind = next(codes)
                colour = ";".join([code, kind, *(next(codes) for _ in range(3 if kind == "2" else 1))])
                ink, ground = (colour, ground) if code == "38" else (ink, colour)
            elif code == "0":
                ink, ground, marks = "39", "49", set()
            elif 30 <= int(code) <= 39 or 90 <= int(code) <= 97:
                ink = code
            elif 40 <= int(code) <= 49 or 100 <= int(code) <= 107:
                ground = code
            else:
                marks.add(code)
    return seen


colours = st.one_of(
    st.none(),
    st.sampled_from([Color.from_rgb(86, 180, 233), Color.from_rgb(0, 0, 0), Color.from_ansi(74), Color.from_ansi(196)]),
    st.sampled_from([Color.parse(name) for name in ("red", "bright_blue", "default")]),
)
styles = st.builds(
    Style, color=colours, bgcolor=colours, bold=st.booleans(), italic=st.booleans(), underline=st.booleans()
)
runs = st.tuples(st.text(alphabet="aé 😀", max_size=4), styles).map(lambda run: run[1].render(run[0]))
controls = st.sampled_from(
    ["\x1b[3;1H", "\x1b[12;40H", "\x1b[2J", "\x1b[K", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?1049l"]
)
writes = st.lists(st.lists(st.one_of(runs, controls), max_size=12).map("".join), max_size=6)


@given(writes)
def test_the_screen_is_the_same(frames: list[str]) -> None:
    """Whatever Rich may write: every character and every erasing stands in the style it was given."""
    thrift = Thrift()
    assert painted("".join(map(thrift.slim, frames))) == painted("".join(frames))


@given(writes)
def test_no_frame_grows(frames: list[str]) -> None:
    """But by the reset before the first character, because nobody knows how the terminal wrote before."""
    thrift = Thrift()
    assert sum(len(thrift.slim(frame)) for frame in frames) <= sum(map(len, frames)) + len("\x1b[0m")


def test_a_row_of_one_ground_says_it_once() -> None:
    ground = Style.parse("on #0f141b")
    row = "".join((ground + Style(color=f"#{n}{n}{n}{n}{n}{n}")).render("41.3 ") for n in range(1, 9))
    slim = Thrift().slim(row)
    assert slim.count("48;2") == 1 and slim.count("\x1b[0m") == 0
    assert len(slim) < 0.65 * len(row)


def test_what_was_left_on_the_terminal_is_not_taken_for_ours() -> None:
    """A style that a shell left behind ends before the first character."""
    assert Thrift().slim("a") == "\x1b[0ma"
