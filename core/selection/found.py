"""What was found out about one market of the list: sources, screen, estimate, and what they come to. Pure."""

from typing import NamedTuple

from core.config import Settings
from core.selection.changes import Entry
from core.selection.enrich import Sourced
from core.selection.income import Book
from core.selection.screen import Screening, UsedFigures, screened, used_figures
from core.selection.showing import market_view
from core.selection.standings import Judged
from core.views import ListedMarketView


class Found(NamedTuple):
    """What was found out about one market of the list."""

    entry: Entry
    sourced: Sourced
    figures: UsedFigures
    screening: Screening

    @property
    def income(self) -> float:
        """Expected dollars a day; 0 when nobody can say."""
        return 0.0 if self.screening.income is None else self.screening.income.usd_per_day

    @property
    def judged(self) -> Judged:
        """What speaks for and against it; of the screen only the rules' names, which do not move with every figure."""
        return Judged(
            self.sourced.row,
            instrument=self.sourced.instrument,
            refusal="; ".join(self.sourced.refusals),
            lags="; ".join(self.sourced.lags),
            passes=self.screening.passes,
            failure=", ".join(rule.replace("_", " ") for rule in self.screening.failures),
            income=None if self.screening.income is None else self.screening.income.usd_per_day,
        )

    @property
    def title(self) -> str:
        """As the venue tells it now, or told it last; foreign."""
        return self.entry.title if self.sourced.market is None else self.sourced.market.instrument.title

    @property
    def shown(self) -> ListedMarketView:
        """It as it is shown, but for where it stands."""
        return market_view(
            self.sourced.row,
            "waiting",
            "",
            title=self.title,
            screening=self.screening,
            figures=self.figures,
            notes=self.sourced.notes,
        )


def find_out(entry: Entry, sourced: Sourced, settings: Settings, unix: float, book: Book | None = None) -> Found:
    """Screen a market and estimate what it earns.

    Args:
        entry: of the list in force, or of the one that a start would begin with.
        sourced: what the venue says of its row.
        settings: bounds of the screen.
        unix: seconds now.
        book: to estimate with; None while there is none.
    """
    figures = used_figures(sourced.row, entry.figures_unix, sourced.market, settings, unix)
    return Found(entry, sourced, figures, screened(sourced, figures, entry.made_unix, settings, unix, book))
