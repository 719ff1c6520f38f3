"""Nearest names: what somebody probably meant."""

import difflib
from typing import Iterable, List


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with a leading space that names the nearest known name, else all of them."""
    names: List[str] = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f' Did you mean "{close[0]}"?'
    if not names:
        return ""
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f" Known here: {shown}."
