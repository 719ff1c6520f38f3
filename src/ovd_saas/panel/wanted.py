"""Wanted: which applications the list shows, in which order, as its address says. Floor 3."""

from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from ovd_saas.store.queries.panel import SHOWN, SORTS

SIZES = (25, 50, 100)
USUAL_SIZE = 50
LONGEST = 100  # characters of a search
LEARNS = {"yes": True, "no": False}


@dataclass(frozen=True)
class Wanted:
    """The parts of the address; what is usual is left out of it."""

    q: str = ""
    show: str = ""  # of SHOWN; "" = all
    organisation: str = ""  # slug
    learns: str = ""  # of LEARNS
    sort: str = "name"  # of SORTS
    size: int = USUAL_SIZE  # rows of a page
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q or self.show or self.organisation or self.learns)

    @property
    def rules(self) -> dict[str, Any]:
        """As `queries.panel.found` takes them."""
        return {
            "text": self.q,
            "show": self.show,
            "organisation": self.organisation,
            "learns": LEARNS.get(self.learns),
            "sort": self.sort,
        }

    def query(self, **changed: Any) -> str:
        """ "?q=water&page=2" of this with changes, which lead to its first page; "" when all is as usual."""
        values = asdict(replace(self, **{"page": 1, **changed}))
        said = {name: value for name, value in values.items() if value != _USUAL[name]}
        return f"?{urlencode(said)}" if said else ""


_USUAL = asdict(Wanted())


def read(query: QueryDict) -> Wanted:
    """What an address asks for; what it does not know is as usual."""
    size = _number(query.get("size"), USUAL_SIZE)
    return Wanted(
        q=query.get("q", "").replace("\0", "").strip()[:LONGEST],
        show=_known(query.get("show", ""), SHOWN, ""),
        organisation=query.get("organisation", "").replace("\0", "").strip()[:50],
        learns=_known(query.get("learns", ""), LEARNS, ""),
        sort=_known(query.get("sort", ""), SORTS, "name"),
        size=size if size in SIZES else USUAL_SIZE,
        page=_number(query.get("page"), 1),
    )


def _known(value: str, table: Any, usual: str) -> str:
    return value if value in table else usual


def _number(text: str | None, usual: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and 0 < len(text) < 7 and int(text) else usual
