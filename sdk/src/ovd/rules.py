"""Rules of the manifest: one dataclass per table; each field carries what its value may be."""

import dataclasses
import math
import re
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from ovd import preloads, reach
from ovd.fields import KINDS, Field

LONGEST = 100_000_000  # s, three years: no length of the manifest is more, so that moments stay within the calendar


class Rule(NamedTuple):
    """What a value may be. `kind` is text, texts, integer, number or flag; bounds are included; a pattern is of
    each text."""

    kind: str
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    choices: Tuple[str, ...] = ()
    pattern: str = ""
    said: str = ""  # the pattern, in words

    def fault(self, value: Any) -> str:
        """What is wrong with `value`, as the end of a sentence; empty when it is right."""
        if self.kind == "texts":
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                return f"must be a list of texts, not {_shown(value)}."
            wrong = [item for item in value if self.pattern and not re.fullmatch(self.pattern, item)]
            return f"holds {_shown(wrong[0])}; each must be {self.said}." if wrong else ""
        if not _FITS[self.kind](value):
            return f"must be {_CALLED[self.kind]}, not {_shown(value)}."
        if self.choices and value not in self.choices:
            return f"is {_shown(value)}; it must be one of {', '.join(self.choices)}."
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"is {_shown(value)}; it must be {self.said}."
        if self.minimum is not None and value < self.minimum:
            return f"is {_shown(value)}; the least is {self.minimum:g}."
        if self.maximum is not None and value > self.maximum:
            return f"is {_shown(value)}; the most is {self.maximum:g}."
        return ""


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return is_real and not isinstance(value, bool)


_FITS: Dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "flag": lambda value: isinstance(value, bool),
}
_CALLED = {"text": "a text", "integer": "a whole number", "number": "a number", "flag": "true or false"}


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, (dict, list)) else type(value).__name__.replace("dict", "table")
    return text if len(text) <= 60 else text[:57] + "…"


def _rule(default: Any, kind: str, *args: Any, **more: Any) -> Any:
    rule = Rule(kind, *args, **more)
    if isinstance(default, (list, tuple)):
        return dataclasses.field(default=tuple(default), metadata={"rule": rule})
    return dataclasses.field(default=default, metadata={"rule": rule})


_VERSION = r"[<>=!~]=?\s*\d+(\.\d+)*(\.\*)?"
_VERSIONS = rf"{_VERSION}(\s*,\s*{_VERSION})*"
_CRON = r"(?:[0-9A-Za-z*/,\-#]+\s+){4}[0-9A-Za-z*/,\-#]+"


@dataclasses.dataclass(frozen=True)
class Resources:
    memory_mb: int = _rule(512, "integer", 16)
    cpus: float = _rule(1, "number", 0.1, 1024)
    gpus: float = _rule(0, "number", 0, 1024)
    disk_mb: int = _rule(256, "integer", 1)


@dataclasses.dataclass(frozen=True)
class Execute:
    timeout: float = _rule(60, "number", 0.1, 86_400)  # s
    concurrency: int = _rule(1, "integer", 1, 256)  # executions at once in one process
    max_queue: int = _rule(1000, "integer", 1, 1_000_000)
    max_attempts: int = _rule(3, "integer", 1, 100)
    max_replicas: int = _rule(1, "integer", 1, 64)  # processes at once, while the queue asks for them


@dataclasses.dataclass(frozen=True)
class Sleep:
    after: float = _rule(300, "number", 0, LONGEST)  # s of quiet time
    wake: str = _rule("fork", "text", choices=("fork", "spawn"))  # from a template process, or from nothing
    preload: Tuple[str, ...] = _rule((preloads.AUTO,), "texts", pattern=preloads.PATTERN, said=preloads.SAID)
    keep_awake: str = _rule("", "text")
    time_zone: str = _rule("UTC", "text")  # of keep_awake
    predict: bool = _rule(False, "flag")  # wake ahead of regular use


@dataclasses.dataclass(frozen=True)
class Environment:
    lock: str = _rule("requirements.lock", "text")
    python: str = _rule(">=3.11", "text", pattern=_VERSIONS, said='a version range such as ">=3.11"')


