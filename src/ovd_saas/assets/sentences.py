"""Sentences: what the platform wrote down in English, why and what comes next, in the language of who reads it.

The catalogue `locale/LANGUAGE/LC_MESSAGES/sentences.po` translates templates, "{count} executions wait."; what stood
in the places is put back, itself translated where it is known. tools/sentences.py finds the templates in the code.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import get_language

from ovd_saas.assets.words import numeral

_PLACE = re.compile(r"\{(\w+)\}")
_NEXT = re.compile(r"(?<=[.!?]) (?=\S)")
_SENTENCES = frozenset({"why", "reason", "refusal", "sentence", "faults", "lost", "errors", "drained", "known", "told",
                        "error", "message", "rule", "problem"})  # fmt: skip
_LISTS = frozenset({"parts", "fields", "done", "compared", "first", "second", "what", "words", "organisation",
                    "subject", "allowed", "length"})  # fmt: skip
_NUMBERS = frozenset(
    {
        "field",
        "measure",
        "value",
        "theirs",
        "limit",
        "low",
        "high",
        "asked",
        "confidence",
        "labels",
        "count",
        "failed",
        "all",
    }
)


def said(text: str) -> tuple[str, bool]:
    """The sentence in the present language, and whether it is; an unknown one comes back as it is."""
    language = get_language() or settings.LANGUAGE_CODE
    if not text or language.startswith("en"):
        return text, True
    return _said(text, language)


@lru_cache(maxsize=4096)
def _said(text: str, language: str) -> tuple[str, bool]:
    book = _book(language)
    whole = book.sentence(text)
    if whole is not None:
        return whole, True
    parts = _NEXT.split(text)
    for count in range(len(parts) - 1, 0, -1):  # the longest beginning that is known, then the rest
        head = book.sentence(" ".join(parts[:count]))
        if head is not None:
            rest, is_known = _said(" ".join(parts[count:]), language)
            return f"{head} {rest}", is_known
    return text, False


@dataclass(frozen=True)
class _Template:
    pattern: re.Pattern[str]
    translated: str


@dataclass(frozen=True)
class _Templates:
    """Templates by their first word, where that is fixed; of several that fit, the one with most fixed text."""

    by_word: dict[str, list[_Template]] = field(default_factory=lambda: defaultdict(list))

    def find(self, text: str, word: str | None = None) -> tuple[_Template, re.Match[str]] | None:
        """Among those that begin with the word; "": with a place; None: among all."""
        words = (text.split(" ", 1)[0], "") if word is None else (word,)
        for template in (one for first in words for one in self.by_word.get(first, ())):
            found = template.pattern.fullmatch(text)
            if found is not None:
                return template, found
        return None


@dataclass(frozen=True)
class _Book:
    """What is known in one language."""

    sentences: _Templates
    parts: _Templates

    def sentence(self, text: str) -> str | None:
        return self._filled(self.sentences.find(text) or self.parts.find(text, text.split(" ", 1)[0]))

    def _filled(self, found: tuple[_Template, re.Match[str]] | None) -> str | None:
        if found is None:
            return None
        template, match = found
        values = {name: self._value(value, name) for name, value in match.groupdict().items()}
        return _PLACE.sub(lambda place: values[place[1]], template.translated)

    def _value(self, text: str, place: str) -> str:
        """What stands in a place: a sentence or several, a part, a number; else a name or a message, which stays."""
        if not any(character.isalpha() for character in text):
            return " ".join(map(numeral, text.split(" ")))
        word = text.split(" ", 1)[0]
        found = self.sentences.find(text, word)
        if found is None and "; " in text:
            return "\u00a0; ".join(self._value(one, place) for one in text.split("; "))
        found = found or self.parts.find(text, word) or self.sentences.find(text, "")
        if found is None and place in _LISTS:
            found = self.parts.find(text, "")
        whole = self._filled(found)
        if whole is not None:
            return whole
        return ". ".join(self._value(one, place) for one in text.split(". ")) if ". " in text else text


@cache
def _book(language: str) -> _Book:
    """Empty where the words of the language have not been compiled: then all is English."""
    file = Path(str(settings.LOCALE_PATHS[0])) / language / "LC_MESSAGES" / "sentences.json"
    known = json.loads(file.read_text()) if file.exists() else {"sentence": {}, "part": {}}
    return _Book(_templates(known["sentence"], frozenset()), _templates(known["part"], _NUMBERS))


def _templates(translations: dict[str, str], numbers: frozenset[str]) -> _Templates:
    found = _Templates()
    for template in sorted(translations, key=lambda one: -len(_PLACE.sub("", one))):
        first = template.split(" ", 1)[0]
        word = "" if "{" in first else first
        found.by_word[word].append(_Template(_compiled(template, numbers), translations[template]))
    return found


def _compiled(template: str, numbers: frozenset[str]) -> re.Pattern[str]:
    """Only some places hold several sentences, and those of numbers no space."""
    pattern, seen = "", set[str]()
    for at, part in enumerate(_PLACE.split(template)):
        if at % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            held = ".+?" if part in _SENTENCES else r"\S+?" if part in numbers else r"(?:(?![.?] [A-Z0-9]).)+?"
            pattern += f"(?P<{part}>{held})"
            seen.add(part)
    return re.compile(pattern, re.DOTALL)
