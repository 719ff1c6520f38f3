"""Drawn words: the picture of a life cycle in the language of the page. Floor 3."""

import re

from django.utils.translation import get_language, pgettext_lazy

from ovd_saas.assets import sentences

_WORDS = {  # as long as fits into a box, or beside an arrow
    "asleep": pgettext_lazy("picture of the life cycle", "asleep"),
    "waking": pgettext_lazy("picture of the life cycle", "waking"),
    "awake": pgettext_lazy("picture of the life cycle", "awake"),
    "draining": pgettext_lazy("picture of the life cycle", "draining"),
    "resting": pgettext_lazy("picture of the life cycle", "resting"),
    "due": pgettext_lazy("picture of the life cycle", "due"),
    "learning": pgettext_lazy("picture of the life cycle", "learning"),
    "yielding": pgettext_lazy("picture of the life cycle", "yielding"),
    "evaluating": pgettext_lazy("picture of the life cycle", "evaluating"),
    "draft": pgettext_lazy("picture of the life cycle", "draft"),
    "enabled": pgettext_lazy("picture of the life cycle", "enabled"),
    "suspended": pgettext_lazy("picture of the life cycle", "suspended"),
    "retired": pgettext_lazy("picture of the life cycle", "retired"),
    "healthy": pgettext_lazy("picture of the life cycle", "healthy"),
    "faulty": pgettext_lazy("picture of the life cycle", "faulty"),
    "wake": pgettext_lazy("picture of the life cycle", "wake"),
    "ready": pgettext_lazy("picture of the life cycle", "ready"),
    "fail": pgettext_lazy("picture of the life cycle", "fail"),
    "sleep": pgettext_lazy("picture of the life cycle", "sleep"),
    "drain": pgettext_lazy("picture of the life cycle", "drain"),
    "lose": pgettext_lazy("picture of the life cycle", "lose"),
    "trigger": pgettext_lazy("picture of the life cycle", "trigger"),
    "begin": pgettext_lazy("picture of the life cycle", "begin"),
    "pause": pgettext_lazy("picture of the life cycle", "pause"),
    "cancel": pgettext_lazy("picture of the life cycle", "cancel"),
    "yield": pgettext_lazy("picture of the life cycle", "yield"),
    "evaluate": pgettext_lazy("picture of the life cycle", "evaluate"),
    "settle": pgettext_lazy("picture of the life cycle", "settle"),
    "enable": pgettext_lazy("picture of the life cycle", "enable"),
    "suspend": pgettext_lazy("picture of the life cycle", "suspend"),
    "retire": pgettext_lazy("picture of the life cycle", "retire"),
    "fault": pgettext_lazy("picture of the life cycle", "fault"),
    "recover": pgettext_lazy("picture of the life cycle", "recover"),
}
_TEXT = re.compile(r"(<text\b[^>]*>)([^<]*)(</text>)")
_TITLE = re.compile(r"<title>[^<]*</title>")
_LABEL = re.compile(r'aria-label="([^"]*)"')


def in_words(drawing: str) -> str:
    """The drawing with its words as the page speaks. What a pointer is told of each arrow is there in English only."""
    if (get_language() or "en").startswith("en"):
        return drawing
    said = _TEXT.sub(lambda found: f"{found[1]}{_each(found[2])}{found[3]}", _TITLE.sub("", drawing))
    return _LABEL.sub(lambda found: f'aria-label="{sentences.said(found[1])[0]}"', said, count=1)


def _each(words: str) -> str:
    return ", ".join(str(_WORDS.get(word, word)) for word in words.split(", "))
