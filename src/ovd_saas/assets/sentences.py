"""Sentences: what the platform wrote down in English, why and what comes next, in the language of who reads it.

A template is a sentence with places, "{count} executions wait."; the catalogue translates it, and what stood in the
places is put back, itself translated where it is a sentence. Every sentence of the code below has one (tests/panel).
"""

import re
from collections import defaultdict
from functools import cache, lru_cache

from django.conf import settings
from django.utils.translation import get_language, gettext

from ovd_saas.assets.sentence_templates import TEMPLATES
from ovd_saas.assets.words import numeral

_PLACE = re.compile(r"\{(\w+)\}")
_NEXT = re.compile(r"(?<=[.!?]) (?=\S)")


def said(text: str) -> tuple[str, bool]:
    """The sentence in the present language, and whether it is; an unknown one comes back as it is."""
    language = get_language() or settings.LANGUAGE_CODE
    if not text or language.startswith("en"):
        return text, True
    return _said(text, language)


@lru_cache(maxsize=4096)
def _said(text: str, language: str) -> tuple[str, bool]:
    whole = _one(text, language)
    if whole is not None:
        return whole, True
    parts = _NEXT.split(text)
    for count in range(len(parts) - 1, 0, -1):  # the longest beginning that is known, then the rest
        head = _one(" ".join(parts[:count]), language)
        if head is not None:
            rest, is_known = _said(" ".join(parts[count:]), language)
            return f"{head} {rest}", is_known
    return text, False


def _one(text: str, language: str) -> str | None:
    for pattern, template in _candidates(text):
        found = pattern.fullmatch(text)
        if found is None:
            continue
        translated = gettext(template)
        if translated == template and template != text:
            return None
        return _filled(translated, {name: _value(value, language) for name, value in found.groupdict().items()})
    return None


def _filled(template: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], template)


def _value(value: str, language: str) -> str:
    whole = _one(value, language) if any(character.isalpha() for character in value) else None
    return numeral(value) if whole is None else whole


def _candidates(text: str) -> list[tuple[re.Pattern[str], str]]:
    index = _index()
    return [*index.get(text.split(" ", 1)[0], []), *index[""]]


@cache
def _index() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """The templates by their first word, where that is fixed; of several that fit, the one with most fixed text."""
    index: dict[str, list[tuple[re.Pattern[str], str]]] = defaultdict(list)
    index[""] = []
    for template in sorted(TEMPLATES, key=lambda one: -len(_PLACE.sub("", one))):
        first = template.split(" ", 1)[0]
        index["" if "{" in first else first].append((_compiled(template), template))
    return index


def _compiled(template: str) -> re.Pattern[str]:
    parts = _PLACE.split(template)
    seen: set[str] = set()
    pattern = ""
    for at, part in enumerate(parts):
        if at % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P={part})" if part in seen else f"(?P<{part}>.+?)"
            seen.add(part)
    return re.compile(pattern, re.DOTALL)
