"""``polymm-tui config show``: every setting with its value, unit and origin, then what differs between markets."""

from typing import Any

from core.config import Effective
from core.profiles import AUTO, BUILT_IN, Profiles


def config_rows(effective: Effective) -> list[dict[str, Any]]:
    """The settings as dicts of name, value, unit, origin and text.

    Rows of one market have its condition id under ``market`` as well: first its profile, then every setting that does
    not have the value of all markets. What follows from a market's tick, dates and tags is not known here.

    Raises:
        ConfigError: a table of the file is wrong.
    """
    profiles = Profiles(effective)
    rows = effective.rows()
    for market in profiles.tables:
        own = profiles.without_facts(market)
        rows.append(
            {
                "market": market,
                "name": "profile",
                "value": own.profile or AUTO,
                "unit": "",
                "origin": own.table or "default",
                "text": "named for this market" if own.profile else f"by its facts: {', '.join(BUILT_IN)}",
            }
        )
        rows += [{"market": market} | row for row in own.rows() if row["origin"] != effective.origins[row["name"]]]
    return rows


def config_text(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned lines; those of a market under a line that names it."""
    width = max(len(row["name"]) for row in rows)
    origins = max(24, *[len(row["origin"]) for row in rows])
    lines: list[str] = []
    market = ""
    for row in rows:
        if row.get("market", "") != market:
            market = row["market"]
            lines += ["", f"market {market}"]
        value = "unset" if row["value"] is None else row["value"]
        lines.append(
            f"{row['name']:<{width}}  {value!s:<14} {row['unit']:<20} {row['origin']:<{origins}} {row['text']}"
        )
    return "\n".join(lines)
