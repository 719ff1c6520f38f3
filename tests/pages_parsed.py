"""Pages parsed for tests: what a strict content policy forbids, and what stands in a page."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """`inline`: what a policy of `default-src 'self'` would block; `actions`: what its forms offer."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.actions: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if (tag == "script" and not (values.get("src") or "").startswith("/static/")) or tag == "style":
            self.inline.append(f"<{tag}>")
        self.inline += [
            f"{tag} {name}={value}"
            for name, value in values.items()
            if name == "style" or name.startswith("on") or (value or "").strip().lower().startswith("javascript:")
        ]
        if tag == "input" and values.get("name") == "action":
            self.actions.append(values.get("value") or "")
        if tag == "a":
            self.links.append(values.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.text += data
