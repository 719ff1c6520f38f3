"""Manifest: `ovd.toml`, read and checked; every problem names file, line and key, and says how to cure it."""

import dataclasses
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple, Type, TypeVar, Union

from ovd import cron, declared, hours, toml_lines
from ovd.fields import Field
from ovd.nearest import did_you_mean
from ovd.problems import ManifestError, Problem
from ovd.rules import (
    About,
    Author,
    Drift,
    Environment,
    Execute,
    Gate,
    Learn,
    Network,
    Resources,
    Rule,
    Sleep,
    Source,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "ovd.toml"

__all__ = ["FILE", "Manifest", "ManifestError", "Problem", "load"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Manifest(About):
    """A checked manifest. An application has either an `entry` (module:Class) or a `command` with inputs and
    outputs."""

    resources: Resources = dataclasses.field(default_factory=Resources)
    execute: Execute = dataclasses.field(default_factory=Execute)
    sleep: Sleep = dataclasses.field(default_factory=Sleep)
    environment: Environment = dataclasses.field(default_factory=Environment)
    network: Network = dataclasses.field(default_factory=Network)
    learn: Union[Learn, None] = None  # None = execute-only
    gate: Union[Gate, None] = None
    drift: Union[Drift, None] = None  # None = not watched
    inputs: Tuple[Field, ...] = ()  # of a command application
    outputs: Tuple[Field, ...] = ()
    lines: Mapping[Tuple[str, ...], int] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    @property
    def learns(self) -> bool:
        return self.learn is not None

    def problem(self, key: str, message: str, cure: str) -> Problem:
        """A problem at the line of the dotted `key`."""
        path = tuple(key.split(".")) if key else ()
        return Problem(FILE, toml_lines.line_of(dict(self.lines), path), key, message, cure)


WATCHABLE = ("number", "integer", "boolean", "text", "choice")  # kinds whose drift is measured
_TABLES: Dict[str, Type[Any]] = {
    "resources": Resources,
    "execute": Execute,
    "sleep": Sleep,
    "environment": Environment,
    "network": Network,
    "learn": Learn,
    "gate": Gate,
    "drift": Drift,
}


def load(folder: Union[str, Path]) -> Manifest:
    """The manifest of the application in `folder`. Raises ManifestError with all its problems."""
    folder = Path(folder)
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        cure = "Make one with `ovd new`." if folder.is_dir() else "Name a folder that exists."
        raise ManifestError([Problem(FILE, 0, "", f"There is no {FILE} in {folder.name or folder}.", cure)]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError([Problem(FILE, 0, "", f"Cannot be read: {error}.", "Save it as UTF-8 text.")]) from None
    return read(text, lambda name: (folder / name).is_file())


def read(text: str, holds: Callable[[str], bool]) -> Manifest:
    """The manifest in `text`, of a folder that `holds` tells the files of. Raises ManifestError with all its
    problems."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError([_syntax(text, str(error))]) from None
    reading = _Reading(text)
    manifest = reading.manifest(document)
    if not reading.problems:
        reading.problems += _folder_problems(holds, manifest)
    if reading.problems:
        raise ManifestError(sorted(reading.problems, key=lambda problem: problem.line))
    return manifest


def _syntax(text: str, message: str) -> Problem:
    words = message.replace(")", " ").replace(",", " ").split()
    line = len(text.splitlines())
    if "line" in words:
        line = int(words[words.index("line") + 1])
    what = message.split(" (at")[0].rstrip(".")
    cure = "See https://toml.io for how a value is written; a text stands in double quotes."
    return Problem(FILE, line, "", f"Not TOML: {what}.", cure)


def _folder_problems(holds: Callable[[str], bool], manifest: Manifest) -> List[Problem]:
    problems = []
    if not holds(manifest.environment.lock):
        cure = "Make it with `uv pip compile --universal --generate-hashes`; an empty file means: no packages."
        message = f"The lock file {manifest.environment.lock} is not in the folder."
        problems.append(manifest.problem("environment.lock", message, cure))
    if manifest.description and not holds(manifest.description):
        message = f"The file {manifest.description} is not in the folder."
        problems.append(manifest.problem("description", message, "Name a Markdown file of the folder, or remove it."))
    return problems


class _Reading:
    """One document on its way to a manifest, collecting problems."""

    def __init__(self, text: str) -> None:
        self.lines = toml_lines.lines_of(text)
        self.problems: List[Problem] = []

    def complain(self, path: Tuple[str, ...], message: str, cure: str) -> None:
        line = toml_lines.line_of(self.lines, path) or 1
        self.problems.append(Problem(FILE, line, ".".join(path), message, cure))

    def manifest(self, document: Dict[str, Any]) -> Manifest:
        top = {key: value for key, value in document.items() if key not in _TABLES and key not in ("inputs", "outputs")}
        authors = self.authors(top.pop("authors", []))
        about = self.fill(About, top, (), also=(*_TABLES, "authors", "inputs", "outputs"))
        tables: Dict[str, Any] = {name: self.table(name, document[name]) for name in _TABLES if name in document}
        kinds: Dict[str, Any] = {
            name: declared.of_command(name, document[name], self.complain)
            for name in ("inputs", "outputs")
            if name in document
        }
        self.whole(document)
        self.named_fields(document, tables.get("learn"), tables.get("drift"))
        values = {field.name: getattr(about, field.name) for field in dataclasses.fields(About)}
        values["authors"] = authors
        return Manifest(**values, **tables, **kinds, lines=self.lines)

    def whole(self, document: Dict[str, Any]) -> None:
        """What no key can know alone."""
        for key in ("name", "title"):
            if key not in document:
                self.complain((key,), f"There is no {key}.", f'Write {key} = "…" at the top of the file.')
        if bool(document.get("entry")) == bool(document.get("command")):
            both = document.get("entry") and document.get("command")
            message = "There are both entry and command." if both else "There is neither entry nor command."
            cure = 'Write entry = "app:MyApp" for a Python class, or command = "…" for a program: one of them.'
            self.complain(("command",) if both else ("entry",), message, cure)
        if document.get("entry"):
            for key in ("inputs", "outputs"):
                if key in document:
                    cure = "Remove this table, or write command instead of entry."
                    self.complain((key,), f"The {key} of a Python class stand in the signature of execute.", cure)
        if document.get("command") and not document.get("outputs"):
            self.complain(("command",), "A command needs outputs.", "Add a table [outputs.NAME] with kind and file.")
        if "learn" in document and document.get("command"):
            self.complain(("learn",), "A command cannot learn.", "Remove this table, or write a Python class.")
        if "learn" in document and "gate" not in document:
            cure = "Add a table [gate] with metric and direction."
            self.complain(("learn",), "An application that learns needs a gate.", cure)
        for name, said in (("gate", "A gate"), ("drift", "Drift")):
            if name in document and "learn" not in document:
                self.complain((name,), f"{said} without learning.", "Add a table [learn], or remove this one.")
        if isinstance(document.get("gate"), dict) and not document["gate"].get("metric"):
            self.complain(("gate",), "There is no metric.", 'Write metric = "mae", as your evaluate names it.')

    def named_fields(self, document: Dict[str, Any], learn: Any, drift: Any) -> None:
        """What [learn] and [drift] say of the fields of a sample."""
        if not isinstance(learn, Learn):
            return
        fields = {field.name: field for field in learn.sample}
        if learn.time:
            self.time_field(learn.time, fields)
        if fields and "label" in document["learn"] and learn.label not in fields:
            self.complain(("learn", "label"), *_no_such_field(learn.label, fields))
        watched = drift.fields if isinstance(drift, Drift) else ()
        for name in watched if fields else ():
            if name not in fields:
                self.complain(("drift", "fields"), *_no_such_field(name, fields))
            elif fields[name].kind not in WATCHABLE:
                message = f"The field {name!r} is a {fields[name].kind}, which cannot be watched."
                cure = f"Name only fields of the kinds {', '.join(WATCHABLE)}."
                self.complain(("drift", "fields"), message, cure)

    def time_field(self, name: str, fields: Dict[str, Field]) -> None:
        path = ("learn", "time")
        if name not in fields:
            cure = f'Write {name} = "datetime" below [learn.sample].' if not fields else ""
            message, known = _no_such_field(name, fields)
            self.complain(path, message, cure or known)
        elif fields[name].kind != "datetime":
            message = f"The field {name!r} is a {fields[name].kind}; samples are put in order by a datetime."
            self.complain(path, message, f'Write {name} = "datetime" below [learn.sample], or name another field.')
        elif fields[name].optional:
            message = f"The field {name!r} is optional; without it a sample has no place in time."
            self.complain(path, message, "Remove optional there, or remove this key: the order of arrival counts then.")

    def table(self, name: str, value: Any) -> Any:
        kind = _TABLES[name]
        if not isinstance(value, dict):
            self.complain((name,), "Must be a table.", f"Write [{name}] on a line of its own, and its keys below.")
            return kind()
        value = dict(value)
        sample = value.pop("sample", None) if name == "learn" else None
        sources = value.pop("sources", []) if name == "learn" else []
        made = self.fill(kind, value, (name,), also=("sample", "sources") if name == "learn" else ())
        if name == "sleep":
            self.keep_awake(made)
        if name == "learn":
            self.time_zone(("learn", "time_zone"), made.time_zone)
            self.schedule(("learn", "schedule"), made.schedule)
            made = dataclasses.replace(made, sources=self.sources(sources))
        if sample is not None:
            made = dataclasses.replace(made, sample=declared.of_sample(sample, self.complain))
        return made

    def keep_awake(self, sleep: Sleep) -> None:
        self.time_zone(("sleep", "time_zone"), sleep.time_zone)
        path, text = ("sleep", "keep_awake"), sleep.keep_awake
        if text and (fault := hours.fault(text)):
            self.complain(path, f"The text {text!r} {fault}", hours.CURE)
        elif text and hours.is_cron(text) and sleep.after == 0:
            message = "It would be woken at these moments and, as after is 0, fall asleep at once."
            self.complain(path, message, 'Raise after, or write hours such as "08:00-18:00".')

    def time_zone(self, path: Tuple[str, ...], name: str) -> None:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(name)
            return
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = zoneinfo.available_timezones()  # empty where there is no list: nothing can be said then
        if known and name not in known:
            cure = f"Write a name of the IANA list, such as Europe/Madrid.{did_you_mean(name, known)[:80]}"
            self.complain(path, f"There is no time zone {name!r}.", cure)

    def schedule(self, path: Tuple[str, ...], schedule: str) -> None:
        if schedule and (fault := cron.fault(schedule)):
            cure = 'Write minute, hour, day of the month, month and day of the week, such as "0 3 * * *".'
            self.complain(path, f"The schedule {schedule!r} {fault}", cure)

    def sources(self, value: Any) -> Tuple[Source, ...]:
        path = ("learn", "sources")
        if not isinstance(value, list) or not all(isinstance(source, dict) for source in value):
            self.complain(path, "Must be a list of tables.", 'Write [[learn.sources]] and below it address = "…".')
            return ()
        for source in value:
            if not source.get("address"):
                self.complain(path, "A source has no address.", 'Write [[learn.sources]] and below it address = "…".')
        made = tuple(self.fill(Source, source, path) for source in value)
        for source in made:
            self.schedule((*path, "schedule"), source.schedule)
        return made

    def authors(self, value: Any) -> Tuple[Author, ...]:
        if not isinstance(value, list) or not all(isinstance(author, dict) for author in value):
            self.complain(("authors",), "Must be a list of tables.", 'Write authors = [{ name = "…" }].')
            return ()
        for author in value:
            if not author.get("name"):
                self.complain(("authors",), "An author has no name.", 'Write authors = [{ name = "…" }].')
        return tuple(self.fill(Author, author, ("authors",)) for author in value)

    def fill(self, kind: Type[T], values: Dict[str, Any], path: Tuple[str, ...], also: Tuple[str, ...] = ()) -> T:
        """An instance of the dataclass `kind`; a wrong value leaves its default and a problem."""
        rules = {
            field.name: field.metadata["rule"]
            for field in dataclasses.fields(kind)  # type: ignore[arg-type]
            if "rule" in field.metadata
        }
        good: Dict[str, Any] = {}
        for key, value in values.items():
            if key not in rules:
                place = f"the table [{'.'.join(path)}]" if path else "the manifest"
                cure = did_you_mean(key, (*rules, *also)).strip()
                self.complain((*path, key), f"Unknown key {key!r} in {place}.", cure)
                continue
            fault = rules[key].fault(value)
            if fault:
                self.complain((*path, key), f"The value of {key} {fault}", _cure(rules[key], key, value))
            else:
                good[key] = tuple(value) if isinstance(value, list) else value
        return kind(**good)


def _no_such_field(name: str, fields: Dict[str, Field]) -> Tuple[str, str]:
    return f"A sample has no field {name!r}.", did_you_mean(name, fields).strip()


def _cure(rule: Rule, key: str, value: Any) -> str:
    if rule.choices:
        return did_you_mean(str(value), rule.choices).strip()
    if rule.kind in ("integer", "number") and isinstance(value, str):
        return f"Write it without quotes: {key} = {value}."
    return f"Change {key}, or remove it to have the default."
