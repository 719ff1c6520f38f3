"""Template tags that all pages share: icons, states, moments, sizes, digests."""

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ovd_saas.assets import kinds, looks, plots, sentences, words
from ovd_saas.assets.kinds import Shown
from ovd_saas.domain.figures import short as short_number

register = template.Library()

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_SECONDS = re.compile(r"(?<=:\d\d):00(?=Z|[+-]|$)")

_TABLES: dict[str, dict[Any, looks.Look]] = {
    "execution": looks.EXECUTIONS,
    "release": looks.RELEASES,
    "process": looks.PROCESSES,
    "runner": looks.RUNNERS,
    "service": looks.SERVICE,
    "status": looks.STATUS,
    "health": looks.HEALTH,
    "learning": looks.LEARNING,
    "phase": looks.PHASES,
    "run": looks.LEARNING_RUNS,
    "model": looks.MODELS,
    "batch": looks.BATCHES,
    "decision": looks.DECISIONS,
    "promotion": looks.PROMOTIONS,
}

_NAMES: dict[str, dict[Any, looks.Look]] = {"delivery": looks.DELIVERIES, "trigger": looks.TRIGGERS}


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """An icon of the sprite; beside a word, so it says nothing to a screen reader."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        classes,
        static("vendor/icons.svg"),
        name,
    )


def chip(look: looks.Look) -> SafeString:
    lively = "is-lively" if look.is_lively else ""
    return format_html(
        '<span class="state tone-{} {}">{}<span>{}</span></span>', look.tone, lively, icon(look.icon), look.word
    )


@register.simple_tag
def state(table: str, value: Any, is_past: bool = False) -> SafeString:
    """`{% state "execution" execution.status %}`: colour, icon and word; of the past, nothing moves."""
    look = looks.of(_TABLES[table], value)
    return chip(replace(look, is_lively=False) if is_past else look)


@register.simple_tag
def named(table: str, value: Any) -> SafeString:
    """`{% named "delivery" batch.kind %}`: icon and word of what is no state, so without a colour."""
    look = looks.of(_NAMES[table], value)
    return format_html('<span class="ovd-named">{}<span>{}</span></span>', icon(look.icon), look.word)


@register.simple_tag
def application_state(application: Any) -> SafeString:
    return chip(looks.application(application))


@register.simple_tag
def phase_state(application: Any) -> SafeString:
    """Without its health, where that stands beside."""
    return chip(looks.living(application))


@register.simple_tag
def outlook(application: Any) -> SafeString:
    """ "Falls asleep, if nobody uses it · in 2 min"."""
    what = application.next_what or "Nothing is planned."
    if application.next_at is None:
        return said(what)
    return format_html("{} · <strong>{}</strong>", said(what, end=""), moment(application.next_at, "next"))


@register.filter
def said(text: str | None, end: str | None = None) -> SafeString:
    """A sentence that the platform wrote down in English, in the language of the page; `end` instead of its point.

    One that has no translation stays English and says so to a screen reader. Not for attributes: `textplainly`.
    """
    sentence, is_known = sentences.said(str(text or ""))
    if end is not None:
        sentence = sentence.removesuffix(".") + end
    return format_html("{}", sentence) if is_known else format_html('<span lang="en">{}</span>', sentence)


@register.filter
def textplainly(text: str | None) -> str:
    """The same as text, for an attribute."""
    return sentences.said(str(text or ""))[0]


@register.simple_tag
def region_state(region: str, value: str) -> SafeString:
    return chip(looks.of(looks.REGIONS.get(region, {}), value))


@register.simple_tag
def moment(value: datetime | None, style: str = "relative", never: str = "") -> SafeString:
    """A `<time>` whose words a script makes relative ("3 min ago"); the exact moment is its title."""
    if value is None:
        return format_html('<span class="text-secondary">{}</span>', never or _("never"))
    exact = f"{date_format(value, 'd M Y, H:i:s')} UTC"
    return format_html(
        '<time datetime="{}" data-moment="{}" title="{}">{}</time>', value.isoformat(), style, exact, exact
    )


@register.simple_tag
def picture(series: Shown) -> str:
    """What the plot of one series needs, for the attribute `data-chart`."""
    return compact(plots.of_one(series))


@register.simple_tag
def moment_text(text: str) -> SafeString | str:
    """A moment that was written down as RFC 3339."""
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return text


@register.simple_tag
def between(first: datetime | None, then: datetime | None) -> str:
    return seconds((then - first).total_seconds()) if first and then else "–"


@register.simple_tag
def percent(fraction: float) -> str:
    return _("{number} %").format(number=f"{100 * fraction:.0f}")


@register.simple_tag
def memory(megabytes: float) -> str:
    return size(int(megabytes * 1024 * 1024))


@register.simple_tag
def process_memory(process: Any) -> str:
    """As its runner last reported; not every runner does."""
    reported = process.runner.facts.get("processes", [])
    found = (one.get("rss_mb") for one in reported if one.get("process") == str(process.pk))
    megabytes = next(found, None)
    return memory(megabytes) if megabytes else "–"


@register.simple_tag
def born(process: Any) -> SafeString | str:
    """How a process began, in words; their title says what that means for its waking."""
    if process.how not in looks.BIRTHS:
        return "–"
    word, meaning = looks.BIRTHS[process.how]
    return format_html('<abbr title="{}">{}</abbr>', meaning, word)


@register.simple_tag
def ready_after(process: Any) -> str:
    """As its runner measured; of older ones, as AppCore heard it."""
    if process.ready_seconds is not None:
        return seconds(process.ready_seconds)
    return between(process.started_at, process.ready_at)


@register.simple_tag
def region_tone(region: str, state: str) -> str:
    if region == "model":
        return f"tone-{looks.MODELS['active'].tone}"
    if region == "network":
        return f"tone-{looks.NETWORK.tone}"
    return f"tone-{looks.of(looks.REGIONS.get(region, {}), state).tone}"


@register.simple_tag
def region_move(transition: Any) -> SafeString:
    """ "asleep → waking" of a row of the timeline."""
    if transition.region == "release":
        what = _("Release {number}").format(number=transition.target)
        return format_html('<strong>{}</strong> <span class="text-secondary">{}</span>', what, _("made current"))
    if transition.region == "model":
        return _versions_move(transition)
    if transition.region == "network":
        after = _("allowed, after {before}").format(before=transition.source)
        return format_html(
            '<strong>{}</strong> {} <span class="text-secondary">{}</span>', _("Network"), transition.target, after
        )
    target = region_state(transition.region, transition.target)
    if not transition.source:
        return target
    source = looks.of(looks.REGIONS.get(transition.region, {}), transition.source)
    return format_html(
        '<span class="text-secondary">{}</span>{}{}', source.word, icon("arrow-right", "text-secondary"), target
    )


def _versions_move(transition: Any) -> SafeString:
    """ "Version 3 live after version 2"; one that did not start leaves things as they are."""
    number, before = transition.target, transition.source
    if number == before:
        stays = _("Version {number} stays live").format(number=number) if number else _("No version became live")
        return format_html("<strong>{}</strong>", stays)
    after = _("after version {number}").format(number=before) if before else _("the first one")
    return format_html(
        '<strong>{}</strong> {} <span class="text-secondary">{}</span>',
        _("Version {number}").format(number=number),
        chip(looks.MODELS["active"]),
        after,
    )


@register.filter
def actor(name: str) -> str:
    """ "ana", "AppCore"."""
    parts = {"appcore": "AppCore", "gate": _("the gate"), "bake": _("the watch after promotion")}
    return parts.get(name) or name.removeprefix("user:")


@register.simple_tag
def cause_link(cause: str, application: Any) -> SafeString | str:
    """What caused a change, as a link where there is a page of it."""
    kind, colon, which = cause.partition(":")
    if kind == "execution" and _is_uuid(which):
        return _link(reverse("panel:execution", args=[which]), _("execution …{end}").format(end=which[-8:]))
    pages = {
        "release": ("panel:release", _("release {number}")),
        "learning-run": ("panel:learning_run_numbered", _("learning run {number}")),
        "batch": ("panel:batch", _("batch {number}")),
    }
    if kind in pages and which.isdecimal():
        page, text = pages[kind]
        place = [application.organisation.slug, application.name, which]
        return _link(reverse(page, args=place), text.format(number=which))
    return format_html("<span>{} …{}</span>", kind, which[-8:]) if colon and which else cause


def _link(address: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', address, text)


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


@register.filter
def seconds(value: float | None) -> str:
    """A length in words: "0.8 ms", "420 ms", "3.2 s", "4 min 5 s"."""
    return "–" if value is None else words.length(value)


@register.filter
def size(value: int | None) -> str:
    """Bytes in words, in powers of 1024."""
    return "–" if value is None else words.size(value)


@register.filter
def short(digest: str) -> str:
    """The first characters of a digest, enough to tell two apart."""
    return (digest or "").removeprefix("sha256:")[:10]


@register.filter
def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@register.simple_tag
def share(part: float, whole: float) -> str:
    """A fraction for a progress bar, 0 to 1."""
    return f"{min(1.0, part / whole):.3f}" if whole else "1"


_BATCHES = re.compile(r"batch(es from|es)? (\d+)(?:-(\d+))?( on)?")
_SCHEDULED = re.compile(r"cron (\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(.*)")


@register.filter
def why(cause: str) -> str:
    """What made a run due, in words: `user:ana` is a person, `cron 2026-03-01T03:00+01:00` a time of the schedule."""
    batches = _BATCHES.fullmatch(cause)
    if batches is not None:
        texts = {"-": _("batches {first} to {last}"), "": _("batch {first}"), " on": _("batches from {first} on")}
        text = texts["-" if batches[3] else " on" if batches[4] else ""]
        return text.format(first=batches[2], last=batches[3])
    found = _SCHEDULED.fullmatch(cause)
    if found is None:
        return cell(actor(cause))
    zone = found[4].replace("Z", "UTC") or "UTC"
    return _("of {day} {time} ({zone})").format(day=found[1], time=found[2], zone=zone)


register.filter("kinds_of_file", kinds.kinds_of_file)


@register.filter
def cell(value: Any) -> str:
    """A cell of a table: numbers as `number` has them, moments without their T and empty seconds."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return _SECONDS.sub("", value.replace("T", " ")).replace("+00:00", " UTC").replace("Z", " UTC")
    return number(value)


