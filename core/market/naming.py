"""Which market somebody means who types a name."""

from collections.abc import Iterable

import msgspec


class Named(msgspec.Struct, frozen=True):
    """A market as it can be asked for."""

    market: str
    """Condition id."""
    title: str
    """Foreign text, uncleaned."""


def meant(asked: str, known: Iterable[Named]) -> tuple[Named, ...]:
    """The markets that ``asked`` may stand for; one when it is clear.

    The first of these that any market fits: its whole condition id, the beginning of it, its whole title, a part of its
    title; letters of either case.
    """
    wanted = asked.strip().casefold()
    markets = tuple(known)
    fits = (
        lambda one: one.market.casefold() == wanted,
        lambda one: one.market.casefold().startswith(wanted),
        lambda one: one.title.casefold() == wanted,
        lambda one: wanted in one.title.casefold(),
    )
    for fit in fits:
        found = tuple(one for one in markets if fit(one))
        if found:
            return found
    return ()
