"""A report as one page that needs nothing else: no script, no outside reference; light or dark as the screen is."""

import html
import unicodedata
from collections.abc import Mapping
from typing import Final

from core.report.figures import Report
from core.report.tables import Section, sections

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2329; --ground: #ffffff; --faint: #68737d; --rule: #d8dde2;
  --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe4e8; --ground: #14181c; --faint: #93a0ab; --rule: #333b42;
  --bad: #ff8a80; } }
body { color: var(--ink); background: var(--ground); font: 15px/1.45 system-ui, sans-serif; max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.35rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 2rem 0 0.4rem; }
p { margin: 0.2rem 0; color: var(--faint); overflow-wrap: anywhere; }
div.table { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15rem 0.9rem 0.15rem 0; text-align: right; white-space: nowrap; vertical-align: top; }
th { font-weight: 600; color: var(--faint); border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child, .words { text-align: left; white-space: normal; }
th:first-child, td:first-child { min-width: 9rem; max-width: 24rem; overflow-wrap: anywhere; }
tr.total td { border-top: 1px solid var(--rule); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
svg { display: block; max-width: 52rem; height: auto; color: var(--ink); margin: 0.5rem 0; }
"""
_SAFE: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(report: Report, charts: Mapping[str, str]) -> str:
    """The page, with charts (SVG text) by the names that sections give them."""
    body = "\n".join(_section(one, charts, is_first=n == 0) for n, one in enumerate(sections(report)))
    title = escaped(f"polymm-tui report {report.begin} to {report.end}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_SAFE}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def escaped(text: str) -> str:
    """Foreign text as text of a page: no markup, nothing invisible, nothing that turns the direction."""
    shown = (" " if char.isspace() else char for char in text)
    return html.escape("".join(char for char in shown if unicodedata.category(char)[0] != "C"))


def _section(section: Section, charts: Mapping[str, str], *, is_first: bool) -> str:
    level = "h1" if is_first else "h2"
    parts = [f"<section>\n<{level}>{escaped(section.name)}</{level}>"]
    parts += [f"<p>{escaped(words)}</p>" for words in section.words]
    if section.chart in charts:
        parts.append(charts[section.chart])
    if section.rows:
        parts.append(_table(section))
    return "\n".join([*parts, "</section>"])


def _table(section: Section) -> str:
    heads = _cells("th", section.columns, section.texts)
    rows = "\n".join(_row(row, section.texts) for row in section.rows)
    return f'<div class="table"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _row(row: tuple[str, ...], texts: tuple[int, ...]) -> str:
    kind = ' class="total"' if row[0] in ("TOTAL", "all") else ' class="bad"' if row[0] == "DIFFERS" else ""
    return f"<tr{kind}>{_cells('td', row, texts)}</tr>"


def _cells(tag: str, row: tuple[str, ...], texts: tuple[int, ...]) -> str:
    kinds = (' class="words"' if at in texts else "" for at in range(len(row)))
    return "".join(f"<{tag}{kind}>{escaped(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))
