"""A live process: its channel, what runs in it, and how many more it takes. Floor 2."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from ovd.protocol import ProtocolError
from ovd_saas.appcore import dispatch_inputs
from ovd_saas.appcore import dispatch_told as told
from ovd_saas.appcore.dispatch_channel import Channel, ChannelLost
from ovd_saas.appcore.dispatch_run import Loss, Outcome, Run, now, stored
from ovd_saas.files import Missing

HELLO = "hello"  # id of the question whether it is ready
MOST_REFUSALS = 100  # of one process, beside its seats, before they count as attempts
START_SLACK_SECONDS = 30.0  # beyond its time limit, for an execution that the process does not even begin
EARLY = 7  # runs that a process gets before it has room for them
EARLY_SECONDS = 0.01  # if its last one took no longer


@dataclass(frozen=True)
class ServedRelease:
    """What running an execution needs to know of its release."""

    id: int
    number: int
    digest: str
    environment: str
    timeout: float | None  # seconds
    file_inputs: frozenset[str]
    outputs: Mapping[str, Mapping[str, Any]]  # properties of the schema by name
    disk_mb: float  # of all files of one execution


@dataclass(frozen=True)
class ServedModel:
    """The model version that a process was set up with."""

    id: int
    number: int
    digest: str


@dataclass(eq=False)
class LiveProcess:
    """`settle` gets each outcome of a run; the first one of a run counts."""

    id: UUID
    application_id: int
    release: ServedRelease
    model: ServedModel | None
    address: str
    concurrency: int
    hardware: dict[str, Any]
    settle: Callable[[Run, Outcome], None]
    freed: Callable[["LiveProcess"], None]  # it has room again, or is gone
    overdue: Callable[[Run, str], None]  # a run took too long
    broken: Callable[["LiveProcess", str], None]  # it does what no process of ours does
    is_open: bool = False  # it takes work
    is_coming: bool = False  # it takes work as soon as it is ready
    has_answered: bool = False  # it is ready, as it says itself: its row may not say so yet
    is_given_up: bool = False  # it is to be killed
    is_quick: bool = False  # its latest run was
    reserved: int = 0  # seats kept for claims under way
    refusals: int = 0
    channel: Channel | None = None
    runs: dict[str, Run] = field(default_factory=dict)  # in the process, also when nobody wants their result any more
    _alarm: asyncio.TimerHandle | None = None  # at which somebody looks whether a run is overdue
    _alarm_at: float = 0.0  # time.monotonic()
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def has_room(self) -> bool:
        return self.is_serving and len(self.runs) + self.reserved < self.concurrency

    @property
    def takes_early(self) -> bool:
        """Whether it may have one more in its own queue: to wake it for each costs more than a quick one takes."""
        return self.is_quick and self.is_serving and len(self.runs) + self.reserved < self.concurrency + EARLY

    @property
    def is_serving(self) -> bool:
        return self.is_open and not self.is_given_up and self.channel is not None

    def begin(self, run: Run) -> None:
        """Send it. Its outcome comes through `settle`, whatever happens."""
        self.runs[run.wire] = run
        if self.release.timeout is not None:
            self._limit(run, self.release.timeout + START_SLACK_SECONDS)
        files = self.release.file_inputs and dispatch_inputs.files_of(run.order.inputs, self.release.file_inputs)
        if files:
            self._spawn(self._begin_with_files(run, files))
        else:
            self._execute(run, run.order.inputs)

    def cancel(self, run: Run) -> None:
        """Ask the process to stop it; it may not listen."""
        if self.channel is not None and run.wire in self.runs:
            self.channel.send({"type": "cancel", "id": run.wire})

    def take_back(self) -> None:
        """What it got early and has not begun, as what it is busy with takes long; it refuses that."""
        for run in [*self.runs.values()][self.concurrency :]:
            if self.channel is not None and not (run.is_begun or run.is_taken_back):
                run.is_taken_back = True
                self.channel.send({"type": "withdraw", "id": run.wire})

    def give_up(self, reason: str, *, spare: Run | None = None) -> None:
        """It is to be killed: no more work, and what runs there, but `spare`, is lost at no fault of its own."""
        self.is_given_up = True
        for run in [*self.runs.values()]:
            if run is not spare:
                self.settle(run, Loss(reason, counts=False))

    def _ready(self) -> None:
        self.has_answered = True
        if self.is_coming and not self.is_open:
            self.is_open = True
            self.freed(self)

    def on_lost(self, reason: str, is_fault: bool = False) -> None:
        self.channel = None
        if is_fault:
            self.accuse(reason)
        runs, self.runs = self.runs, {}
        for run in runs.values():
            self.settle(run, Loss(reason, counts=None))
            self._spawn(_drop_files(run))
        self.freed(self)

    def accuse(self, reason: str) -> None:
        """It breaks the rules and is to be killed: no more work, and what runs there is lost at its own fault."""
        self.is_given_up = True
        for run in [*self.runs.values()]:
            self.settle(run, Loss(reason, counts=True))
        self.broken(self, reason)

    def on_flood(self) -> None:
        """It has sent frames without a pause for long, which the channel slows. When nothing runs in it, nobody asked
        for any of them."""
        if not self.runs and not self.is_given_up:
            self.accuse("It sent frames without an end though nobody had asked it anything.")

    def close(self) -> None:
        """Hang up; the process does not mind."""
        if self.channel is not None:
            self.channel.close()
            self.on_lost("The connection to its process was closed.")

    def on_frame(self, header: dict[str, Any], body: bytes) -> bool:
        """Whether it is the last word about a run."""
        id_ = header.get("id")
        if id_ == HELLO and header["type"] == "ready":
            self._ready()
            return False
        run = self.runs.get(id_) if isinstance(id_, str) else None
        if run is None or run.is_answered:
            return False  # of nobody here, or of a run that has ended or was given up
        kind = header["type"]
        if kind == "started":
            self._started(run)
        elif kind == "progress":
            run.on_progress(header)
        elif kind == "log":
            run.on_log(header)
        elif kind == "output":
            run.on_output(header)
        elif kind == "file":
            run.on_file(header, body)
        elif kind in ("result", "rejected", "failed", "refused"):
            run.is_answered = True
            self._answered(run, header)
            return True
        return False

    def _started(self, run: Run) -> None:
        if run.is_begun:
            return  # saying so twice does not prolong its time
        run.is_begun = True
        if self.release.timeout is not None:
            self._limit(run, self.release.timeout)

    def _answered(self, run: Run, header: dict[str, Any]) -> None:
        run.due = math.inf
        kind, seconds = header["type"], header.get("seconds")
        ending: Outcome | None
        if kind == "result":
            ending = run.answered(header.get("outputs"), seconds)
        elif kind == "rejected":
            ending = run.rejected(header.get("message"), seconds)
        elif kind == "refused":
            ending = self._refused(run, header)
        else:
            ending = run.failed(**told.failure(header), seconds=seconds)
        if ending is None:
            self._spawn(self._answered_with_files(run, header))
            return
        self._release(run)
        self.settle(run, ending)
        if run.files is not None:
            self._spawn(_drop_files(run))

    def _refused(self, run: Run, header: dict[str, Any]) -> Loss:
        """A process that is being stopped refuses what is on its way to it; one that refuses for ever is no such."""
        if run.is_taken_back:
            return Loss("It was taken back, as what ran before it took long.", counts=False)
        self.refusals += 1
        reason = told.text(header.get("reason"), told.LONGEST_NAME)
        return Loss(f"The process did not take it: {reason}", counts=self.refusals > self.concurrency + MOST_REFUSALS)

    async def _answered_with_files(self, run: Run, header: dict[str, Any]) -> None:
        ending = await stored(run, header)
        self._release(run)
        self.settle(run, ending)
        await _drop_files(run)

    async def _begin_with_files(self, run: Run, files: dict[str, Any]) -> None:
        channel = self.channel
        if channel is None:
            return
        try:
            inputs = await dispatch_inputs.send(channel, run.wire, run.order.inputs, files)
            if run.is_answered:
                return  # before it was asked
        except ChannelLost:
            return  # on_lost has settled it
        except (Missing, OSError) as error:
            self._release(run)
            self.settle(run, run.failed("input", f"An input file could not be read: {error}"))
        else:
            self._execute(run, inputs)

    def _execute(self, run: Run, inputs: dict[str, Any]) -> None:
        if self.channel is None:
            return
        frame = {
            "type": "execute",
            "id": run.wire,
            "inputs": inputs,
            "seed": run.order.seed,
            "timeout": self.release.timeout,
        }
        try:
            self.channel.send(frame)
        except (ProtocolError, TypeError) as error:
            self._release(run)
            self.settle(run, run.failed("input", f"The inputs cannot be sent to a process: {error}"))

    def _release(self, run: Run) -> None:
        if self.runs.pop(run.wire, None) is None:
            return
        ended = time.monotonic()
        self.is_quick = ended - run.began < EARLY_SECONDS
        if len(self.runs) >= self.concurrency:  # what it got early is begun now
            following = next(islice(self.runs.values(), self.concurrency - 1, None))
            following.began, following.sent_at = ended, now()
        self.freed(self)

    def _limit(self, run: Run, seconds: float) -> None:
        """It may take so long from now on."""
        run.due = time.monotonic() + seconds
        if self._alarm is None or run.due < self._alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self._arm(run.due, seconds)

    def _arm(self, at: float, seconds: float) -> None:
        self._alarm_at = at
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """One timer for all runs; it is armed anew only when it rings."""
        self._alarm = None
        moment, limit = time.monotonic(), self.release.timeout
        for run in [run for run in self.runs.values() if run.due <= moment]:
            run.due = math.inf
            if run.is_begun:
                why = f"It took longer than its limit of {limit:g} seconds."
            else:
                why = f"The process did not begin it within {(limit or 0) + START_SLACK_SECONDS:g} seconds."
            self.overdue(run, why)
        due = min((run.due for run in self.runs.values()), default=math.inf)
        if due < math.inf:
            self._arm(due, due - moment)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _drop_files(run: Run) -> None:
    if run.files is not None:
        await run.files.drop()