@dataclasses.dataclass(frozen=True)
class Network:
    hosts: Tuple[str, ...] = _rule((), "texts", pattern=reach.PATTERN, said=reach.SAID)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where data lies that the platform may fetch: a folder, or any address that fsspec reaches."""

    address: str = _rule("", "text", pattern=r"(?s).+", said="a folder or an address such as s3://bucket/folder")
    schedule: str = _rule("", "text", pattern=_CRON + "|", said='five fields of cron, such as "0 3 * * *"')
    pattern: str = _rule("*", "text")  # names of the files that are meant


@dataclasses.dataclass(frozen=True)
class Learn:
    on_wake: str = _rule("together", "text", choices=("together", "yield", "finish"))
    data: str = _rule("all", "text", choices=("all", "new"))  # new: since the parent, for online learners
    schedule: str = _rule("", "text", pattern=_CRON + "|", said='five fields of cron, such as "0 3 * * *"')
    time_zone: str = _rule("UTC", "text")
    min_samples: int = _rule(1, "integer", 0)  # new samples that make learning due; 0: data alone makes nothing due
    quiet: float = _rule(0, "number", 0, LONGEST)  # s without a new batch before learning starts
    max_wait: float = _rule(0, "number", 0, LONGEST)  # s after which quiet is waited for no more; 0 = no bound
    at_most_every: float = _rule(0, "number", 0, LONGEST)  # s between the beginnings of two learning runs
    timeout: float = _rule(3600, "number", 1, LONGEST)  # s, of one attempt
    retries: int = _rule(0, "integer", 0, 100)  # how often a failed run is tried again, with growing pauses
    yield_within: float = _rule(5, "number", 0, 600)  # s to save a checkpoint in when a user came
    memory_mb: int = _rule(0, "integer", 0)  # 0 = as [resources]; likewise the next two
    cpus: float = _rule(0, "number", 0, 1024)
    disk_mb: int = _rule(0, "integer", 0)
    holdout: str = _rule("last", "text", choices=("last", "hash"))
    holdout_fraction: float = _rule(0.2, "number", 0.01, 0.9)
    time: str = _rule("", "text")  # the datetime field by which the last part is the latest; empty: as they arrived
    same_within: float = _rule(86_400, "number", 0, LONGEST)  # s in which the same bytes again are the same batch
    from_executions: bool = _rule(False, "flag")  # succeeded executions with consent become samples
    label: str = _rule("label", "text")  # the field of a sample that feedback fills
    sample: Tuple[Field, ...] = ()  # what one sample holds; empty: any JSON object
    sources: Tuple[Source, ...] = ()


@dataclasses.dataclass(frozen=True)
class Gate:
    metric: str = _rule("", "text", pattern=r".+", said="the name of a metric that `evaluate` returns")
    direction: str = _rule("min", "text", choices=("min", "max"))
    minimum_improvement: float = _rule(0.0, "number")  # in the unit of the metric; below 0 allows a little worse
    confidence: float = _rule(0.95, "number", 0.5, 0.999)  # of the interval, where samples have scores
    max_size_mb: float = _rule(0, "number", 0)  # of the model; 0 = no limit
    max_seconds: float = _rule(0, "number", 0)  # of one execution (median of the samples); 0 = no limit
    approve: str = _rule("auto", "text", choices=("auto", "manual"))
    bake: float = _rule(0, "number", 0, LONGEST)  # s for which a promoted version is watched; 0 = not at all
    bake_error_rate: float = _rule(0.2, "number", 0, 1)  # share of failed executions above which it is rolled back
    bake_executions: int = _rule(5, "integer", 1)  # fewer tell nothing
    bake_feedback: int = _rule(20, "integer", 2)  # labels needed to compare it with the version before


@dataclasses.dataclass(frozen=True)
class Drift:
    """How far incoming samples may be from those that the active version learned from."""

    window: int = _rule(500, "integer", 20, 100_000)  # latest samples that are compared
    fields: Tuple[str, ...] = _rule((), "texts")  # watched; empty: every number, choice, boolean and text
    psi: float = _rule(0.25, "number", 0)  # limits; 0 = not looked at
    ks: float = _rule(0.2, "number", 0, 1)
    js: float = _rule(0.1, "number", 0, 1)
    missing: float = _rule(0.1, "number", 0, 1)  # increase of the share of missing values
    learn: bool = _rule(False, "flag")  # drift makes learning due
    cooldown: float = _rule(86_400, "number", 0, LONGEST)  # s between two learning runs that drift made due


@dataclasses.dataclass(frozen=True)
class Author:
    name: str = _rule("", "text", pattern=r"(?s).+", said="a name")
    affiliation: str = _rule("", "text")
    orcid: str = _rule("", "text", pattern=r"(\d{4}-){3}\d{3}[\dX]|", said="an ORCID such as 0000-0002-1825-0097")


@dataclasses.dataclass(frozen=True)
class About:
    """The keys at the top of the manifest."""

    name: str = _rule("", "text", pattern=r"[a-z][a-z0-9-]{0,38}[a-z0-9]",
                      said="2 to 40 lower-case letters, digits or hyphens, beginning with a letter, "
                      "not ending with a hyphen")  # fmt: skip
    title: str = _rule("", "text", pattern=r"(?s).{1,200}", said="1 to 200 characters")
    summary: str = _rule("", "text", pattern=r"(?s).{0,500}", said="at most 500 characters")
    description: str = _rule("", "text")
    licence: str = _rule("", "text")
    paper: str = _rule("", "text", pattern=r"(https?://\S+)?", said="an address that begins with https://")
    credits: Tuple[str, ...] = _rule((), "texts")
    tags: Tuple[str, ...] = _rule((), "texts")
    entry: str = _rule("", "text", pattern=r"[A-Za-z_][\w.]*:[A-Za-z_]\w*|", said='module:Class, such as "app:MyApp"')
    command: str = _rule("", "text")
    authors: Tuple[Author, ...] = ()


FIELD_RULES: Dict[str, Rule] = {
    "kind": Rule("text", choices=KINDS),
    "label": Rule("text"),
    "help": Rule("text"),
    "unit": Rule("text"),
    "advanced": Rule("flag"),
    "optional": Rule("flag"),
    "minimum": Rule("number"),
    "maximum": Rule("number"),
    "step": Rule("number"),
    "minimum_length": Rule("integer", 0),
    "maximum_length": Rule("integer", 0),
    "minimum_rows": Rule("integer", 0),
    "maximum_rows": Rule("integer", 0),
    "pattern": Rule("text"),
    "multiline": Rule("flag"),
    "columns": Rule("texts"),
    "timed": Rule("flag"),
    "max_bytes": Rule("integer", 1),
    "media_types": Rule("texts"),
    "file": Rule("text"),
}
