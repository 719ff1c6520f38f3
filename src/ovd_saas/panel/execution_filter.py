"""What somebody looks for among the executions of an application, read from an address and written into it. Floor 3."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from ovd_saas.assets import looks
from ovd_saas.store.queries.executions import Wanted

SPANS = {
    "hour": (_("last hour"), timedelta(hours=1)),
    "day": (_("last 24 hours"), timedelta(days=1)),
    "week": (_("last 7 days"), timedelta(days=7)),
    "month": (_("last 30 days"), timedelta(days=30)),
}
_ID = re.compile(r"[0-9a-f-]{1,36}")
_NAMES = ("status", "span", "from", "to", "who", "release", "id")


@dataclass(frozen=True)
class Filter:
    """As it stands in the address; what makes no sense is left out."""

    values: dict[str, str]
    wanted: Wanted

    @property
    def query(self) -> str:
        """For the links to the next pages."""
        return urlencode({"tab": "executions", **self.values})

    @property
    def is_narrow(self) -> bool:
        return bool(self.values)


def read(given: QueryDict, now: datetime) -> Filter:
    values = {name: given.get(name, "").strip()[:150] for name in _NAMES}
    status = values["status"] if values["status"] in looks.EXECUTIONS else ""
    span = values["span"] if values["span"] in SPANS else ""
    first, last = _day(values["from"]), _day(values["to"])
    release = values["release"] if values["release"].isdecimal() and len(values["release"]) < 9 else ""
    id_text = values["id"].lower().lstrip("…")
    id_text = id_text if _ID.fullmatch(id_text) else ""
    since = now - SPANS[span][1] if span else first
    kept = {
        "status": status,
        "span": span,
        "from": values["from"] if first and not span else "",
        "to": values["to"] if last and not span else "",
        "who": values["who"].replace("\0", ""),
        "release": release,
        "id": id_text,
    }
    return Filter(
        {name: value for name, value in kept.items() if value},
        Wanted(
            status=status,
            since=since,
            until=last + timedelta(days=1) if last and not span else None,
            who=kept["who"],
            release=int(release) if release else None,
            id_text=id_text,
        ),
    )


def _day(text: str) -> datetime | None:
    """The beginning of a day, UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
