"""The sentences that the platform writes down, as templates: found in the code, or composed there and listed here.

`gather` gives `(file, template, context)`: of context `sentence` stands alone, of context `part` stands in a place of
another one. A place is `{name}`; the words of `f"Cancelled by {by.removeprefix('user:')}."` are "Cancelled by {by}."
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent
FOLDERS = ("src/ovd_saas/domain", "src/ovd_saas/appcore", "src/ovd_saas/store", "src/ovd_saas/engines")
FILES = (
    "src/ovd_saas/runner/births.py",
    "src/ovd_saas/runner/checks.py",
    "src/ovd_saas/runner/environments.py",
    "src/ovd_saas/runner/models.py",
    "src/ovd_saas/runner/preparations.py",
    "src/ovd_saas/runner/processes.py",
    "src/ovd_saas/runner/templates.py",
    "src/ovd_saas/runner/told.py",
    "sdk/src/ovd/execution.py",
    "sdk/src/ovd/failures.py",
)
SENTENCE, PART = "sentence", "part"
NOT_SAID = ('{"', "%s", "%d", "\n", "ovd:", "INSERT", "SELECT")  # log lines, SQL
PEOPLE_NEVER_SEE = ("journal.py", "machine.py", "notices.py", "dispatch_channel.py", "bootstrap.py", "statements.py")

COMPOSED = (  # put together from pieces in the code
    'Output "{name}" {why}',
    'Input "{name}" {why}',
    "Sample {name}: {why}",
    "1 execution waits.",
    "{count} executions wait.",
    "1 execution waits until then.",
    "{count} executions wait until then.",
    "Wakes at {time}.",
    "Wakes on {day} at {time}.",
    "Kept awake until {day} at {time}.",
    "Used on the last {periods} {days} at about {time}.",
    "Used on {times} of the last {periods} {days} at about {time}.",
    "Falls asleep when 1 execution finished.",
    "Falls asleep when {count} executions finished.",
    "1 start in a row failed; see the log of its last process.",
    "{count} starts in a row failed; see the log of its last process.",
    "A process is ready.",
    "A process is ready: forked from a template.",
    "A process is ready: forked from a template in {seconds} s.",
    "A process is ready: its template had to be built first, ready.",
    "A process is ready: its template had to be built first, ready in {seconds} s.",
    "A process is ready: begun from nothing.",
    "A process is ready: begun from nothing in {seconds} s.",
    "Waits for memory: needs {needs} MB, {free} of {total} MB are free.",
    "Waits for memory: needs {needs} MB, {free} of {total} MB are free, for those who have waited longer.",
    "One more process waits for memory: needs {needs} MB, {free} of {total} MB are free.",
    "One more process waits for memory: needs {needs} MB, {free} of {total} MB are free, for those who have"
    " waited longer.",
    "The newer release or model waits for memory: needs {needs} MB, {free} of {total} MB are free.",
    "The newer release or model waits for memory: needs {needs} MB, {free} of {total} MB are free, for those who have"
    " waited longer.",
    "Suspended by {name}.",
    "Enabled by {name}.",
    "Retired by {name}.",
    "Wake {address}: {refusal}",
    "Sleep {address}: {refusal}",
    "Suspend {address}: {refusal}",
    "Enable {address}: {refusal}",
    "Retire {address}: {refusal}",
    "Passed: {parts}.",
    "Rejected: {parts}.",
    "Drift in {fields}: the last {samples} samples differ from those that {learner} learned from.",
    "1 sample has arrived since {learner} learned; {least} are needed to compare.",
    "{samples} samples have arrived since {learner} learned; {least} are needed to compare.",
    "Rolled back: {parts}.",
    "{version} was watched for {length}: {parts}.",
    "{version} was watched for {length}: nobody used it.",
    "{version} was watched for {length}: {failed} of {all} executions failed.",
    "Learns when new data arrives.",
    "Learns when new data arrives, or at the latest at this moment.",
    "Learns when 1 sample has arrived.",
    "Learns when {count} samples have arrived.",
    "Learns when 1 more sample has arrived.",
    "Learns when {count} more samples have arrived.",
    "Learns when 1 sample has arrived, or at the latest at this moment.",
    "Learns when {count} samples have arrived, or at the latest at this moment.",
    "Learns when 1 more sample has arrived, or at the latest at this moment.",
    "Learns when {count} more samples have arrived, or at the latest at this moment.",
    "Due: 1 new sample has arrived.",
    "Due: {count} new samples have arrived.",
    "Due: 1 new sample has arrived, of {needed} needed.",
    "Due: {count} new samples have arrived, of {needed} needed.",
    "1 new sample has arrived.",
    "{count} new samples have arrived.",
    "1 new sample has arrived, of {needed} needed.",
    "{count} new samples have arrived, of {needed} needed.",
    'Waits until {moment}: the next time of the schedule "{cron}" in {zone}.',
    'Skipped: the schedule "{cron}" in {zone} says {moment}, but nothing has arrived that no run has taken.',
    'Skipped: the schedule "{cron}" in {zone} says {moment}, but there are no samples to learn from.',
    'Due: the schedule "{cron}" in {zone} says {moment}.',
    "It also makes up for {moment} and what followed.",
    "Due: {why}",
    "Skipped: [drift] has no learn = true. {why}",
    "Waits until {moment}: drift made it learn lately (cooldown of {cooldown} s).",
    "Learning run {number} was the last.",
    "Skipped: paused by {name}: {why}. Looked at again when a person resumes it.",
    "Skipped: paused by {name}. Looked at again when a person resumes it.",
    "{name} paused what makes it learn.",
    "{name} paused what makes it learn: {why}",
    "{who} allowed {hosts}, from the next start on.",
    "{who} took back {hosts}.",
    "1 process was ended for that; what ran begins again.",
    "{count} processes were ended for that; what ran begins again.",
    "It gave its memory to {application}, which somebody waits for.",
    "It gave its memory to {application}, which needs more.",
    "It is tried again.",
    "It is tried again in {seconds} s.",
    "Cannot wake.",
    "{address} is {status}; it learns no more; what it has learned stays readable.",
    "{address} is {status}; it learns when it is enabled.",
    "Application {address} is a draft. Push a release that gets ready.",
    "Application {address} is suspended. Ask its operators to enable it.",
    "Application {address} is retired. Its archive stays readable.",
    "{why} But {version} does not start; {stays} stays.",
    "{why} But that is not possible: {refusal}",
    "The only sample breaks the declared schema; nothing was stored. {faults}",
    "{count} of {samples} samples break the declared schema; nothing was stored. {faults}",
)
PARTS = (  # stand in the places of others
    "the text {text}",
    "the number {number}",
    "null",
    "a list",
    "an object",
    "true",
    "false",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "weekdays",
    "days",
    "Mondays",
    "Tuesdays",
    "Wednesdays",
    "Thursdays",
    "Fridays",
    "Saturdays",
    "Sundays",
    "version {number}",
    "Version {number}",
    "no version",
    "no model",
    "No model",
    "the candidate",
    "draft",
    "enabled",
    "suspended",
    "retired",
    "asleep",
    "awake",
    "waking",
    "draining",
    "queued",
    "running",
    "succeeded",
    "failed",
    "rejected",
    "cancelled",
    "expired",
    "paused",
    "evaluating",
    "awaiting_approval",
    "awaiting",
    "promoted",
    "building",
    "ready",
    "active",
    "candidate",
    "withdrawn",
    "owner",
    "author",
    "operator",
    "member",
    "nobody",
    "see",
    "execute",
    "push to",
    "operate",
    "manage",
    "{first} or {second}",
    "{address}'s application",
    "application {address}",
    "1 field",
    "{count} fields",
    "{count} hosts",
    "1 host",
    "somebody",
    "a person",
    "{measure} {value}, limit {limit}",
    "{field} ({measure} {value}, limit {limit})",
    "{first} and {second}",
    "{first}, {second}",
    "{count} more",
    "{metric} is {value}",
    "{metric} is {value}, the same as {name} ({theirs})",
    "{metric} is {value}, the same as {name}",
    "{metric} is {value}, {far} lower than {name} ({theirs})",
    "{metric} is {value}, {far} higher than {name} ({theirs})",
    "there is no active version to compare it with",
    "the holdout has no samples, so nothing was measured; more data has to arrive",
    "the holdout has no samples, so nothing was measured",
    "more data has to arrive",
    'evaluate gave no metric "{metric}" for {name} (metrics: {there})',
    "{metric} of {name} is {value}, which is no finite number",
    "a score of {name} is no finite number",
    "there is no interval, as evaluate gave no scores",
    "there is no interval, as there are {ours} scores against {theirs}",
    "there is no interval, as one sample tells no spread",
    "with {confidence} % confidence the improvement is between {low} and {high}",
    "with {confidence} % confidence the improvement of the mean score is between {low} and {high}",
    "its lower end must be at least {asked}",
    "it must improve by at least {asked}",
    "it must not be higher",
    "it must not be lower",
    "at least {asked} is asked for",
    "the model has {size} MB, over the limit of {limit} MB",
    "the limit of {limit} s for an execution could not be checked, as none of its samples ran",
    "the limit of {limit} s for an execution could not be checked, as the release has no samples to time",
    "an execution takes {seconds} s, over the limit of {limit} s",
    "it fails on the sample {names}",
    "it fails on the samples {names}",
    "{failed} of {all} executions of {version} failed since it was promoted, over the limit of {limit} %",
    "{failed} of {all} executions failed",
    "nobody used it",
    "{metric} could not be compared on {labels} labels",
    "on {labels} labels {metric} of {version} is {value}, {far} lower than {name} ({theirs})",
    "on {labels} labels {metric} of {version} is {value}, {far} higher than {name} ({theirs})",
    "on {labels} labels {metric} of {version} is {value}, the same as {name}",
    "with {confidence} % confidence going back improves it by {low} to {high}",
    "{count} days",
    "stopped as asked",
    "killed: reached the memory limit of {limit} MB",
    "killed: more than {count} processes and threads at once",
    "killed: filled its disk limit of {limit} MB",
    "killed by the system: it held more than its memory limit of {limit} MB",
    "killed: it was not ready in time; its import or setup takes too long",
    "stopped: it did not finish within its grace and was killed",
    "killed: it closed the line to the runner, or said on it what nobody had asked for",
    "ended: its code held the interpreter for longer than its lease of {seconds} s, so that nothing else of it ran",
    "ended itself: the runner had not renewed its lease for {seconds} s",
    "killed from outside (SIGKILL): by an operator, or because the machine ran out of memory",
    "exit code 0, though nobody had asked it to end",
    "exit code {code}",
    "exit code {code}: {line}",
    "exit code {code}: {line} (before it was ready)",
    "exit code {code} (before it was ready)",
    "signal {name}",
    "signal {name}: {line}",
    "ended by signal {name}",
    "ended by signal {name}: {line}",
)
COMPOSED_INSTEAD = (  # what the code has of them
    "{counts} of ",
    "{which} the declared schema",
    "{action} {",
    "Wakes {when}",
    "Falls asleep when {",
    "{failures} in a row",
    "A process is ready{",
    "{WAITS}",
    "Drift in {fields_said}",
    "{have} arrived since",
    "{watch} was watched",
    "Learns when {arrive}",
    "Waits until {at}: the next",
    "Skipped: the schedule {cron} says",
    "Due: the schedule {cron} says",
    "{reason}{",
    "{ended} process",
    "Application {address} {why}",
    "{sentence} But",
    "{address} is {status}; {why}",
    "Rolled back: {",
    "Used on {",
    "Skipped: nothing is left that no run has taken.{",
    "Skipped: paused by {name}{",
    "Nothing, until a person enables it.{",
    "{by} paused what makes it learn{",
    "{why} It is tried again{",
    "Cannot wake. {",
    "{said}",
    "{decision} But",
    "Skipped: paused by",
    "It gave its memory to {address}, {whom}",
    "{verdict} A person",
    "Skipped: [drift]",
    "{past} by",
)
FAULTS = (  # what is wrong with one field of a form: sdk/src/ovd/values.py, schema.py, uploads.py
    "is missing and has no default.",
    "is missing.",
    "must be a number, not {found}.",
    "must be a whole number, not {found}.",
    "must be true or false, not {found}.",
    "must be a text, not {found}.",
    "must be a file, not {found}.",
    "is {found}; give a finite number.",
    "is beyond the range of numbers, which ends at 1.8e308.",
    "has {count} character; the least is {least}.",
    "has {count} characters; the least is {least}.",
    "has {count} characters; the most is {most}.",
    "has {count} value; the least is {least}.",
    "has {count} values; the least is {least}.",
    "has {count} values; the most is {most}.",
    "has {count} row; the least is {least}.",
    "has {count} rows; the least is {least}.",
    "has {count} rows; the most is {most}.",
    "is {shown}; the least is {least}.",
    "is {shown}; the most is {most}.",
    "is {found}; it must be one of {shown}.",
    "does not match the pattern {pattern}",
    "has {found} as value {place}; a value is a number, or null for a gap.",
    "has {times} times for {count} values; give one time for each value.",
    "lacks the column {names}; it has {there}.",
    "lacks the columns {names}; it has {there}.",
    "must be a moment such as 2022-03-01T00:00:00Z, not {found}.",
    "is {found}; a moment is written such as 2022-03-01T00:00:00Z.",
    "has {found} as time {place}; a time is written such as 2022-03-01T00:00:00Z.",
    "{size} is over the limit of {limit}. Send a smaller file, or ask the author to raise it.",
    "the file {name} is {found}; send {allowed}.",
    "the file {name} is said to be {found} but is not text in UTF-8.",
    "the file {name} is no image: it is {found}. Send {allowed}.",
    "the file is not text in UTF-8 (byte {start}). Save it as CSV in UTF-8.",
    "the file is not JSON: {error}.",
    "the file is not CSV: {error}.",
    "record {number} of the CSV has {cells} cells; the header has {columns}.",
    "record {number} of the CSV has {cell} as its value, which is no number.",
    "a series has a column of times and one of values; the CSV has {columns} columns.",
)
MORE = ("Skipped: nothing is left that no run has taken.", "A person has to approve it.")


def gather() -> Iterator[tuple[str, str, str]]:
    """Each template once or more, with where it was found."""
    here = "tools/sentences.py"
    yield from ((here, one, SENTENCE) for one in (*COMPOSED, *FAULTS, *MORE))
    yield from ((here, one, PART) for one in PARTS)
    paths = [path for folder in FOLDERS for path in sorted((SOURCES / folder).rglob("*.py"))]
    for path in [*paths, *(SOURCES / file for file in FILES)]:
        if "migrations" in path.parts or path.name in PEOPLE_NEVER_SEE:
            continue
        for text in _texts(ast.parse(path.read_text())):
            if is_sentence(text):
                yield str(path.relative_to(SOURCES)), text, SENTENCE


def is_sentence(text: str) -> bool:
    """Begins like a sentence, ends like one, and has enough words of its own to be known by them."""
    words = re.findall(r"[A-Za-z’']+", re.sub(r"\{\w+\}", "", text))
    if not re.match(r"[A-Z{\"“]", text) or not text.endswith((".", "?", "}")) or any(one in text for one in NOT_SAID):
        return False
    if text.startswith(COMPOSED_INSTEAD) or " " not in text or len(words) < 2:
        return False
    return not text.endswith("}") or (bool(re.search(r"[.:;] \{\w+\}$", text)) and text[0] != "{")


def _texts(module: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(module))
    inner = {id(one) for node in nodes if isinstance(node, ast.JoinedStr) for one in ast.walk(node) if one is not node}
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    for node in nodes:
        if id(node) in inner or id(node) in said:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{" not in node.value:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield _template(node)


def _template(node: ast.JoinedStr) -> str:
    text, seen = "", set[str]()
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        assert isinstance(part, ast.FormattedValue)
        name = found = _name(part.value)
        number = 2
        while name in seen:
            name, number = f"{found}{number}", number + 1
        seen.add(name)
        text += "{" + name + "}"
    return text


def _name(node: ast.expr) -> str:
    """What a place is called: the last name of the expression in it."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id.lower().strip("_")
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("removeprefix", "capitalize", "total_seconds"):
            return _name(node.func.value)
        return _name(node.args[0]) if node.args else _name(node.func)
    for inner in ("value", "left", "body", "operand"):
        if isinstance(found := getattr(node, inner, None), ast.expr):
            return _name(found)
    return "value"
