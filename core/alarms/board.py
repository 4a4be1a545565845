"""The life of every alarm: raised, called for, acknowledged, shelved, over. Pure: conditions and time are handed in.

One cause is one call. A condition has to hold for a while to become an alarm and to be over for a while to end one;
what comes and goes is held as one. An alarm that follows from another that stands is listed under it and calls nobody.
What nobody has acknowledged stays listed after it is over, except for trends (priority 3) and consequences.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from core.alarms.calling import WINDOW_SEC, Calling
from core.alarms.condition import Condition
from core.views import AlarmPriority, AlarmView

MOST_SHELVED_S: Final = 3_600.0
FLAPS: Final = 3
"""Raised so often in ten minutes, an alarm comes and goes: it ends when its condition was over for ten minutes."""
MOST_LISTED: Final = 500
"""Alarms that are kept: beyond it those go that are over, the least urgent and oldest first."""
MOST_KNOWN: Final = 2_000
"""Keys whose raisings are remembered."""
URGENCY: Final[dict[AlarmPriority, str]] = {1: "act now", 2: "act soon"}
"""Of what is told in the log."""

OVER_ACTION: Final = "acknowledge it, it is over"
"""What to do first about an alarm that nobody has acknowledged and that is over."""


class News(NamedTuple):
    """A line for the event log."""

    severity: Literal["info", "warning"]
    market: str
    """Condition id; "" for what is about no single one."""
    text: str


class Answer(NamedTuple):
    """What became of an operator's act, in words."""

    done: bool
    text: str
    market: str = ""


class _Raisings:
    """How often a key was raised, and when lately."""

    __slots__ = ("count", "times")

    def __init__(self) -> None:
        self.count = 0
        self.times: deque[float] = deque(maxlen=FLAPS)

    def add(self, now: float) -> None:
        self.count += 1
        self.times.append(now)

    def is_flapping(self, now: float) -> bool:
        return len(self.times) == FLAPS and now - self.times[0] < WINDOW_SEC


class _Alarm:
    """One alarm on the board. Times are monotonic seconds unless their name says otherwise."""

    __slots__ = (
        "acknowledged",
        "by",
        "called",
        "cause",
        "condition",
        "flaps",
        "gone_s",
        "has_line",
        "raised_s",
        "reason",
        "shelved_until_s",
        "since_unix",
        "stamp",
        "standing",
    )

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.raised_s = 0.0
        self.since_unix = 0.0
        self.stamp = 0.0
        """Of the condition when it was raised."""
        self.standing = False
        self.flaps = False
        """It comes and goes, and is held until it stays away."""
        self.gone_s: float | None = None
        """Since when the condition has not been seen; None while it is."""
        self.called = False
        """An operator was called for it, or told of it, since it was raised or acknowledged last."""
        self.has_line = False
        """The event log has a line of its beginning, and none of its end."""
        self.cause = ""
        self.acknowledged = False
        self.by = ""
        self.shelved_until_s: float | None = None
        self.reason = ""

    @property
    def priority(self) -> AlarmPriority:
        return self.condition.kind.priority

    @property
    def wants_call(self) -> bool:
        """Somebody is to be told; of what is urgent also if it is over by now."""
        is_quiet = self.called or self.acknowledged or self.cause or self.shelved_until_s is not None
        return not is_quiet and (self.standing or self.priority == 1)

    @property
    def is_done(self) -> bool:
        """It is over, and nobody has to be told that it was."""
        return not (self.standing or self.shelved_until_s is not None) and (
            self.acknowledged or self.priority == 3 or bool(self.cause)
        )

    def shelve(self, until_s: float | None, who: str, reason: str) -> None:
        """Put it on the shelf, or take it off: then it is as if it had just been raised."""
        self.shelved_until_s, self.by, self.reason = until_s, who, reason
        self.acknowledged = self.called = False


