"""A key map with an error is never used, and the message says file, line and remedy."""

import json
from itertools import combinations

import pytest

from polymm_tui import cli, keymap
from polymm_tui.keymap import KeymapResult, builtin_keymap, default_keymap_path, key_text, load_keymap
from polymm_tui.operator import ACT_BY_ID, ACTIVE_TOGETHER, ACTS, ALIKE


@pytest.fixture
def read(tmp_path):
    def _read(source: str | bytes) -> KeymapResult:
        path = tmp_path / "keymap.toml"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return load_keymap(path)

    return _read


def refused(result: KeymapResult) -> str:
    """The one message of a map that was not used."""
    assert result.keys == builtin_keymap().keys
    assert set(result.origins.values()) == {"default"}
    assert len(result.messages) == 1
    return result.messages[0]


def test_without_a_map_the_defaults_stand(tmp_path):
    result = load_keymap(tmp_path / "none.toml")
    assert result.messages == ()
    assert result.keys == builtin_keymap().keys


def test_a_map_changes_what_it_names_and_nothing_else(read):
    result = read('[market]\nwiden = "{"\ntighten = ["}", "ctrl+t"]\n')
    assert result.messages == ()
    assert result.keys["market.widen"] == ("{",)
    assert result.keys["market.tighten"] == ("}", "ctrl+t")
    assert result.keys["market.pause"] == ("p",)
    assert result.origins["market.widen"].endswith("keymap.toml")
    assert result.origins["market.pause"] == "default"


def test_keys_may_be_swapped(read):
    result = read('[market]\npause = "r"\nresume = "p"\n[all]\npause = "r"\nresume = "p"\n')
    assert result.messages == ()
    assert (result.keys["market.pause"], result.keys["market.resume"]) == (("r",), ("p",))


def test_dotted_names_mean_the_same(read):
    assert read('market.pause = "P"\n').keys["market.pause"] == ("P",)


@pytest.mark.parametrize("spelling", ["Ctrl+K", "ctrl+k", " ctrl+k "])
def test_spelling_of_a_key_is_made_one(read, spelling):
    assert read(f'[market]\nwiden = "{spelling}"\n').keys["market.widen"] == ("ctrl+k",)


def test_a_syntax_error_names_its_line(read):
    message = refused(read('[market]\npause = "p"\nwiden = \n'))
    assert "keymap.toml:3: not valid TOML" in message


def test_text_that_is_no_utf8_is_an_error_not_a_crash(read):
    assert "cannot be read" in refused(read(b"\xff\xfe"))


def test_an_unknown_act_names_the_nearest(read):
    message = refused(read('# mine\n[market]\npauze = "p"\n'))
    assert "keymap.toml:3:" in message
    assert "there is no act 'market.pauze'; did you mean 'market.pause'?" in message


def test_a_key_of_another_act_names_both(read):
    message = refused(read('[market]\n\nwiden = "p"\n'))
    assert "keymap.toml:3: market.widen has the key 'p' of market.pause" in message


def test_two_lines_that_clash_are_both_named(read):
    message = refused(read('[market]\nwiden = "Y"\nresume = "Y"\n'))
    assert "keymap.toml:3" in message and "keymap.toml:2" in message
    assert "market.widen" in message and "market.resume" in message


def test_a_page_key_clashes_with_a_key_that_works_everywhere(read):
    assert "app.quit" in refused(read('[market]\npause = "q"\n'))


def test_a_dialog_key_clashes_with_the_kill_key(read):
    assert "app.kill" in refused(read('[app]\nkill = "f9"\n[confirm]\nchoose = "f9"\n'))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('[all]\ncancel = "w"\n', "all.cancel has the key 'w' of market.widen (its default)"),
        ('[market]\npause = "r"\nresume = "p"\n', "market.pause has the key 'r' of all.resume (its default)"),
        ('[view]\nzoom = "y"\n', "view.zoom has the key 'y' of confirm.yes (its default)"),
    ],
)
def test_a_key_that_would_mean_two_things_is_refused_though_its_scopes_never_meet(read, source, words):
    """After the leader key has timed out, the key that should cancel everything must not widen a market."""
    message = read(source).messages[0]
    assert words in message and message.endswith("one key means one thing everywhere")


def test_a_key_of_its_own_behind_the_leader_is_free_to_choose(read):
    assert read('[all]\ncancel = "%"\n').messages == ()


def test_in_the_table_one_key_means_one_thing_everywhere():
    """Whatever has the focus and whatever is asked: two acts share a key only where it means the same."""
    owners: dict[str, list[str]] = {}
    for act in ACTS:
        for key in act.keys:
            owners.setdefault(key, []).append(act.id)
    shared = {key: ids for key, ids in owners.items() if len(ids) > 1}
    for first, second in (pair for ids in shared.values() for pair in combinations(ids, 2)):
        assert any({first, second} <= alike for alike in ALIKE), (first, second)
    assert {key for key in shared if len(key) == 1} == {"p", "d", "r", "x", "F", "f", "k", "q"}


