"""Words: an author's Markdown as safe HTML; lengths, sizes and numbers as people of each language write them."""

import re

import nh3
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt

_TAGS = {
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote",
    "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_MARKS = {"fr": ("\u00a0", ",")}  # between thousands, before the fraction
_NUMBER = re.compile(r"-?\d+(,\d{3})*(\.\d+)?(e[+-]?\d+)?")


def markdown(text: str) -> SafeString:
    """Markdown without raw HTML and pictures; links open with no referrer and tell search engines nothing."""
    html = nh3.clean(
        _MARKDOWN.render(text),
        tags=_TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(html)  # noqa: S308 - nh3 cleaned it


def numeral(text: str) -> str:
    """A number as Python writes it, "1,234.5", with the marks of the language; what is no number stays."""
    if not _NUMBER.fullmatch(text):
        return text
    apart, mark = _MARKS.get((get_language() or "")[:2], (",", "."))
    return text.replace(",", "\0").replace(".", mark).replace("\0", apart)


def span(seconds: float) -> str:
    """A round length: "90 s", "5 min", "6 h", "2 days"."""
    if seconds >= 86_400 and seconds % 86_400 == 0:
        days = int(seconds // 86_400)
        return ngettext("{count} day", "{count} days", days).format(count=days)
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)} {unit}"
    return f"{numeral(f'{seconds:g}')} s"


def length(seconds: float) -> str:
    """A measured length: "0.8 ms", "420 ms", "3.2 s", "4 min 5 s"."""
    if seconds < 1:
        return f"{numeral(f'{seconds * 1000:.2g}' if seconds < 0.01 else f'{seconds * 1000:.0f}')} ms"
    if seconds < 60:
        return f"{numeral(f'{seconds:.1f}')} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: float) -> str:
    """Bytes in words, in powers of 1024: "512 B", "1.4 MiB"."""
    amount = float(count)
    if amount < 1024:
        return _("{number} B").format(number=f"{amount:.0f}")
    amount /= 1024
    if amount < 1024:
        return _("{number} KiB").format(number=_short(amount))
    amount /= 1024
    if amount < 1024:
        return _("{number} MiB").format(number=_short(amount))
    return _("{number} GiB").format(number=numeral(f"{amount / 1024:,.1f}"))


def _short(amount: float) -> str:
    return f"{amount:.0f}" if amount >= 10 else numeral(f"{amount:.1f}")