class AlarmBoard:
    """All alarms of one session."""

    def __init__(self) -> None:
        self.raised: Counter[str] = Counter()
        """How often so far, by code."""
        self._calling = Calling()
        self._alarms: dict[str, _Alarm] = {}
        self._pending: dict[str, float] = {}
        """Conditions that hold and are no alarm yet, with the time they were first seen."""
        self._known: dict[str, _Raisings] = {}

    # What is shown

    @property
    def calls(self) -> int:
        """Grows whenever alarms of priority 1 begin to call: a console rings once for each number."""
        return self._calling.calls

    @property
    def standing(self) -> frozenset[str]:
        """Keys of the alarms that stand."""
        return frozenset(key for key, alarm in self._alarms.items() if alarm.standing)

    def counts(self) -> tuple[Mapping[AlarmPriority, int], Mapping[AlarmPriority, int]]:
        """By priority: alarms that stand, and those that want to be acknowledged."""
        stand: Counter[AlarmPriority] = Counter()
        wanted: Counter[AlarmPriority] = Counter()
        for alarm in self._alarms.values():
            stand[alarm.priority] += alarm.standing
            wanted[alarm.priority] += _wants_you(alarm)
        return stand, wanted

    def views(self, now: float) -> tuple[AlarmView, ...]:
        """All alarms: by priority, then newest first; those that are shelved or have a cause come last."""
        listed = sorted(self._alarms.items(), key=_rank)
        return tuple([self._view(key, alarm, now) for key, alarm in listed])

    def _view(self, key: str, alarm: _Alarm, now: float) -> AlarmView:
        condition, kind, raisings = alarm.condition, alarm.condition.kind, self._known.get(key)
        until_s = alarm.shelved_until_s
        return AlarmView(
            key=key,
            code=kind.code,
            priority=kind.priority,
            market=condition.market,
            text=f"{condition.text} (comes and goes)" if alarm.flaps else condition.text,
            consequence=kind.consequence if alarm.standing else "",
            action=kind.action if alarm.standing else OVER_ACTION,
            pane=kind.pane,
            since_unix=alarm.since_unix,
            count=1 if raisings is None else raisings.count,
            standing=alarm.standing,
            acknowledged=alarm.acknowledged,
            by=alarm.by,
            shelved_s=None if until_s is None else max(0.0, until_s - now),
            reason=alarm.reason,
            cause=alarm.cause,
        )

    # What happens

    def update(self, conditions: Iterable[Condition], now: float, unix: float) -> list[News]:
        """Take the conditions of this moment; returns what is worth a line.

        Args:
            conditions: all that hold; of those with the same key the first counts.
            now: monotonic seconds.
            unix: the same moment in seconds since 1970.
        """
        present: dict[str, Condition] = {}
        for condition in conditions:
            present.setdefault(condition.key, condition)
        self._pending = {key: since for key, since in self._pending.items() if key in present}
        for key, condition in present.items():
            self._seen(key, condition, now, unix)
        news = [line for key in list(self._alarms) if key not in present for line in self._missed(key, now)]
        self._end_shelves(now)
        self._find_causes(present)
        news += self._call(now)
        for key in [key for key, alarm in self._alarms.items() if alarm.is_done]:
            del self._alarms[key]
        self._bound()
        return news

    def _seen(self, key: str, condition: Condition, now: float, unix: float) -> None:
        alarm = self._alarms.get(key)
        if alarm is not None and alarm.standing:
            alarm.condition, alarm.gone_s = condition, None
            if condition.stamp > alarm.stamp and alarm.acknowledged and not self._known[key].is_flapping(now):
                self._raise(key, condition, now, unix)
        elif now - self._pending.setdefault(key, now) >= condition.kind.on_s:
            del self._pending[key]
            self._raise(key, condition, now, unix)

    def _raise(self, key: str, condition: Condition, now: float, unix: float) -> None:
        alarm = self._alarms.setdefault(key, _Alarm(condition))
        if alarm.acknowledged:
            alarm.acknowledged, alarm.called, alarm.by = False, False, ""
        alarm.condition, alarm.stamp = condition, condition.stamp
        alarm.standing, alarm.gone_s = True, None
        alarm.raised_s, alarm.since_unix = now, unix
        raisings = self._known.pop(key, None) or _Raisings()
        raisings.add(now)
        self._known[key] = raisings  # the last is the newest
        alarm.flaps = raisings.is_flapping(now)
        self.raised[condition.kind.code] += 1

    def _missed(self, key: str, now: float) -> list[News]:
        """The condition of an alarm does not hold now."""
        alarm = self._alarms[key]
        if not alarm.standing:
            return []
        if alarm.gone_s is None:
            alarm.gone_s = now
        if now - alarm.gone_s < (WINDOW_SEC if alarm.flaps else alarm.condition.kind.off_s):
            return []
        alarm.standing = alarm.flaps = False
        return _over(alarm)

    def _end_shelves(self, now: float) -> None:
        for key, alarm in list(self._alarms.items()):
            if alarm.shelved_until_s is not None and alarm.shelved_until_s <= now:
                self._unshelve(key, alarm)

    def _unshelve(self, key: str, alarm: _Alarm) -> None:
        """What is over by now was on the shelf on purpose, and is done."""
        alarm.shelve(None, "", "")
        if not alarm.standing:
            del self._alarms[key]

    def _find_causes(self, present: Mapping[str, Condition]) -> None:
        """What stands or is about to explains others, unless it is less urgent than they are."""
        for alarm in self._alarms.values():
            if alarm.standing:
                alarm.cause = next((one for one in alarm.condition.causes if self._explains(one, alarm, present)), "")

    def _explains(self, key: str, alarm: _Alarm, present: Mapping[str, Condition]) -> bool:
        other = self._alarms.get(key)
        if other is not None and other.standing:
            return other is not alarm and other.priority <= alarm.priority
        return key in present and present[key].kind.priority <= alarm.priority

    def _call(self, now: float) -> list[News]:
        news: list[News] = []
        waiting = [alarm for alarm in self._alarms.values() if alarm.wants_call]
        urgent = [alarm for alarm in waiting if alarm.priority == 1]
        if urgent and self._calling.call(now):
            for alarm in urgent:
                alarm.called = True
                news += _begun(alarm)
        for alarm in (one for one in waiting if one.priority > 1):
            alarm.called = True
            if alarm.priority == 2:
                news += self._tell(alarm, now)
        if summed := self._calling.calmed(now):
            news.append(News("info", "", f"the alarms are calm again; {summed} were told by no line of their own"))
        return news

    def _tell(self, alarm: _Alarm, now: float) -> list[News]:
        """A line, or in a flood the one line that says so."""
        was_flood = self._calling.summed > 0
        if self._calling.tell(now):
            return _begun(alarm)
        if was_flood:
            return []
        return [News("warning", "", "many alarms at once: only those to act on now are told one by one")]

    def _bound(self) -> None:
        """Forget what is over where there is too much of it, and the oldest raisings."""
        if len(self._alarms) > MOST_LISTED:
            over = [
                (-alarm.priority, alarm.raised_s, key)
                for key, alarm in self._alarms.items()
                if not alarm.standing and alarm.shelved_until_s is None
            ]
            for _, _, key in sorted(over)[: len(self._alarms) - MOST_LISTED]:
                del self._alarms[key]
        for key in list(self._known)[: max(0, len(self._known) - MOST_KNOWN)]:
            if key not in self._alarms:
                del self._known[key]

    # What an operator does

    def acknowledge(self, key: str, who: str) -> Answer:
        """Somebody has seen an alarm, or all of them (``""``); shelved ones are not meant by all."""
        if not key:
            meant = [one for one, alarm in self._alarms.items() if not alarm.acknowledged and not _on_shelf(alarm)]
            for one in meant:
                self._acknowledge(one, who)
            return Answer(bool(meant), _seen_words(len(meant), who))
        alarm = self._alarms.get(key)
        if alarm is None:
            return _NO_SUCH
        if alarm.acknowledged:
            return Answer(False, f"acknowledged already, by {alarm.by}", alarm.condition.market)
        if _on_shelf(alarm):
            return Answer(False, f"on the shelf, by {alarm.by}: {alarm.reason}", alarm.condition.market)
        self._acknowledge(key, who)
        return Answer(True, f"alarm acknowledged by {who}: {_name(alarm)}", alarm.condition.market)

    def _acknowledge(self, key: str, who: str) -> None:
        alarm = self._alarms[key]
        alarm.acknowledged, alarm.called, alarm.by = True, True, who
        if not alarm.standing:
            del self._alarms[key]

    def shelve(self, key: str, for_s: float | None, reason: str, who: str, now: float) -> Answer:
        """Put an alarm aside for at most an hour: it calls nobody, whatever its condition does, and then comes back."""
        alarm = self._alarms.get(key)
        if alarm is None:
            return _NO_SUCH
        if for_s is None or not 0.0 < for_s <= MOST_SHELVED_S:
            most = MOST_SHELVED_S / 60
            return Answer(False, f"an alarm is shelved for a time of up to {most:g} minutes", alarm.condition.market)
        if not reason.strip():
            return Answer(False, "a reason is needed", alarm.condition.market)
        alarm.shelve(now + for_s, who, reason.strip())
        text = f"alarm shelved for {for_s / 60:g} min by {who}: {_name(alarm)}: {reason.strip()}"
        return Answer(True, text, alarm.condition.market)

    def unshelve(self, key: str, who: str) -> Answer:
        """Take an alarm back from the shelf before its time."""
        alarm = self._alarms.get(key)
        if alarm is None:
            return _NO_SUCH
        if not _on_shelf(alarm):
            return Answer(False, "it is not on the shelf", alarm.condition.market)
        self._unshelve(key, alarm)
        return Answer(True, f"alarm back from the shelf, by {who}: {_name(alarm)}", alarm.condition.market)