@register.filter
def sortable(value: Any) -> str:
    """What a script sorts a cell by: a number as programs write it, else the text."""
    return "" if value is None else str(value)


@register.filter
def number(value: Any) -> str:
    """A number with its thousands apart and at most six digits that matter after the point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value.is_integer():
        return number_format(int(value), use_l10n=True, force_grouping=True) if abs(value) < 1e15 else f"{value:g}"
    return words.numeral(f"{value:,.6g}")


@register.filter
def number3(value: Any) -> str:
    """A measured number in three digits that matter: a metric, a limit, a drift."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return words.numeral(short_number(value)) if is_number else str(value)


@register.filter
def span(value: float) -> str:
    """A round length: "15 min", "1 day"."""
    return words.span(value)


@register.filter
def label(value: Any) -> str:
    """What somebody said was right: a number, a word, or an object as JSON."""
    return compact(value) if isinstance(value, dict | list | bool) else number(value)


@register.simple_tag
def model_tone(state: str) -> str:
    return f"tone-{looks.of(looks.MODELS, state).tone}"


@register.simple_tag
def run_tone(status: str) -> str:
    return f"tone-{looks.of(looks.LEARNING_RUNS, status).tone}"


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """A value of a mapping by a name that is itself a variable."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def initial(name: str) -> str:
    return name[:1].upper() or "?"
