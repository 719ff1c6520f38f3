"""Every word of the pages is there in French, and each page speaks the language of who reads it."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

import ovd_saas
import pages_rows
from ovd_saas.assets import looks, sentences, words
from ovd_saas.assets.templatetags import ovd as tags
from ovd_saas.domain import admission, baking, diagram, gate, processes
from ovd_saas.panel import drawn_words
from ovd_saas.panel.pages import overview

PACKAGE = Path(ovd_saas.__file__).parent
TOOLS = PACKAGE.parent.parent / "tools"
CURE = "Mark it, run `make words`, and translate what it lists in src/ovd_saas/assets/locale/fr/LC_MESSAGES/."


def tool(name: str) -> ModuleType:
    """A script of tools/."""
    sys.path.insert(0, str(TOOLS))
    try:
        found = importlib.util.spec_from_file_location(f"tools_{name}", TOOLS / f"{name}.py")
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def gathered() -> Any:
    return tool("words")


def places(text: str) -> set[str]:
    return set(re.findall(r"\{\w+\}|%\(\w+\)[sd]", text))


def test_every_text_and_every_sentence_has_its_french(gathered: Any) -> None:
    marked = gathered.marked()
    missing = []
    for language, path, known in gathered.catalogues():
        for message in marked[path.stem]:
            found = known.get(message.id, message.context) if message.id else None
            if message.id and (found is None or not gathered.is_translated(found)):
                missing.append((language, path.stem, message.id))
    assert missing == [], CURE


def test_a_translation_has_the_places_of_its_text(gathered: Any) -> None:
    for _, _, known in gathered.catalogues():
        for message in known:
            ids = (message.id,) if isinstance(message.id, str) else message.id
            texts = (message.string,) if isinstance(message.string, str) else message.string
            if message.id and all(texts):
                assert {one for text in texts for one in places(text)} <= places(" ".join(ids)), message.id
                assert places(texts[-1]) == places(ids[-1]), message.id


def test_french_has_its_typography(gathered: Any) -> None:
    for _, _, known in gathered.catalogues():
        for message in known:
            texts = (message.string,) if isinstance(message.string, str) else message.string
            for text in (texts or ()) if message.id else ():
                shown = re.sub(r"<[^>]*>|\{[^}]*\}|%\(\w+\)s", "", text)
                assert not re.search(r"[ \w][;!?»](?=\s|$)", shown), text  # a no-break space stands before them
                assert "« " not in shown and " :" not in shown and "'" not in re.sub(r"`[^`]*`", "", shown), text


NAMES = {  # what is the same in every language
    "OVD-SaaS", "AppCore", "ovd.toml", "JSON", "CSV", "API", "ORCID", "URL", "PID", "CPU", "GPU", "ms", "s", "h", "min",
    "MB", "MiB", "KiB", "GiB", "x", "v", "Enter", "Esc", "Tab", "id", "px",
}  # fmt: skip
EXAMPLES = {  # what somebody would type
    "time,value", "name,size", "first,3", "api.example.org:443", "water-flow", "acme/water-flow", "ana, AppCore",
    "CC-BY-4.0", "Python",
}  # fmt: skip
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT.*")
SHOWN = ("title", "aria-label", "placeholder", "alt", "label", "data-empty", "data-words")


class Visible(HTMLParser):
    """What a person would read of a template: its texts and the attributes that are shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._quiet = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._quiet += tag.split("\ue000")[0] in ("code", "pre", "kbd", "script", "style")
        self.found += [value for name, value in attributes if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in ("code", "pre", "kbd", "script", "style")

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.found.append(data)


def visible(template: str) -> Iterator[str]:
    """The words of a template that nobody marked for translation."""
    bare = re.sub(r"{#.*?#}", "", template)
    bare = re.sub(r"{%\s*(comment|blocktranslate|verbatim)\b.*?{%\s*end\1\s*%}", "", bare, flags=re.DOTALL)
    bare = re.sub(r"{%.*?%}|{{.*?}}", "\ue000", bare, flags=re.DOTALL)
    for text in Visible(bare).found:
        for piece in re.split(r"[\ue000\n]+", text):
            said = {word for word in re.findall(r"[^\s·:,.()%/=…–×+&;#]+", piece) if re.search("[A-Za-z]", word)}
            if not (said <= NAMES or piece.strip() in EXAMPLES or MOMENT.match(piece.strip())):
                yield piece.strip()


def test_no_text_of_a_template_is_left_unmarked() -> None:
    unmarked = [
        (str(path.relative_to(PACKAGE)), text)
        for path in sorted(PACKAGE.rglob("templates/**/*.html"))
        for text in visible(path.read_text())
    ]
    assert unmarked == [], CURE


def test_the_checker_of_templates_sees_what_is_unmarked() -> None:
    assert list(visible('<p title="Hello there">{% translate "x" %} · 3 s</p><b>Stop {{ n }}</b>')) == [
        "Hello there",
        "Stop",
    ]


def test_no_text_of_a_script_is_left_unmarked() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("static/*/*.js")):
        if path.parent.name in ("vendor", "words"):
            continue
        for shown in re.findall(
            r"""\.(?:text|title|placeholder|textContent)\s*(?:=|\()\s*"([^"]*)\"""", path.read_text()
        ):
            if re.search(r"[A-Za-z]{2}", shown):
                wrong.append((path.name, shown))
        assert '"en-GB"' not in path.read_text(), path
    assert wrong == [], CURE


def french(client: Client, place: str, **also: Any) -> HttpResponse:
    return client.get(place, headers={"accept-language": "fr-FR,fr;q=0.9,en;q=0.5"}, **also)  # type: ignore[return-value]


