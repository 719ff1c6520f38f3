"""A run: one execution in one process, from the first frame to its outcome. Floor 2.

Until it has a row (`lease` is 0) it lives in memory only, and nobody has been told of it.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone

from ovd_saas.appcore.digests import NotCanonical, canonical, digest, unstorable
from ovd_saas.appcore.dispatch_outputs import OutputFiles, UnknownFile
from ovd_saas.domain import executions
from ovd_saas.store.claims import Happening, Result

if TYPE_CHECKING:
    from ovd_saas.appcore.dispatch_process import LiveProcess

LONGEST_LOG = 256 << 10  # bytes
MOST_HAPPENINGS = 1000  # not told yet; log lines are bounded by LONGEST_LOG
CUT = "\n[The log is cut here: it has reached 256 KiB.]\n"


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
    """`first` is awaited by who brought it: the Ending, or None when it became a row and somebody else sees to it."""

    order: Order
    process: "LiveProcess"
    first: "asyncio.Future[Ending | None]"
    outcome: "asyncio.Future[Outcome]"  # of a run that has a row
    sent_at: datetime = field(default_factory=timezone.now)
    began: float = field(default_factory=time.monotonic)
    progress: dict[str, Any] | None = None
    happenings: list[Happening] = field(default_factory=list)  # not told yet
    files: OutputFiles | None = None
    is_visible: bool = False
    is_settled: bool = False
    is_final: bool = False  # its row is, by the doing of this server
    wire: str = ""  # its name on the channel: the same process may get the same execution again
    timer: asyncio.TimerHandle | None = None
    _log: list[str] = field(default_factory=list)
    _log_size: int = 0

    def __post_init__(self) -> None:
        self.wire = f"{self.order.id}.{self.order.lease}"

    @property
    def id(self) -> UUID:
        return self.order.id

    @property
    def log(self) -> str:
        return "".join(self._log)

    def happened(self, kind: str, body: dict[str, Any]) -> None:
        self.happenings.append(Happening(self.order.id, kind, body, timezone.now()))

    def on_progress(self, header: Mapping[str, Any]) -> None:
        fraction = header.get("fraction")
        fraction = min(max(float(fraction), 0.0), 1.0) if isinstance(fraction, (int, float)) else None
        self.progress = {"fraction": fraction, "message": printable(header.get("message") or "")}
        if self.happenings and self.happenings[-1].kind == "progress":
            self.happenings.pop()
        self.happened("progress", self.progress)

    def on_log(self, header: Mapping[str, Any]) -> None:
        if self._log_size >= LONGEST_LOG:
            return
        text = printable(header.get("text") or "")
        room = LONGEST_LOG - self._log_size
        encoded = text.encode()
        self._log_size += len(encoded)
        if len(encoded) > room:
            text = encoded[:room].decode(errors="ignore") + CUT
            self._log_size = LONGEST_LOG
        self._log.append(text)
        stream = printable(header.get("stream") or "stdout")
        last = self.happenings[-1] if self.happenings else None
        if last is not None and last.kind == "log" and last.body["stream"] == stream:
            body = {"stream": stream, "text": last.body["text"] + text}
            self.happenings[-1] = Happening(last.execution, "log", body, last.at)
        else:
            self.happened("log", {"stream": stream, "text": text})

    def on_output(self, header: Mapping[str, Any]) -> None:
        name = printable(header.get("name") or "")
        if unstorable(header.get("value")):
            return  # the result will say what is wrong with it
        same = [h for h in self.happenings if h.kind == "output" and h.body["name"] == name]
        for earlier in same:  # only the latest of one name is worth telling
            self.happenings.remove(earlier)
        if len(self.happenings) < MOST_HAPPENINGS:
            self.happened("output", {"name": name, "value": header.get("value")})

    def on_file(self, header: Mapping[str, Any], chunk: bytes) -> None:
        if self.files is None and self.process.channel is not None:
            self.files = OutputFiles(self.process.channel)
        if self.files is not None:
            self.files.feed(str(header.get("file")), chunk, last=bool(header.get("last")))

    async def stored_outputs(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs as they are archived, their files durable. Raises UnknownFile, OSError."""
        if self.files is None:
            return dict(outputs)
        return {name: await self.files.canonical(value) for name, value in outputs.items()}

    def succeeded(self, outputs: Any, seconds: Any) -> Ending:
        if not isinstance(outputs, dict):
            return self.failed("output", "The process sent outputs that are not an object.", seconds=seconds)
        for name, value in outputs.items():
            if why := unstorable(value):
                return self.failed("output", f'Output "{name}" {why}', seconds=seconds)
        try:
            output_digest = digest(canonical(outputs))
        except NotCanonical as error:
            return self.failed("output", f"The outputs cannot be stored: {error}.", seconds=seconds)
        return self._ending(executions.SUCCEED, outputs, None, seconds, output_digest)

    def rejected(self, message: Any, seconds: Any) -> Ending:
        return self._ending(executions.REJECT, None, {"code": "rejected", "message": printable(message)}, seconds)

    def failed(self, code: str, message: Any, *, traceback: Any = None, seconds: Any = None) -> Ending:
        error = {"code": printable(code), "message": printable(message)}
        if traceback:
            error["traceback"] = printable(traceback)
        return self._ending(executions.FAIL, None, error, seconds)

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
            seconds=float(seconds) if isinstance(seconds, (int, float)) else None,
            digests=self.digests(output_digest),
            hardware=self.process.hardware,
            progress=self.progress,
        )
        return Ending(result, timezone.now())


async def stored(run: Run, header: Mapping[str, Any]) -> Ending:
    """The ending of a run whose outputs have files."""
    try:
        outputs = await run.stored_outputs(header["outputs"])
    except UnknownFile as error:
        return run.failed("output", f"The process named a file {error} that it did not send.")
    except OSError as error:
        return run.failed("output", f"Its output files could not be stored: {error}.")
    return run.succeeded(outputs, header.get("seconds"))


def printable(given: object) -> str:
    """A text that PostgreSQL can keep: null characters and halves of surrogate pairs become U+FFFD."""
    text = str(given)
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
