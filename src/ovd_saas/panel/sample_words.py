"""Samples in words: what one holds, and what new ones lead to. Floor 3."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ovd_saas.assets import kinds
from ovd_saas.assets.sentences import said as translated
from ovd_saas.assets.words import numeral
from ovd_saas.store.records import Application, Lookout

_KINDS = {
    "number": gettext_lazy("a number"),
    "integer": gettext_lazy("a whole number"),
    "boolean": gettext_lazy("yes or no"),
    "text": gettext_lazy("a text"),
    "choice": gettext_lazy("one of a list"),
    "datetime": gettext_lazy("a date with its time"),
    "image": gettext_lazy("a picture"),
    "file": gettext_lazy("a file"),
    "series": gettext_lazy("a series of values"),
    "table": gettext_lazy("a table"),
}
FEW = 6  # choices that are named


def schema(sample: dict[str, Any], label: str) -> list[str]:
    """What a sample holds, a sentence a field; none when any object will do."""
    properties = sample.get("properties") or {}
    required = sample.get("required", [])
    return [_field(name, properties[name], name in required, name == label) for name in kinds.ordered(properties)]


def _field(name: str, prop: dict[str, Any], is_required: bool, is_label: bool) -> str:
    what = _what(prop)
    title = prop.get("title") or name
    if is_label:
        return _("{title} is {what}: it is what the application learns to say.").format(title=title, what=what)
    if is_required:
        return _("{title} is {what}.").format(title=title, what=what)
    return _("{title} is {what}; it may be missing.").format(title=title, what=what)


def _what(prop: dict[str, Any]) -> str:
    hints = prop.get("x-ovd", {})
    kind = str(_KINDS.get(hints.get("kind", ""), hints.get("kind", "")))
    choices = prop.get("enum") or []
    if 1 < len(choices) <= FEW:
        first, last = ", ".join(map(str, choices[:-1])), str(choices[-1])
        return _("{first} or {last}").format(first=first, last=last)
    if choices:
        return _("one of {count} choices, {first} to {last}").format(
            count=len(choices), first=choices[0], last=choices[-1]
        )
    least, most = prop.get("minimum"), prop.get("maximum")
    unit = f" {hints['unit']}" if hints.get("unit") else ""
    values = {"what": kind, "least": _plain(least), "most": _plain(most), "unit": unit}
    if least is not None and most is not None:
        return _("{what} from {least} to {most}{unit}").format(**values)
    if least is not None:
        return _("{what}, at least {least}{unit}").format(**values)
    if most is not None:
        return _("{what}, at most {most}{unit}").format(**values)
    return _("{what} in{unit}").format(**values) if unit else kind


def _plain(value: Any) -> str:
    return numeral(f"{value:g}") if isinstance(value, int | float) else ""


def outlook(application: Application, lookout: Lookout | None, *, came: int, pending: int, least: int) -> list[str]:
    """How much is there, how much is missing, and what makes it learn next."""
    said = []
    if not came:
        said.append(_("Nothing has come yet."))
    elif not pending:
        said.append(_("Everything that came has been learned."))
    elif pending >= least:
        said.append(
            ngettext(
                "{count} sample is not learned yet: that is enough to learn.",
                "{count} samples are not learned yet: that is enough to learn.",
                pending,
            ).format(count=numeral(f"{pending:,}"))
        )
    else:
        said.append(
            ngettext(
                "{count} of {least} samples is there; {missing} more and it learns.",
                "{count} of {least} samples are there; {missing} more and it learns.",
                pending,
            ).format(
                count=numeral(f"{pending:,}"), least=numeral(f"{least:,}"), missing=numeral(f"{least - pending:,}")
            )
        )
    if application.learning != "resting":
        said.append(
            {
                "due": _("Learning is due."),
                "learning": _("It is learning right now."),
                "yielding": _("Learning gives way to a user."),
                "evaluating": _("What it learned is being judged."),
            }.get(application.learning, "")
        )
    elif lookout is not None and lookout.paused_at is not None:
        said.append(_("What makes it learn is paused: data is kept, and only a person starts learning."))
    elif lookout is not None and lookout.next_what:
        said.append(translated(lookout.next_what)[0])
    return [one for one in said if one]
