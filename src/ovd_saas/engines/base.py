"""Engines: where processes run. AppCore speaks through this port; `local` is the runner of this machine."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class EngineError(Exception):
    """Something that an engine was asked for did not happen; the text says why."""


class RunnerDown(EngineError):
    """Nobody answers at the runner. What was asked may have happened: ask again, every call is idempotent."""


class NotPrepared(EngineError):
    """The release was never prepared on that machine: call `prepare`, then start again."""


class NoModel(EngineError):
    """That machine has not got the model: call `provide_model`, then start again."""


class CallRefused(EngineError):
    """The runner refused the call; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class PrepareFailed(EngineError):
    """The release cannot run. `stage` is `unpack`, `manifest`, `environment`, `import` or `samples`."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message


class StartFailed(EngineError):
    """The process was not started; `code` is stable: `spawn`, `ended` (it lived already), …"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Process:
    """One process that lives at a runner."""

    process: str  # the id that the caller chose
    pid: int | None  # None until its template has forked it
    address: str  # path of its unix socket
    release: str  # digest
    state: str  # starting | ready | stopping
    started_at: str  # RFC 3339, UTC
    rss_mb: float  # of the process and its children
    model: str | None = None  # digest of the model that it was started with
    task: bool = False  # it does one task instead of serving
    cpu_seconds: float = 0.0  # of processor time, with its children


@dataclass(frozen=True)
class Template:
    """A process that has imported libraries and forks the processes of applications."""

    environment: str  # digest
    preload: tuple[str, ...]  # modules it has imported
    pid: int
    memory_mb: float  # pages that it shares with its children counted in part
    children: int  # that live
    used_at: str  # RFC 3339, UTC


@dataclass(frozen=True)
class Machine:
    """What a runner says about itself."""

    name: str
    cpus: int
    memory_mb: int
    python: str
    platform: str
    pid: int  # of the runner
    started_at: str  # RFC 3339, UTC
    processes: tuple[Process, ...]
    load: float = 0.0  # of the last minute
    busy_seconds: float | None = None  # of work of its processors, ever since; None: it does not say
    used_mb: int = 0  # memory in use
    walls: dict[str, str] = field(default_factory=dict)  # each wall's name: empty if it stands, else why it does not
    templates: tuple[Template, ...] = ()
    applications_mb: int = 0  # memory for all processes of applications together
    templates_mb: int = 0  # memory for all templates together


@dataclass(frozen=True)
class Prepared:
    """A release that can be started."""

    environment: str  # digest of the environment it runs in
    schema: dict[str, Any]  # the schema document, as `ovd.schema.describe` gives it
    manifest: dict[str, Any]  # all values of `ovd.toml`, defaults filled in
    samples: list[dict[str, Any]]  # `{name, status, message, seconds}` each
    seconds: float
    python: str = ""  # version of its interpreter
    environment_mb: float = 0  # size of its environment


@dataclass(frozen=True)
class Checked:
    """What running the samples of a release again found."""

    samples: list[dict[str, Any]]  # `{name, status, message, seconds}` each
    seconds: float
    error: str  # empty when all is well


@dataclass(frozen=True)
class Started:
    """A process has begun; it is not ready yet, but its socket already takes connections."""

    pid: int | None  # None while its template is being built; `Ready` tells it
    address: str


@dataclass(frozen=True)
class Connected:
    """The subscription stands (again). `processes` is all that lives; `exits` are the latest ends."""

    processes: tuple[Process, ...]
    exits: tuple["Exited", ...]


@dataclass(frozen=True)
class Disconnected:
    """The runner cannot be reached; a `Connected` follows when it is back."""

    message: str


@dataclass(frozen=True)
class Ready:
    """A process finished its set-up and executes from now on."""

    process: str
    seconds: float  # from the start call to now
    parts: dict[str, float] = field(default_factory=dict)  # `import` and `setup`, seconds, as the process measured
    pid: int | None = None
    how: str = ""  # fork: a template was there; template: one was built first; spawn: from nothing


@dataclass(frozen=True)
class Exited:
    """A process ended."""

    process: str
    code: int | None  # exit code, unless a signal ended it
    signal: int | None
    reason: str  # stopped | exit | signal | memory | tasks | disk | lease | setup | slow_start
    message: str  # for a person


Event = Connected | Disconnected | Ready | Exited


class Watch(Protocol):
    """A running subscription."""

    def close(self) -> None:
        """Afterwards no more event is delivered."""


class Engine(Protocol):
    """Every method blocks, may be called from any thread, and may raise RunnerDown."""

    def hello(self) -> Machine:
        """What the machine is, and what lives on it."""

    def prepare(self, release_digest: str, archive: Iterable[bytes], on_log: Callable[[str], None]) -> Prepared:
        """Make a release startable: unpack the tar.gz, build its environment, run its samples. Log lines come
        while it works. A release that is prepared already answers at once. Raises PrepareFailed."""

    def check(self, release_digest: str, on_log: Callable[[str], None]) -> Checked:
        """Run the samples of a prepared release again. Log lines come while it works. Raises NotPrepared,
        PrepareFailed."""

    def start(
        self,
        *,
        process: str,
        release: str,
        environment: str,
        model: str | None = None,
        task: bool = False,
        concurrency: int = 1,
        memory_mb: int = 512,
        cpus: float = 1,
        disk_mb: int = 256,
        gpus: float = 0,
        start_seconds: float | None = None,
        preload: Sequence[str] = (),
        fork: bool = True,
        background: bool = False,
        hosts: Sequence[str] = (),
    ) -> Started:
        """Start a process under an id of the caller's choice, set up with the model of that digest, or with none; the
        same id twice starts one process. It serves, or does one task. One that is not ready within `start_seconds`
        (by default as the machine says) is killed. It is forked from a template that has imported `preload`, or with
        `fork=False` begins from nothing. In the `background` it gives way to others. It reaches the network at `hosts`
        (each `host:port`) and nowhere else. Raises NotPrepared, NoModel, StartFailed."""

    def provide_model(self, digest: str, archive: Iterable[bytes]) -> None:
        """Bring a model to the machine: the bytes of its tar, in chunks. Raises CallRefused (`bad_model`)."""

    def stop(self, process: str, grace: float) -> None:
        """Ask a process to finish what it does and end; after `grace` seconds it is killed with all its
        children (0: now). Returns at once; nothing happens when it does not live."""

    def processes(self) -> tuple[Process, ...]:
        """What lives."""

    def log(self, process: str, lines: int = 200) -> str:
        """The last lines that a process printed, also after it ended. Raises CallRefused."""

    def watch(self, on_event: Callable[[Event], None]) -> Watch:
        """Call `on_event` from a thread of its own, first with Connected or Disconnected."""
