"""Settings in words: those that matter to an operator, with value and meaning; never a secret. Floor 3."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.utils.translation import gettext as _

HIDDEN = "•••"


@dataclass(frozen=True)
class Setting:
    """One variable of the environment."""

    name: str
    value: str
    means: str
    is_set: bool  # by somebody; else the value is what is meant when nothing is said
    warns: str = ""


def all_of() -> list[Setting]:
    return [*_places(), *_doors(), *_letters(), *_bounds()]


def _places() -> Iterator[Setting]:
    yield _one("OVD_HOME", str(settings.HOME), _("The data folder: database, files, logs, keys."))
    yield _one("DATABASE_URL", without_password(str(settings.DATABASE_URL)), _("The database; embedded when not set."))
    yield _one("OVD_FILES", without_password(str(settings.FILES)), _("Where inputs, outputs, models and sources lie."))
    yield _one("OVD_RUN", str(settings.RUN), _("Sockets between the parts."))


def _doors() -> Iterator[Setting]:
    hosts = ", ".join(settings.ALLOWED_HOSTS)
    is_open = "*" in settings.ALLOWED_HOSTS
    warns = _("Any name is answered. Name yours when others than you can reach this port.") if is_open else ""
    yield _one("OVD_HOSTS", hosts, _("Host names under which the platform answers."), warns)
    yield _one("OVD_ADDRESS", settings.ADDRESS, _("Where people find it; links in e-mails begin with it."))
    yield _one(
        "OVD_ORIGINS", ", ".join(settings.CSRF_TRUSTED_ORIGINS), _("Origins whose forms are taken, behind a proxy.")
    )
    debug = _("Errors show the inside of the platform to everybody. Unset it.") if settings.DEBUG else ""
    yield _one("OVD_DEBUG", "1" if settings.DEBUG else "", _("For those who develop the platform."), debug)
    key = _("by OVD_SECRET_KEY") if os.environ.get("OVD_SECRET_KEY") else _("made once, in the data folder")
    yield _one("OVD_SECRET_KEY", f"{HIDDEN} {key}", _("Signs sessions and links for passwords."))


def _letters() -> Iterator[Setting]:
    url = os.environ.get("OVD_EMAIL_URL", "") if settings.SENDS_LETTERS else ""
    yield _one("OVD_EMAIL_URL", without_password(url), _("How e-mail is sent; without it links are copied by hand."))
    sender = settings.DEFAULT_FROM_EMAIL if settings.SENDS_LETTERS else ""
    yield _one("OVD_EMAIL_FROM", sender, _("The sender of e-mails."))


def _bounds() -> Iterator[Setting]:
    largest = f"{settings.INTAKE_LARGEST / (1 << 30):g} GiB"
    yield _one("OVD_LARGEST_BATCH", largest, _("The largest delivery of samples."))
    yield _one("OVD_SOURCES", ", ".join(settings.SOURCES), _("Addresses that any application may pull data from."))
    yield _one("OVD_MEMORY_MB", os.environ.get("OVD_MEMORY_MB", ""), _("Memory for applications; 80 % of the machine."))
    yield _one("OVD_WALLS", os.environ.get("OVD_WALLS", ""), _("Walls without which a runner refuses to start."))


def _one(name: str, value: str, means: str, warns: str = "") -> Setting:
    return Setting(name, value, means, bool(os.environ.get(name)), warns)


def without_password(address: str) -> str:
    """The address as it may be shown."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    if "@" in parts.netloc:
        who, _at, host = parts.netloc.rpartition("@")
        user, has_password, _password = who.partition(":")
        parts = parts._replace(netloc=f"{user}{':' + HIDDEN if has_password else ''}@{host}")
    query = "&".join(HIDDEN if "pass" in one.lower() else one for one in parts.query.split("&"))
    return urlunsplit(parts._replace(query=query))