def test_a_page_speaks_the_language_of_the_browser(client_of: Callable[..., Client]) -> None:
    pages_rows.platform()
    owner = client_of("owner")
    answer = french(owner, "/applications/")
    page = answer.content.decode()
    assert '<html lang="fr"' in page and "Nouvelle application" in page
    assert "Accept-Language" in answer["Vary"] and answer["Content-Language"] == "fr"
    english = owner.get("/applications/", headers={"accept-language": "de,en;q=0.5"}).content.decode()
    assert '<html lang="en-gb"' in english and "New application" in english


def test_who_chose_a_language_keeps_it(client_of: Callable[..., Client]) -> None:
    owner = client_of("owner")
    answer = owner.post("/i18n/setlang/", {"language": "fr", "next": "/tokens/"})
    assert (answer.status_code, answer["Location"]) == (302, "/tokens/")
    assert '<html lang="fr"' in owner.get("/tokens/").content.decode()
    owner.post("/i18n/setlang/", {"language": "en-gb", "next": "/tokens/"})
    assert '<html lang="en-gb"' in french(owner, "/tokens/").content.decode()


def test_programs_get_english_whatever_they_accept(client_of: Callable[..., Client]) -> None:
    answer = french(client_of("owner"), "/api/v1/applications/acme/nothing")
    assert answer.json()["detail"].startswith("There is no application")
    assert "Accept-Language" not in answer.get("Vary", "")


def test_a_language_ends_with_its_request(client_of: Callable[..., Client]) -> None:
    french(client_of("owner"), "/tokens/")
    assert translation.get_language() == "en-gb"


@pytest.fixture
def in_french() -> Iterator[None]:
    with translation.override("fr"):
        yield


def test_numbers_lengths_and_sizes_are_written_as_the_french_do(in_french: None) -> None:
    assert tags.number(1234567.5) == "1\xa0234\xa0570" or tags.number(1234.5) == "1\xa0234,5"
    assert tags.number(12345) == "12\xa0345"
    assert words.size(1536) == "1,5\xa0Kio"
    assert words.length(3.24) == "3,2 s"
    assert words.span(172_800) == "2 jours"


def test_states_speak_french_in_the_gender_of_their_noun(in_french: None) -> None:
    assert looks.EXECUTIONS["failed"].word == "échouée"
    assert looks.PROCESSES["ready"].word == "prêt"
    assert looks.RELEASES["ready"].word == "prête"


def test_a_sentence_nobody_knows_stays_english_and_says_so(in_french: None) -> None:
    assert (
        tags.said("Its frobnicator is <b>gone</b>")
        == '<span lang="en">Its frobnicator is &lt;b&gt;gone&lt;/b&gt;</span>'
    )
    assert tags.said("") == ""


def test_a_sentence_is_said_with_what_stood_in_it(in_french: None) -> None:
    assert tags.said("3 executions wait.") == "3 exécutions attendent."
    assert (
        tags.said("Its last start failed: <exit code> 1") == "Son dernier démarrage a échoué\xa0: &lt;exit code&gt; 1"
    )
    two = "Nothing, until a person enables it. 2 executions wait until then."
    assert tags.said(two) == "Rien, tant qu’une personne ne l’active pas. 2 exécutions attendent jusque-là."
    assert tags.said("Wakes now.", "") == "S’éveille maintenant"


def test_english_is_said_as_it_was_written() -> None:
    assert tags.said("3 executions wait.") == "3 executions wait."


RULE = gate.Rule(metric="mae", direction=gate.SMALLER, minimum_improvement=0.01, max_size_mb=1, max_seconds=1)


def verdicts() -> Iterator[str]:
    """Verdicts of every sort that the domain makes."""
    scores = tuple(0.1 * one for one in range(40))
    better = gate.Assessment({"mae": 0.4}, samples=40, scores=scores, execution_seconds=0.2)
    worse = gate.Assessment({"mae": 0.5}, samples=40, scores=tuple(one + 0.1 for one in scores), execution_seconds=3.0)
    bare = gate.Assessment({"mae": 0.45}, samples=40)
    none = gate.Assessment({}, samples=0)
    for candidate in (better, worse, bare, none):
        for active in (None, better, worse, bare):
            name = "version 3" if active else "no model"
            yield gate.judge(RULE, candidate=candidate, active=active, size=3 << 20, active_name=name).sentence
    rule = baking.Rule(RULE)
    for current, previous in ((worse, better), (better, worse), (bare, bare)):
        compared = baking.compare(
            rule, labels=60, current=current, previous=previous, version="version 4", before="version 3"
        )
        yield f"Rolled back: {compared.sentence}."


def test_verdicts_are_said_without_a_word_of_english(in_french: None) -> None:
    english = re.compile(r"\b(the|is|with|than|at least|version of|no|as|there|must|samples|improvement)\b")
    for sentence in verdicts():
        said, is_known = sentences.said(sentence)
        assert is_known and not english.search(said), (sentence, said)


def test_what_the_life_cycle_says_is_known(in_french: None) -> None:
    memory = [
        admission.why_too_large(9000, 800),
        processes.why_ready(processes.FORK, 0.02),
        processes.why_ready(processes.TEMPLATE, 3.5),
        processes.why_ready(processes.SPAWN, None),
    ]
    for sentence in memory:
        assert sentences.said(sentence)[1], sentence


def test_the_picture_of_the_life_cycle_speaks_the_language_of_the_page(in_french: None) -> None:
    for region in overview.REGIONS:
        drawn = drawn_words.in_words(diagram.diagram(machines=(region,)))
        machine = diagram.LAYOUTS[region].machine
        events = {row.event for row in machine.transitions}
        words = set(re.findall(r"<text[^>]*>([^<]*)</text>", drawn))
        assert not {word for text in words for word in text.split(", ")} & ({*machine.states, *events} - {"pause"})