_NO_SUCH: Final = Answer(False, "there is no such alarm, or it is over")


def _rank(item: tuple[str, _Alarm]) -> tuple[bool, int, float, str]:
    """Where an alarm stands in the list."""
    key, alarm = item
    return bool(alarm.cause) or _on_shelf(alarm), alarm.priority, -alarm.raised_s, key


def _on_shelf(alarm: _Alarm) -> bool:
    return alarm.shelved_until_s is not None


def _wants_you(alarm: _Alarm) -> bool:
    """It is neither acknowledged nor shelved, and follows from no other."""
    return not (alarm.acknowledged or _on_shelf(alarm) or alarm.cause)


def _name(alarm: _Alarm) -> str:
    return alarm.condition.kind.code.replace("_", " ")


def _begun(alarm: _Alarm) -> list[News]:
    """The line of an alarm that begins to call; none where the log has one anyway."""
    kind, condition = alarm.condition.kind, alarm.condition
    if kind.is_told:
        return []
    alarm.has_line = True
    text = f"alarm, {URGENCY[kind.priority]}: {_name(alarm)}: {condition.text}; first: {kind.action}"
    return [News("warning", condition.market, text)]


def _over(alarm: _Alarm) -> list[News]:
    """The line of an alarm that is over; none where its beginning had none."""
    if not alarm.has_line or alarm.gone_s is None:
        return []
    alarm.has_line = False
    text = f"alarm over: {_name(alarm)}, after {alarm.gone_s - alarm.raised_s:.0f} s"
    return [News("info", alarm.condition.market, text)]


def _seen_words(count: int, who: str) -> str:
    if not count:
        return "no alarm waits to be acknowledged"
    return f"{count} alarm{'' if count == 1 else 's'} acknowledged by {who}"
