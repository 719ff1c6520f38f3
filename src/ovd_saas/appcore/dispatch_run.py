"""A run: one execution in one process, from the first frame to its outcome. Floor 2.

Until it has a row (`lease` is 0) it lives in memory only, and nobody has been told of it.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ovd_saas.appcore import dispatch_told as told
from ovd_saas.appcore.digests import NotCanonical, canonical, digest, unstorable
from ovd_saas.appcore.dispatch_errand import Errand
from ovd_saas.appcore.dispatch_outputs import OutputFiles, TooMuch, UnknownFile
from ovd_saas.appcore.dispatch_told import printable as printable
from ovd_saas.domain import executions
from ovd_saas.store.claims import Happening, Result

if TYPE_CHECKING:
    from ovd_saas.appcore.dispatch_process import LiveProcess

LONGEST_LOG = 256 << 10  # bytes
CROWD = 20  # happenings not told yet; from then on they are told together
MOST_HAPPENINGS = 1000  # not told yet; what is beyond is in the log and in the result
MOST_TOLD = 20_000  # of one execution, for those who watch
MOST_STREAMED = 64 << 20  # bytes of JSON of outputs that are told while it works
CUT = "\n[The log is cut here: it has reached 256 KiB.]\n"

_names = (f"{number:x}" for number in count(1))  # the same process may get the same execution again


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Order:
    """What is to be executed, for whom."""

    id: UUID
    application_id: int
    inputs: dict[str, Any]  # canonical values
    input_digest: str
    seed: int
    created_at: datetime
    deadline_at: datetime | None
    caller: str
    by_id: int | None
    cause: Mapping[str, Any]
    request_digest: str
    consent: bool = False  # the application may learn from it
    lease: int = 0  # 0: there is no row yet
    attempts: int = 0
    started_at: datetime | None = None  # as its row says


@dataclass(slots=True)
class Ending:
    """The process answered, or its time was up."""

    result: Result
    at: datetime


@dataclass(slots=True)
class Loss:
    """The process will never answer."""

    reason: str
    counts: bool | None  # as an attempt; None: unless the process was condemned


Outcome = Ending | Loss


@dataclass(slots=True, eq=False)
class Run:
    """Its outcome goes to who brought it (`errand`) while it has no row, and to `outcome` from then on."""

    order: Order
    process: "LiveProcess"
    errand: Errand | None = None  # None: it had a row before it was sent
    outcome: "asyncio.Future[Outcome] | None" = None  # of a run that has a row
    sent_at: datetime = field(default_factory=now)
    sent: float = field(default_factory=time.monotonic)
    began: float = 0.0  # time.monotonic(), as far as it is known here
    due: float = math.inf  # time.monotonic() after which it takes too long
    progress: dict[str, Any] | None = None
    happenings: list[Happening] = field(default_factory=list)  # not told yet
    files: OutputFiles | None = None
    is_visible: bool = False
    is_settled: bool = False
    is_final: bool = False  # its row is, by the doing of this server
    archived: Ending | None = None  # what its row says, if this server wrote that
    is_begun: bool = False  # it left the process's own queue
    is_answered: bool = False  # the process has said its last word about it
    is_taken_back: bool = False  # the process was asked to give it back, unless it has begun
    wire: str = field(default_factory=_names.__next__)  # on the channel
    _log: list[str] = field(default_factory=list)
    _log_size: int = 0
    _told: int = 0  # happenings so far
    _streamed: int = 0  # bytes

    def __post_init__(self) -> None:
        self.began = self.sent

    @property
    def id(self) -> UUID:
        return self.order.id

    @property
    def log(self) -> str:
        return "".join(self._log)

    def happened(self, kind: str, body: dict[str, Any]) -> None:
        """Tell those who watch, unless there is too much to tell."""
        if len(self.happenings) < MOST_HAPPENINGS and self._told < MOST_TOLD:
            self._told += 1
            self.happenings.append(Happening(self.order.id, kind, body, now()))

    def _place_of(self, kind: str, stream: str | None = None) -> int | None:
        """Of what this may be told together with: the last happening; in a crowd also an earlier one."""
        for place in range(len(self.happenings) - 1, -1, -1):
            happening = self.happenings[place]
            if happening.kind == kind and happening.body.get("stream") == stream:
                return place
            if len(self.happenings) < CROWD:
                return None
        return None

    def on_progress(self, header: Mapping[str, Any]) -> None:
        self.progress = told.progress(header)
        place = self._place_of("progress")
        if place is not None:
            self.happenings[place] = replace(self.happenings[place], body=self.progress)
        else:
            self.happened("progress", self.progress)

    def on_log(self, header: Mapping[str, Any]) -> None:
        if self._log_size >= LONGEST_LOG:
            return
        text = told.text(header.get("text"), told.LONGEST_LINES)
        if not text:
            return
        room = LONGEST_LOG - self._log_size
        encoded = text.encode()
        self._log_size += len(encoded)
        if len(encoded) > room:
            text = encoded[:room].decode(errors="ignore") + CUT
            self._log_size = LONGEST_LOG
        self._log.append(text)
        stream = told.stream(header.get("stream"))
        place = self._place_of("log", stream)
        if place is not None:
            last = self.happenings[place]
            self.happenings[place] = replace(last, body={"stream": stream, "text": last.body["text"] + text})
        else:
            self.happened("log", {"stream": stream, "text": text})

    def on_output(self, header: Mapping[str, Any]) -> None:
        name, value = told.text(header.get("name"), told.LONGEST_NAME), header.get("value")
        why, text = self._judged({name: value})
        if why:
            return  # the result will say what is wrong with it
        self._streamed += len(text)
        if self._streamed > MOST_STREAMED:
            return
        for place, earlier in enumerate(self.happenings):  # only the latest of one name is worth telling
            if earlier.kind == "output" and earlier.body["name"] == name:
                del self.happenings[place]
                break
        self.happened("output", {"name": name, "value": value})

    def on_file(self, header: Mapping[str, Any], chunk: bytes) -> None:
        if self.files is None and self.process.channel is not None:
            self.files = OutputFiles(self.process.channel, most_mb=self.process.release.disk_mb)
        if self.files is not None:
            self.files.feed(told.text(header.get("file"), told.LONGEST_NAME), chunk, last=header.get("last") is True)

    async def stored_outputs(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs as they are archived, their files durable. Raises UnknownFile, OSError."""
        if self.files is None:
            return dict(outputs)
        return {name: await self.files.canonical(value) for name, value in outputs.items()}

    def answered(self, outputs: Any, seconds: Any) -> Ending | None:
        """The ending that these outputs are; None when they are as they should be, and `stored` has to see to files."""
        if not isinstance(outputs, dict):
            return self.failed("output", "The process sent outputs that are not an object.", seconds=seconds)
        why, text = self._judged(outputs)
        if not why and (missing := told.lacks(self.process.release.outputs, outputs)):
            why = f'Output "{missing}" is declared but was not given.'
        if why:
            return self.failed("output", why, seconds=seconds)
        return None if self.files is not None else self._succeeded(outputs, seconds, text)

    def succeeded(self, outputs: dict[str, Any], seconds: Any) -> Ending:
        """With outputs that were judged and whose files are durable."""
        try:
            return self._succeeded(outputs, seconds, canonical(outputs))
        except NotCanonical as error:
            return self.failed("output", f"The outputs cannot be stored: {error}.", seconds=seconds)

    def _succeeded(self, outputs: dict[str, Any], seconds: Any, text: bytes) -> Ending:
        return self._ending(executions.SUCCEED, outputs, None, seconds, digest(text))

    def rejected(self, message: Any, seconds: Any) -> Ending:
        words = told.text(message, told.LONGEST_MESSAGE) or "It declined the input, and did not say why."
        return self._ending(executions.REJECT, None, {"code": "rejected", "message": words}, seconds)

    def failed(self, code: str, message: Any, *, traceback: Any = None, seconds: Any = None) -> Ending:
        error = {"code": printable(code), "message": printable(message)}
        if traceback:
            error["traceback"] = printable(traceback)
        return self._ending(executions.FAIL, None, error, seconds)

    def _judged(self, outputs: Mapping[str, Any]) -> tuple[str, bytes]:
        """Why these cannot be outputs of its release, as a sentence; or nothing, and their canonical JSON."""
        properties = self.process.release.outputs
        for name, value in outputs.items():
            why = told.unlike(properties, name, value)
            if not why and self.files is None and type(value) is dict and "file" in value:
                why = f"is a file {told.text(value['file'], told.LONGEST_NAME)} that it did not send."
            if why:
                return _about(name, why), b""
        try:
            text = canonical(outputs)
        except NotCanonical as error:
            wrong = next((name for name, value in outputs.items() if unstorable(value)), "")
            return _about(wrong, f"cannot be stored: {error}."), b""
        if rb"\u0000" in text or b'"digest"' in text:
            for name, value in outputs.items():
                if why := unstorable(value) or ("names a file of others." if told.names_a_file(value) else ""):
                    return _about(name, why), b""
        return "", text

    def digests(self, outputs: str | None = None) -> dict[str, Any]:
        release, model = self.process.release, self.process.model
        return {
            "release": release.digest,
            "environment": release.environment,
            "model": model.digest if model else None,
            "inputs": self.order.input_digest,
            "outputs": outputs,
        }

    def _ending(
        self,
        event: str,
        outputs: dict[str, Any] | None,
        error: dict[str, Any] | None,
        seconds: Any,
        output_digest: str | None = None,
    ) -> Ending:
        result = Result(
            event=event,
            outputs=outputs,
            error=error,
            log=self.log,
            seconds=told.seconds(seconds),
            digests=self.digests(output_digest),
            hardware=self.process.hardware,
            progress=self.progress,
        )
        return Ending(result, now())


async def stored(run: Run, header: Mapping[str, Any]) -> Ending:
    """The ending of a run whose outputs have files."""
    try:
        outputs = await run.stored_outputs(header["outputs"])
    except UnknownFile as error:
        return run.failed("output", f"The process named a file {error} that it did not send.")
    except TooMuch as error:
        return run.failed("output", f"Its output files could not be kept: {error}")
    except OSError as error:
        return run.failed("output", f"Its output files could not be stored: {error}.")
    return run.succeeded(outputs, header.get("seconds"))


def _about(name: str, why: str) -> str:
    return f'Output "{told.text(name, told.LONGEST_NAME)}" {why}'
