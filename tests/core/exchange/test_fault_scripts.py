"""Fault scripts: what they mean, and what a mistake in one is answered with."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from core.errors import UsageError
from core.exchange.exchange import Exchange
from core.exchange.faults import verbs
from core.exchange.faults.director import Director
from core.exchange.faults.lines import table_lines
from core.exchange.faults.rules import When
from core.exchange.faults.script import load, read_python, read_toml
from core.exchange.faults.verbs import VERBS
from core.exchange.frames import MarketFrame, MarketKind
from core.exchange.limits import Limits
from core.units import MICRO, Shares

REFERENCE = Path(__file__).parents[3] / "docs" / "exchange-scripts.md"


def toml(text: str) -> str:
    return dedent(text).lstrip("\n")


def test_a_tick_may_be_a_number_or_a_text() -> None:
    for tick in ("0.001", '"0.001"'):
        (rule,) = read_toml(f'[[fault]]\nat = 1\ndo = "tick_change"\nmarket = 0\ntick = {tick}\n', "s")
        assert str(rule.verb.tick) == "0.001"  # type: ignore[attr-defined]


def test_a_script_in_toml_becomes_rules() -> None:
    rules = read_toml(
        toml(
            """
            [[fault]]               # line 1
            do = "freeze"
            at = 5
            for = 20.5
            market = 0
            tokens = ["yes"]

            [[fault]]
            do = "http"
            on = "request:POST /order"
            nth = 3
            times = "always"
            status = 403
            body = "html"
            headers = { "Retry-After" = "2" }
            when = { open_orders_at_least = 2 }
            """
        ),
        "f.toml",
    )
    freeze, http = rules
    assert freeze.place() == "f.toml:1" and http.place("when") == "f.toml:16"
    assert freeze.verb == verbs.Freeze(for_s=20.5, market=0, tokens=("yes",))
    assert freeze.trigger.at == 5 and freeze.trigger.limit == 1
    assert isinstance(http.verb, verbs.Http)
    assert http.verb.request == "POST /order", "the requests meant are those that set it off"
    assert http.verb.headers == {"Retry-After": "2"}
    assert (http.trigger.nth, http.trigger.limit) == (3, None)
    assert http.trigger.when == When(open_orders_at_least=2)


def test_the_channel_and_the_kind_follow_from_the_event() -> None:
    (rule,) = read_toml('[[fault]]\ndo = "drop"\non = "user:trade:MATCHED"', "f")
    assert isinstance(rule.verb, verbs.Drop)
    assert (rule.verb.channel, rule.verb.kinds) == ("user", ("trade",))
    (rule,) = read_toml('[[fault]]\ndo = "drop"\nat = 1', "f")
    assert isinstance(rule.verb, verbs.Drop) and rule.verb.channel == "market"


HEAD = '[[fault]]\ndo = "{}"\nat = 1\n'
MISTAKES = [
    ('[[fault]]\ndo = "freez"\nat = 1', 2, "do", "did you mean freeze?"),
    ("[[fault]]\nat = 1", 1, "", "do is missing: name one of"),
    ("[[fault]]\ndo = 3\nat = 1", 2, "do", "3 is no verb"),
    ('[[fault]]\ndo = "reset"', 1, "", "nothing sets it off: give at, every, on or when"),
    (HEAD.format("http"), 1, "", "http wants status: an HTTP status, 200 to 599"),
    (HEAD.format("http") + "status = 99", 4, "status", "wants an HTTP status, 200 to 599, got 99"),
    (HEAD.format("http") + 'status = 500\nbody = "xml"', 5, "body", "wants one of json, html, empty, got 'xml'"),
    (HEAD.format("http") + 'status = 500\nrequest = "/order"', 5, "request", 'a method and a path'),
    (HEAD.format("freeze") + "fro = 3", 4, "fro", "did you mean for?"),
    (HEAD.format("freeze") + 'for = "20s"', 4, "for", "wants seconds, at least 0.001, got '20s'"),
    (HEAD.format("freeze") + "for = 0", 4, "for", "got 0"),
    (HEAD.format("freeze") + "for = nan", 4, "for", "got nan"),
    ('[[fault]]\ndo = "reset"\nevery = 0.0004', 3, "every", "wants seconds, at least 0.001, got 0.0004"),
    (HEAD.format("freeze") + "for = true", 4, "for", "got True"),
    (HEAD.format("freeze") + 'tokens = "yes"', 4, "tokens", "'yes' wants market too"),
    (HEAD.format("freeze") + 'market = 0\ntokens = [\n  "yes",\n  "maybe"\n]', 5, "tokens", "'maybe' is neither"),
    (HEAD.format("freeze") + "market = 0\ntokens = []", 5, "tokens", "names none"),
    (HEAD.format("freeze") + 'heals = "never"', 4, "heals", "wants one of time, resubscribe, reconnect"),
    (HEAD.format("freeze") + 'channel = "user"\nheals = "resubscribe"', 5, "heals", "nothing is subscribed by token"),
    (HEAD.format("burst"), 1, "", "burst wants for"),
    (HEAD.format("delay") + "ms = 1.5", 4, "ms", "wants milliseconds, a whole number"),
    (HEAD.format("drop") + 'kinds = ["trade", "book"]', 4, "kinds", "book does not come on the user channel"),
    (HEAD.format("bad_hash") + 'kinds = ["book", "best_bid_ask"]', 4, "kinds", "book, dump, price_change state a hash"),
    (HEAD.format("drop") + 'key = "k"', 4, "key", "the market channel belongs to no key"),
    (HEAD.format("reset") + 'channel = "user"\nmarket = 0', 4, "channel", "narrow by key"),
    (HEAD.format("disconnect") + "code = 1006", 4, "code", "1006 is never sent"),
    (HEAD.format("disconnect") + f'reason = "{"x" * 124}"', 4, "reason", "at most 123 bytes"),
    (HEAD.format("http") + "status = 204", 1, "body", '204 has no body; give body = "empty"'),
    (HEAD.format("http") + 'status = 500\nheaders = { a = "b", "c d" = "" }', 5, "headers.c d", "no header"),
    (HEAD.format("http") + 'status = 500\n[fault.headers]\na = "\\n"', 6, "headers.a", "printable"),
    (HEAD.format("redirect") + 'to = "x\\r\\ny"', 4, "to", "printable ASCII"),
    (HEAD.format("clock_offset") + "seconds = 0", 4, "seconds", "changes nothing"),
    (HEAD.format("version") + "to = 2", 4, "to", "2 is what the venue says anyway"),
    (HEAD.format("disagree") + 'market = 0\nwhat = "title"', 5, "what", "wants one of neg_risk, group, tokens"),
    (HEAD.format("disagree") + 'market = 0\nwhat = "ended"\nsource = "clob"', 5, "what", "has no word of ended"),
    (HEAD.format("disagree") + 'what = "tick"', 1, "", "disagree wants market"),
    (HEAD.format("sheet") + 'what = "lost"', 4, "what", "wants one of denied, missing, quota"),
    (HEAD.format("allowance") + 'asset = "conditional"\nspender = "router"', 5, "spender", "takes no conditional"),
    (HEAD.format("tick_change") + 'market = 0\ntick = "0.02"', 5, "tick", "wants one of 0.1, 0.01"),
    (HEAD.format("reset") + 'on = "trade"', 4, "on", "an event and a time cannot"),
    (HEAD.format("reset") + "nth = 2", 4, "nth", "counts events"),
    (HEAD.format("reset") + "chance = 0.5", 4, "chance", "wants occasions"),
    (HEAD.format("reset") + "times = 2", 4, "times", "a moment comes once"),
    (HEAD.format("reset") + "when = { trades_at_least = 1 }\ntimes = 2", 5, "times", "a moment comes once"),
    ('[[fault]]\ndo = "reset"\nevery = 1\ntimes = 0', 4, "times", 'wants a whole number of at least 1, or "always"'),
    ('[[fault]]\ndo = "reset"\nevery = 1\nchance = 2', 4, "chance", "wants a probability above 0, up to 1, got 2"),
    ('[[fault]]\ndo = "reset"\non = "frame:boook"', 3, "on", '"frame:KIND"'),
    ('[[fault]]\ndo = "reset"\nwhen = 3', 3, "when", "wants a table with open_orders_at_least"),
    ('[[fault]]\ndo = "reset"\nwhen = { trades = 3 }', 3, "when.trades", "no such predicate"),
    ('[[fault]]\ndo = "reset"\n\n[fault.when]\n# two\ntrades_at_least = -1', 6, "when.trades_at_least", "got -1"),
    ('[[fault]]\ndo = "reset"\nwhen.trades_at_least = "x"', 3, "when.trades_at_least", "got 'x'"),
    ('title = 1\n[[fault]]\ndo = "reset"\nat = 1', 1, "title", "a script has [[fault]] tables only"),
    ('[[fault]]\ndo = "reset"\nat = 1\n[other]\nx = 1', 4, "other", "a script has [[fault]] tables only"),
    ('fault = [{ do = "reset", at = 1 }]', 1, "fault", "headed [[fault]]"),
    ('\n[fault]\ndo = "reset"', 2, "fault", "headed [[fault]]"),
    ("", 1, "", "no fault in it"),
    ("[[fault]]\ndo = ", 2, "", "not valid TOML"),
    (HEAD.format("reset") + HEAD.format("say") + 'text = """\nat = 1\n"""\nat2 = 1', 10, "at2", "say has no such"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES)
def test_a_mistake_is_told_by_file_line_and_key_with_what_is_allowed(
    text: str, line: int, key: str, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_toml(text, "faults.toml")
    told = str(caught.value)
    assert told.startswith(f"faults.toml:{line}: {key}: " if key else f"faults.toml:{line}: "), told
    assert words in told


def test_lines_are_right_in_an_ugly_text() -> None:
    """Multi-line strings and arrays that look like headers, repeated keys, quoted and dotted keys, comments."""
    text = toml(
        """
        # [[fault]]
        [[fault]] # one
        do = "say"   # at = 1
        text = '''
        [[fault]]
        at = 9
        '''
        "at" = 1
        [[ fault ]]
        tokens = [ # "[["
          "1", '2]',
          "[[fault]]",
        ]
        headers = { a = "}", "b c" = "\\"}" }
        when . x = 1
        at = 2
        """
    )
    tables = table_lines(text)
    assert [(table.name, table.array, table.line) for table in tables[1:]] == [("fault", True, 2), ("fault", True, 9)]
    assert tables[1].keys == {"do": 3, "text": 4, "at": 8}
    assert tables[2].keys == {"tokens": 10, "headers": 14, "headers.a": 14, "headers.b c": 14, "when.x": 15, "at": 16}


def test_a_script_in_python_says_the_same_and_may_use_functions() -> None:
    text = toml(
        """
        def script(faults):
            for second in (1, 2):
                faults.add("freeze", at=second, for_=3, market=0)
            faults.add("reset", on="user:trade", when=lambda facts: facts.open_orders > 3)
        """
    )
    one, two, three = read_python(text, "f.py")
    assert [one.place(), two.place(), three.place()] == ["f.py:3", "f.py:3", "f.py:4"]
    assert one.verb == verbs.Freeze(for_s=3.0, market=0) and two.trigger.at == 2
    assert callable(three.trigger.when)


PYTHON_MISTAKES = [
    (
        "def script(faults):\n    faults.add('freeze',\n        att=3)",
        2,
        "att: freeze has no such key; did you mean at?",
    ),
    ("def script(faults):\n    faults.add('reset')", 2, "nothing sets it off"),
    ("def script(faults):\n    deeper()\n\ndef deeper():\n    1 / 0", 5, "ZeroDivisionError: division by zero"),
    ("import nowhere_at_all", 1, "ModuleNotFoundError"),
    ("import sys\nsys.exit(3)", 2, "SystemExit: 3"),
    ("def script(faults)\n    pass", 1, "not valid Python"),
    ("x = 1", 1, "define the function script(faults)"),
    ("def script(faults):\n    pass", 1, "arms no fault"),
]


@pytest.mark.parametrize(("text", "line", "words"), PYTHON_MISTAKES)
def test_a_mistake_in_python_is_told_with_the_line_of_the_script(text: str, line: int, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_python(text, "faults.py")
    told = str(caught.value)
    assert told.startswith(f"faults.py:{line}: "), told
    assert words in told


def test_scripts_are_found_by_their_ending_and_unreadable_ones_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "a.toml"
    good.write_text('[[fault]]\ndo = "reset"\nat = 1', encoding="utf-8")
    assert len(load(good)) == 1
    code = tmp_path / "a.py"
    code.write_text('def script(faults):\n    faults.add("reset", at=1)\n', encoding="utf-8")
    assert load(code)[0].place() == f"{code}:2"
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    for name, words in (("a.yaml", "cannot be read"), ("bad.toml", "cannot be read"), ("a.json", "")):
        if not words:
            (tmp_path / name).write_text("{}", encoding="utf-8")
        with pytest.raises(UsageError, match=words or "is a .toml or a .py file"):
            load(tmp_path / name)


# The director without sockets


class Studio:
    """An exchange with a director and nobody else."""

    def __init__(self, script: str, seed: int = 1) -> None:
        self.exchange = Exchange(seed=seed, markets=2, now_ms=1_000_000)
        self.director = Director(self.exchange, Limits())
        self.director.arm(read_toml(script, "f"))
        self.yes = next(iter(self.exchange.listings.values())).instrument.yes_token

    def at(self, seconds: float) -> None:
        self.exchange.step(1_000_000 + round(seconds * 1000))
        self.director.watch()

    def frame(self, text: str, token: str = "", kind: MarketKind = "price_change") -> list[tuple[int, str]]:
        """Send a frame; returns when (milliseconds from now) and what arrives."""
        sent = MarketFrame(kind=kind, tokens=(token or self.yes,), text=text)
        now = self.exchange.now_ms
        return [(at - now, frame.text) for at, frame in self.director.frames(now, sent)]

    def times(self) -> list[float]:
        """When rules went off, seconds since the start."""
        return [(line.at_ms - 1_000_000) / 1000 for line in self.director.log if line.what == "begins"]


def test_without_rules_nothing_is_armed() -> None:
    exchange = Exchange(seed=1, markets=1, now_ms=0)
    assert not Director(exchange, Limits()).armed


def test_a_market_that_is_not_listed_stops_the_start_with_its_line() -> None:
    for text, words in (
        ('[[fault]]\ndo = "freeze"\nat = 1\nmarket = 7', "f:4: market: 7 is outside 0 .. 1"),
        ('[[fault]]\ndo = "freeze"\nat = 1\nmarket = "0xab"', "f:4: market: no market 0xab"),
        ('[[fault]]\ndo = "freeze"\nat = 1\ntokens = "123"', "f:4: tokens: no token 123"),
    ):
        with pytest.raises(UsageError, match=words):
            Studio(text)


def test_a_time_sets_off_once_and_an_interval_again_and_again() -> None:
    once = Studio('[[fault]]\ndo = "drop"\nat = 2\ncount = 2')
    assert once.frame("a") == [(0, "a")]
    once.at(2)
    assert [once.frame(text) for text in "abc"] == [[], [], [(0, "c")]]
    often = Studio('[[fault]]\ndo = "drop"\nat = 1\nevery = 2.5\ntimes = 3')
    often.at(60)
    assert often.times() == [1.0, 3.5, 6.0]


def test_the_nth_event_sets_off_and_is_hit_itself() -> None:
    studio = Studio('[[fault]]\ndo = "drop"\non = "frame:price_change"\nnth = 3\ntimes = 2')
    assert [studio.frame(text) for text in "abcdefghi"] == [
        [(0, text)] if text not in "cf" else [] for text in "abcdefghi"
    ]


def test_a_scope_narrows_what_is_counted_too() -> None:
    studio = Studio('[[fault]]\ndo = "drop"\non = "frame"\nnth = 2\nmarket = 1')
    other = list(studio.exchange.by_token)[2]
    assert studio.frame("a") and studio.frame("b") and studio.frame("c", other)
    assert studio.frame("d") and not studio.frame("e", other)


def test_chance_follows_from_the_seed_alone() -> None:
    script = '[[fault]]\ndo = "drop"\non = "frame"\nchance = 0.2'

    def lost(seed: int) -> list[int]:
        studio = Studio(script, seed)
        return [number for number in range(400) if not studio.frame(str(number))]

    assert lost(1) == lost(1) != lost(2)
    assert 50 < len(lost(1)) < 110


def test_a_predicate_sets_off_when_it_becomes_true_and_not_again_while_it_stays() -> None:
    studio = Studio('[[fault]]\ndo = "drop"\nwhen = { market_sockets_at_least = 1 }\ntimes = "always"')
    link = _Link()
    for _ in range(2):
        studio.director.opened(link)
        studio.director.watch()
        studio.director.watch()
        studio.director.closed(link)
        studio.director.watch()
    assert len(studio.times()) == 2


def test_a_predicate_is_a_condition_of_an_event() -> None:
    studio = Studio('[[fault]]\ndo = "drop"\nat = 900')
    (rule,) = read_python("def script(f):\n    f.add('drop', on='frame', when=lambda x: x.elapsed_s >= 5)", "f")
    studio.director.arm([rule])
    assert studio.frame("a")
    studio.at(5)
    assert not studio.frame("b") and studio.frame("c")


def test_a_function_of_the_script_that_fails_is_told_with_its_line() -> None:
    studio = Studio('[[fault]]\ndo = "drop"\nat = 900')
    studio.director.arm(read_python("def script(f):\n    f.add('drop', on='frame', when=lambda x: 1 / 0)", "f.py"))
    with pytest.raises(UsageError, match=r"f\.py:2: when: ZeroDivisionError: division by zero"):
        studio.frame("a")
    assert studio.director.broken is not None, "and whoever runs the exchange ends it"


def test_bursts_delays_and_blocks_without_a_socket() -> None:
    studio = Studio('[[fault]]\ndo = "burst"\nat = 1\nfor = 2\n[[fault]]\ndo = "delay"\nat = 10\nfor = 1\nms = 300')
    studio.at(1.5)
    assert studio.frame("a") == [(1_500, "a")]
    studio.at(3)
    assert studio.frame("b") == [(0, "b")]
    studio.at(10)
    assert studio.frame("c") == [(300, "c")]
    studio = Studio('[[fault]]\ndo = "reorder"\nat = 1\nblock = 3\nfor = 5')
    studio.at(1)
    assert [studio.frame(text) for text in "abc"] == [[], [], [(0, "c"), (0, "b"), (0, "a")]]
    assert studio.frame("d") == []
    studio.at(6)
    assert [frame.text for frame in studio.director.outbox()] == ["d"], "what is held is let go at the end"


def test_a_wrong_hash_waits_for_a_message_that_states_one() -> None:
    studio = Studio('[[fault]]\ndo = "bad_hash"\nat = 1')
    studio.at(1)
    tape, change = '{"transaction_hash":"0xab"}', '{"hash":"ab"}'
    assert studio.frame(tape, kind="last_trade_price") == [(0, tape)]
    assert studio.frame(change) != [(0, change)]
    assert studio.frame(change) == [(0, change)], "one message is hit"


def test_faults_that_overlap_leave_the_market_as_it_was() -> None:
    studio = Studio(
        toml(
            """
            [[fault]]
            do = "taker_delay"
            market = 0
            ms = 700
            at = 1
            every = 5
            times = 2
            for = 8

            [[fault]]
            do = "pause_market"
            market = 0
            at = 1
            every = 5
            times = 2
            for = 8
            """
        )
    )
    market, _ = studio.exchange.by_token[studio.yes]

    def state() -> tuple[int, str]:
        return studio.exchange.listings[market].plot.delay_ms, studio.exchange.phase(market)

    usual = state()
    for seconds in (2, 7, 10):
        studio.at(seconds)
        assert state() == (700, "paused"), seconds
    studio.at(15)
    assert state() == usual == (0, "open")


def test_a_stranger_finds_no_book_in_a_resolved_market() -> None:
    studio = Studio(
        '[[fault]]\ndo = "resolve"\nmarket = 0\nresult = "YES"\nat = 1\n'
        '[[fault]]\ndo = "stranger_trade"\nmarket = 0\nsize = 5\nat = 2'
    )
    studio.at(3)
    assert studio.director.log[-1].what == "No orderbook exists for the requested token id"


def test_the_auto_redeemer_takes_tokens_and_pays_for_them() -> None:
    """For a key that has traded, once its market is resolved; the venue tells it by a notification of its own kind."""
    studio = Studio(
        '[[fault]]\ndo = "auto_redeem"\nmarket = 0\nevery = 1\ntimes = 2\n'
        '[[fault]]\ndo = "resolve"\nmarket = 0\nresult = "HALF"\nat = 1.5'
    )
    market, _ = studio.exchange.by_token[studio.yes]
    studio.exchange.admit("0x" + "a" * 40)
    studio.exchange.split("0x" + "a" * 40, market, Shares(30 * MICRO))
    studio.exchange._accounts["key"] = {"0x" + "a" * 40}
    studio.at(3)
    account = studio.exchange.ledger.account("0x" + "a" * 40)
    assert not any(account.tokens.values()) and account.cash == studio.exchange.auto_cash
    assert [line.what for line in studio.director.log] == ["0 accounts", "pays HALF", "1 accounts"]
    told = studio.exchange.notices.of("key", studio.exchange.now_ms)[-1]
    assert (told.kind, told.payload["amount"]) == (9, "30")
    studio.exchange.ledger.check()


def test_every_verb_says_what_a_client_sees() -> None:
    assert all(verb.__doc__ and len(verb.__doc__) > 20 for verb in VERBS.values())


def test_the_reference_names_every_verb_and_every_key() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for name, verb in VERBS.items():
        assert f"`{name}`" in text, name
        for key in verb.__struct_encode_fields__:
            assert f"`{key}`" in text, f"{name}: {key}"


def test_the_examples_of_the_reference_work() -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    readers = {"toml": read_toml, "python": read_python}
    rules = [readers[language](text, "reference") for language, text in blocks if language in readers]
    assert [len(each) for each in rules] == [4, 10, 4]
    Director(Exchange(seed=1, markets=2, now_ms=0), Limits()).arm([rule for each in rules for rule in each])


class _Link:
    channel: verbs.Channel = "market"
    tokens: frozenset[str] = frozenset()
    owner = ""

    def send(self, text: str) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def reset(self) -> None: ...

    def stall(self) -> None: ...
