"""Meanings: every key of the manifest in a sentence; the reference page and the editor of manifests tell them."""

from typing import Dict

from ovd.rules import Rule

MEANINGS: Dict[str, str] = {
    "about.name": "What the address ends in: `org/name`",
    "about.title": "For people",
    "about.summary": "One or two sentences for lists",
    "about.description": "A Markdown file of the folder",
    "about.licence": "Of the code, an SPDX name such as `Apache-2.0`",
    "about.paper": "Address of the article",
    "about.credits": "Whose data and methods these are",
    "about.tags": "Words to find it by",
    "about.entry": "The Python class; this or `command`",
    "about.command": "The command line of a program in any language; this or `entry`",
    "authors.name": 'Of one author, in `authors = [{ name = "…" }]`',
    "authors.affiliation": "Where they work",
    "authors.orcid": "Who they are",
    "resources.memory_mb": "Memory of one process, in MB; beyond it is killed and the execution fails",
    "resources.cpus": "Processors of one process",
    "resources.gpus": "Graphics processors of one process",
    "resources.disk_mb": "What one process may write, in MB",
    "execute.timeout": "s that one execution may take",
    "execute.concurrency": "Executions at once in one process",
    "execute.max_queue": "Executions that may wait; more are answered with 429",
    "execute.max_attempts": "How often an execution is begun when its process dies",
    "execute.max_replicas": "Processes that serve at once, while the queue asks for more than one",
    "sleep.after": "s of quiet after which it falls asleep; 0: at once",
    "sleep.wake": "How a process begins: a fork of a *template* that has imported the libraries, or a new one",
    "sleep.preload": "Modules that the template imports; `auto`: those of the heavy libraries in the lock; empty: none",
    "sleep.keep_awake": "Hours, or cron: when it does not sleep. [How](../explanation/sleeping.md#hours)",
    "sleep.time_zone": "Of `keep_awake` and `predict`, an IANA name",
    "sleep.predict": "Whether it is woken ahead of a use that is regular",
    "environment.lock": "The lock file, with hashes; an empty one means no packages",
    "environment.python": "Which Pythons it runs with",
    "network.hosts": "What it means to reach; only what operators allow is reached",
    "learn.on_wake": "When a user comes while it learns: both at once, learning gives way, or the user waits",
    "learn.data": "`all`: learn from everything each time. `new`: from what the parent has not learned",
    "learn.schedule": 'Cron: learning is due at these moments; with `data = "new"`, if anything is',
    "learn.time_zone": "Of `schedule`, an IANA name",
    "learn.min_samples": "New samples that make learning due; 0: data alone makes nothing due",
    "learn.quiet": "s without a new batch before learning begins",
    "learn.max_wait": "s after which `quiet` is waited for no more; 0: no bound",
    "learn.at_most_every": "s between the beginnings of two runs",
    "learn.timeout": "s that one attempt may take",
    "learn.retries": "How often a run that failed is tried again, with growing pauses",
    "learn.yield_within": "s to save a checkpoint in when a user came",
    "learn.memory_mb": "While it learns; 0: as in `[resources]`",
    "learn.cpus": "While it learns; 0: as in `[resources]`",
    "learn.disk_mb": "While it learns; 0: as in `[resources]`",
    "learn.holdout": "Which samples the gate judges with: the newest, or the same ones each time, by their digest",
    "learn.holdout_fraction": "How many of them",
    "learn.time": 'With `data = "all"`: the datetime field that tells which are the newest; empty: as they arrived',
    "learn.same_within": "s in which the same samples again are the same batch",
    "learn.from_executions": "Succeeded executions with consent become samples",
    "learn.label": "The field that feedback on an execution fills",
    "sources.address": "A folder below the application's own on the platform, or an address that operators allow",
    "sources.schedule": "Cron: when it is looked at; also when somebody notifies",
    "sources.pattern": "Names of the files that are meant",
    "gate.metric": "As `evaluate` names it",
    "gate.direction": "Whether less or more of it is better",
    "gate.minimum_improvement": "In the unit of the metric; below 0 a candidate may be so much worse",
    "gate.confidence": "Of the interval, where samples have scores",
    "gate.max_size_mb": "Of the model, in MB; 0: no limit",
    "gate.max_seconds": "Of one execution (median over the release's samples); 0: no limit",
    "gate.approve": "Whether a candidate that passes goes live at once or waits for a person",
    "gate.bake": "s for which a promoted version is watched; 0: not at all",
    "gate.bake_error_rate": "Share of failed executions above which it is rolled back",
    "gate.bake_executions": "Fewer than so many tell nothing",
    "gate.bake_feedback": "Labels that are needed to compare it with the version before",
    "drift.window": "Latest samples that are compared with what the live version learned from",
    "drift.fields": "Which are watched; empty: every number, integer, choice, boolean and text",
    "drift.psi": "Limit of the population stability index, numbers; 0: not looked at",
    "drift.ks": "Limit of the Kolmogorov–Smirnov statistic, numbers; 0: not looked at",
    "drift.js": "Limit of the Jensen–Shannon distance, everything else; 0: not looked at",
    "drift.missing": "Limit of the increase in the share of missing values; 0: not looked at",
    "drift.learn": "Whether drift makes learning due",
    "drift.cooldown": "s between two runs that drift made due",
}
OF_FIELDS: Dict[str, str] = {
    "kind": "What the value is",
    "label": "Its name, for people",
    "help": "A sentence below it",
    "unit": "Of a number or a series",
    "advanced": "Folded away in the form",
    "optional": "May be absent",
    "minimum": "Of a number",
    "maximum": "Of a number",
    "step": "Of a number, in the form",
    "minimum_length": "Of a text (characters) or a series (values)",
    "maximum_length": "Of a text (characters) or a series (values)",
    "minimum_rows": "Of a table",
    "maximum_rows": "Of a table",
    "pattern": "A regular expression for a text",
    "multiline": "Whether the text has several lines, in the form",
    "columns": "Of a table",
    "timed": "Whether a series must have times",
    "max_bytes": "Of a file or picture",
    "media_types": "Of a file or picture",
    "file": "An output: the file that the program writes",
}
_UNITS: Dict[str, str] = {
    "text": "text",
    "texts": "list of texts",
    "integer": "whole number",
    "number": "number",
    "flag": "true or false",
}


def allowed(rule: Rule) -> str:
    """What a value may be, in words."""
    if rule.choices:
        return ", ".join(f"`{choice}`" for choice in rule.choices)
    if rule.said:
        said = rule.said.replace("|", "\\|")
        return f"list; each {said}" if rule.kind == "texts" else said
    low, high = (None if bound is None else f"{bound:,g}" for bound in (rule.minimum, rule.maximum))
    bounds = f" {low} to {high}" if low and high else f" ≥ {low}" if low else f" ≤ {high}" if high else ""
    return f"{_UNITS[rule.kind]}{bounds}"
