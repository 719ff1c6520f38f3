"""Tabs: the parts of an application's page; each is declared by the module that fills it. Floor 3."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise

from ovd_saas.store.records import Application


@dataclass(frozen=True)
class Tab:
    """`panel/application/_KEY.html` with what `content` gives; a live part of the page."""

    key: str  # in the address: ?tab=KEY; letters only
    word: str | Promise
    icon: str  # a name in icons.txt
    content: Callable[[HttpRequest, Application], dict[str, Any]]
    of_learning: bool = False  # shown for applications that learn; of others `content` is not asked
    is_live: bool = True  # fetched again when something happens to the application
    also: str = ""  # words of data-live beside its application's
    below: str = ""  # a template under the live part: what must not be swapped, such as a form that is being filled
    scripts: str = ""  # a template with the scripts that it needs

    @property
    def part(self) -> str:
        return f"panel/application/_{self.key}.html"