def test_what_counts_as_the_same_meaning_is_in_the_table():
    assert frozenset().union(*ALIKE) <= set(ACT_BY_ID)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("alt+p", "escape sequence"),
        ("ctrl+c", "interrupts"),
        ("ctrl+h", "backspace"),
        ("ctrl+s", "flow control"),
        ("f1", "terminals take it"),
        ("ctrl+enter", "do not send it"),
        ("banana", "no such key"),
        ("ctrl+shift+banana", "no such key"),
        ("ctrl+", "no such key"),
        ("ü", "ASCII"),
    ],
)
def test_keys_that_do_not_arrive_are_refused(read, key, why):
    assert why in refused(read(f'[view]\nzoom = "{key}"\n'))


@pytest.mark.parametrize("act", ["form.preview", "entry.keep"])
def test_characters_cannot_be_keys_where_one_types(read, act):
    """They would be missing in the text."""
    assert "characters are typed into the fields" in refused(read(f'{act} = "P"\n'))


def test_a_form_may_have_control_keys(read):
    assert not read('[form]\npreview = "ctrl+y"\n').messages


@pytest.mark.parametrize("key", ["escape", "enter", "tab", "space", "up", "pagedown", "delete", "backspace"])
@pytest.mark.parametrize("act", ["market.flatten", "market.pause", "app.kill", "all.cancel", "kill.again"])
def test_keys_of_movement_never_trade(read, act, key):
    assert "must never move money" in "\n".join(read(f'{act} = "{key}"\n').messages)


def test_enter_never_says_yes_by_itself(read):
    assert "a yes needs a key of its own" in "\n".join(read('confirm.yes = "enter"\n').messages)


@pytest.mark.parametrize("act", ["app.kill", "all.kill", "all.cancel", "all.pause", "app.quit", "app.help"])
def test_protected_acts_keep_a_key(read, act):
    assert f"keymap.toml:1: {act} must keep a key" in refused(read(f"{act} = []\n"))


@pytest.mark.parametrize("scope", sorted({scope for scopes in ACTIVE_TOGETHER for scope in scopes}))
def test_no_map_takes_the_key_of_kill_in_any_scope(read, scope):
    """Behind a dialog, in an input, in the filter: an act on the key of KILL would shadow it there."""
    act = next(act for act in ACTS if act.scope == scope and act.keys and act.id != "app.kill")
    source = f'app.kill = "ctrl+k"\n{act.id} = ["ctrl+k"]\n'
    message = read(source).messages[0]
    assert act.id in message and "app.kill" in message
    assert read(source).keys["app.kill"] == ("f12",)


def test_kill_keeps_a_key_that_no_input_swallows(read):
    message = refused(read('[app]\nkill = "%"\n'))
    assert "keymap.toml:2: app.kill must keep a key that is no character" in message


@pytest.mark.parametrize("value", ["3", "true", "[1]", '{ key = "p", more = 1 }'])
def test_values_that_are_no_keys_are_refused(read, value):
    messages = read(f"[market]\npause = {value}\n").messages
    assert messages and all("keymap.toml:2" in message or "keymap.toml:1" in message for message in messages)


def test_every_error_is_told(read):
    assert len(read('[market]\npauze = "p"\nwiden = "alt+w"\n').messages) == 2


def test_a_broken_default_map_does_not_stop_the_program(tmp_path):
    broken = tmp_path / "default.toml"
    broken.write_text("[")
    assert refused(load_keymap(None, broken))


def test_the_comma_reaches_textual_by_name(read):
    assert read('[market]\nwiden = ","\n').textual()["market.widen"] == "comma"


def test_rows_tell_key_origin_and_sentence():
    rows = builtin_keymap().rows()
    assert ("market.pause", "p", "default", "Stop quoting this market and cancel its orders.") in rows


def test_the_table_in_force_is_printed_with_origins(tmp_path, monkeypatch, capsys):
    """`polymm-tui keys`: whoever is in doubt about a key sees what holds, and why their own map does not."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "polymm-tui").mkdir()
    own = tmp_path / "polymm-tui" / "keymap.toml"
    own.write_text('[market]\nwiden = "{"\n')
    assert cli.main(["keys"]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["market.widen"][1:3] == ["{", str(own)]
    assert lines["app.rearm"][1:3] == ["palette", "default"]
    assert set(lines) == set(ACT_BY_ID)
    own.write_text('[market]\nwiden = "p"\n')
    assert cli.main(["keys", "--json"]) == 2
    captured = capsys.readouterr()
    assert "market.widen has the key 'p' of market.pause" in captured.err
    rows = {row["act"]: row for row in json.loads(captured.out)}
    assert rows["market.widen"]["keys"] == ["w"] and rows["market.widen"]["origin"] == "default"


def test_labels_are_what_stands_on_the_key():
    assert [key_text(key) for key in ("ctrl+p", "down", "escape", "F", "f12")] == ["^P", "↓", "esc", "F", "f12"]


@pytest.mark.parametrize("place", ["polymm_tui/keymap.toml", "keymap.toml"])
def test_the_shipped_map_is_found_in_a_wheel_and_in_a_checkout(tmp_path, monkeypatch, place):
    (tmp_path / "polymm_tui").mkdir()
    (tmp_path / place).write_text("")
    monkeypatch.setattr(keymap, "__file__", str(tmp_path / "polymm_tui" / "keymap.py"))
    assert default_keymap_path() == tmp_path / place


def test_without_a_shipped_map_the_table_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(keymap, "__file__", str(tmp_path / "polymm_tui" / "keymap.py"))
    assert default_keymap_path() is None
    assert load_keymap().keys == builtin_keymap().keys
