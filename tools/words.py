"""The words of the pages: `words.py extract` gathers what is marked, `words.py compile` makes it fast to look up.

`extract` writes new texts of templates, Python and scripts into `locale/*/LC_MESSAGES/*.po` and says what still has no
translation; `compile`, which set-up does, writes what is quick to look up: the `.mo` files, the scripts' words in
`static/words/LANGUAGE.js`, and the sentences.
"""

import ast
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import sentences
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parent.parent / "src/ovd_saas"
LOCALE = PACKAGE / "assets/locale"
SCRIPTS_WORDS = PACKAGE / "assets/static/words"
FLOORS = ("assets", "panel", "frontends")  # where pages are
PYTHON_WORDS = {
    "_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None,
    "ngettext": (1, 2), "ngettext_lazy": (1, 2), "pgettext": ((1, "c"), 2), "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3), "npgettext_lazy": ((1, "c"), 2, 3),
}  # fmt: skip
SCRIPT_WORDS = {
    "window.ovd.words": None, "ovd.words": None, "words": None,
    "window.ovd.words.count": (1, 2), "ovd.words.count": (1, 2), "words.count": (1, 2),
}  # fmt: skip
_CALL = re.compile(r"\b(?:_|n?p?gettext)\(")

Found = tuple[str, str | tuple[str, str], str | None]  # (file, text or (one, many), context)


def _files(pattern: str) -> list[Path]:
    found = [path for floor in FLOORS for path in (PACKAGE / floor).rglob(pattern)]
    folders = [(path, path.relative_to(PACKAGE).parts[:-1]) for path in found]
    return sorted(path for path, parts in folders if "words" not in parts and not any("vendor" in one for one in parts))


def _of_python() -> Iterator[Found]:
    for path in _files("*.py"):
        for _, message, _, context in extract("python", io.BytesIO(path.read_bytes()), PYTHON_WORDS):
            yield _name(path), message, context


def _of_scripts() -> Iterator[Found]:
    for path in _files("*.js"):
        source = io.BytesIO(path.read_bytes())
        for _, message, _, context in extract("javascript", source, SCRIPT_WORDS, options={"jsx": False}):
            yield _name(path), message, context


def _of_templates() -> Iterator[Found]:
    from django.conf import settings
    from django.utils.translation.template import templatize

    if not settings.configured:
        settings.configure()
    for path in _files("*.html"):
        for line in templatize(path.read_text(), origin=str(path)).splitlines():
            for call in _CALL.finditer(line):
                yield _name(path), *_arguments(line[call.start() :])


def _arguments(text: str) -> tuple[str | tuple[str, str], str | None]:
    """What a call at the beginning of the text is given: its texts and its context."""
    for end in (at for at, character in enumerate(text, 1) if character == ")"):
        try:
            call = ast.parse(text[:end], mode="eval").body
        except SyntaxError:
            continue
        assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        texts = [str(one.value) for one in call.args if isinstance(one, ast.Constant)]
        context = texts.pop(0) if "p" in call.func.id else None
        return (texts[0], texts[1]) if len(texts) > 1 else texts[0], context
    raise SyntaxError(text)


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def catalogue(found: Iterator[Found]) -> Catalog:
    """Each text once, with the files that show it."""
    template = Catalog(project="OVD-SaaS", charset="utf-8")
    for file, message, context in found:
        if message and message != ("", ""):
            template.add(message, locations=[(file, 0)], context=context)
    return template


def marked() -> dict[str, Catalog]:
    """All texts: `django` is for the server, `djangojs` for scripts, `sentences` are what the platform writes down."""

    def server() -> Iterator[Found]:
        yield from _of_templates()
        yield from _of_python()

    return {
        "django": catalogue(server()),
        "djangojs": catalogue(_of_scripts()),
        "sentences": catalogue(iter(sentences.gather())),
    }


def catalogues() -> Iterator[tuple[str, Path, Catalog]]:
    """(language, file, what it says) of each committed file of translations."""
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        language = path.parent.parent.name
        with path.open("rb") as file:
            yield language, path, read_po(file, locale=language)


def write() -> None:
    texts = marked()
    for language, path, known in catalogues():
        known.update(texts[path.stem], no_fuzzy_matching=True, update_creation_date=False)
        known.obsolete.clear()
        known.header_comment = (
            f"# {language} of OVD-SaaS. Which word stands for which: docs/how-to/translate-the-pages.md."
        )
        known.last_translator = known.language_team = known.msgid_bugs_address = "OVD-SaaS"
        with path.open("wb") as file:
            write_po(file, known, width=120, include_lineno=False, sort_output=True)
        missing = [one.id for one in known if one.id and not is_translated(one)]
        print(f"{language} {path.stem}: {len(known)} texts, {len(missing)} without translation")
        for one in missing:
            print(f"  {one!r}")


def is_translated(message: Message) -> bool:
    texts = [message.string] if isinstance(message.string, str) else message.string
    return bool(message.id) and bool(texts) and all(texts)


def compile_all() -> None:
    SCRIPTS_WORDS.mkdir(parents=True, exist_ok=True)
    for language, path, known in catalogues():
        if path.stem == "django":
            with path.with_suffix(".mo").open("wb") as file:
                write_mo(file, known)
        elif path.stem == "djangojs":
            words = {
                one.id if isinstance(one.id, str) else one.id[0]: one.string for one in known if is_translated(one)
            }
            text = (
                f"window.ovd = window.ovd || {{}};\nwindow.ovd.catalogue = {json.dumps(words, ensure_ascii=False)};\n"
            )
            (SCRIPTS_WORDS / f"{language}.js").write_text(text)
        else:
            said: dict[str, dict[str, str]] = {sentences.SENTENCE: {}, sentences.PART: {}}
            for one in known:
                if is_translated(one):
                    said[str(one.context)][str(one.id)] = str(one.string)
            path.with_suffix(".json").write_text(json.dumps(said, ensure_ascii=False, indent=0))


if __name__ == "__main__":
    {"extract": write, "compile": compile_all}[sys.argv[1]]()
