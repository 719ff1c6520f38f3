"""The journal: finished executions go to disk many at a time, in one transaction, before anybody is answered. Floor 1.

*Group commit*: while one batch is being committed the next one gathers, so the cost of a commit is shared by all that
wait for one. `record()` returns when its row is durable; when that cannot be had within `patience` it raises
`Unavailable`, and the caller must not say that the execution is archived.
"""

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable

import psycopg
import structlog

from ovd_saas.store import journal_line
from ovd_saas.store.finished import FinishedExecution, Parameters, parameters
from ovd_saas.store.journal_line import Line

log = structlog.get_logger()

PATIENCE_SECONDS = 5.0  # how long a request waits for a lost database
LARGEST_BATCH = 500  # rows
PACE_SECONDS = 0.001  # between two transactions, while many more rows are to be expected
NOTICE_SECONDS = 0.5  # at most one notice `executions` an application in this time
_PAUSE_SECONDS = 0.1  # between attempts to reach the database
_LOST = (psycopg.OperationalError, psycopg.InterfaceError)


class Unavailable(Exception):
    """The database could not be reached in time: it is not known to be archived."""


class Unstorable(Exception):
    """PostgreSQL refuses this row for what is in it, or its application is gone."""


class _Entry:
    __slots__ = ("application_id", "done", "is_suspect", "row", "until")

    def __init__(self, row: Parameters, application_id: int, done: "asyncio.Future[None]", until: float) -> None:
        self.row = row
        self.application_id = application_id
        self.done = done
        self.until = until  # time.monotonic() after which nobody waits any more
        self.is_suspect = False  # a batch with it was refused


class Journal:
    """One connection of its own, used inside one event loop; it reconnects by itself."""

    def __init__(
        self, url: str, *, patience: float = PATIENCE_SECONDS, under_way: Callable[[], int] = lambda: 0
    ) -> None:
        """`under_way`: how many requests wait for an execution or for its row."""
        self._url = url
        self._under_way = under_way
        self._patience = patience
        self._line: Line | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: deque[_Entry] = deque()
        self._batch: list[_Entry] = []  # being committed
        self._batch_since = 0.0  # time.monotonic()
        self._pace: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None  # over the batch
        self._is_open = False
        self._is_empty = asyncio.Event()  # set while stopping, when nothing waits any more
        self._untold: set[int] = set()  # applications with new rows
        self._telling: set[int] = set()  # in the transaction under way
        self._tell_at = 0.0  # time.monotonic()
        self._alarm: asyncio.TimerHandle | None = None
        self.batches = 0  # committed since the start
        self.rows = 0

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._connecting = self._loop.create_task(self._connect(None), name="journal")

    async def stop(self) -> None:
        """Afterwards what was given is on disk, or its callers were refused; the connection is closed."""
        self._is_open = False
        self._go_on()
        await self._is_empty.wait()
        for timer in (self._watch, self._alarm, self._pace):
            if timer is not None:
                timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def record(self, row: FinishedExecution) -> None:
        """Returns when the row is durable. Raises Unavailable, Unstorable."""
        done: asyncio.Future[None] = self._loop.create_future()
        self.take(row, done)
        await done

    def take(self, row: FinishedExecution, done: "asyncio.Future[None]") -> None:
        """`done` will be when the row is durable, or hold Unavailable or Unstorable."""
        if not self._is_open:
            _fail(done, Unavailable("The journal is closed: this server is stopping."))
            return
        try:
            written = parameters(row)
        except (TypeError, ValueError, struct.error) as error:
            _fail(done, Unstorable(str(error)))
            return
        self._waiting.append(_Entry(written, row.application_id, done, time.monotonic() + self._patience))
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next transaction, unless one is under way, whose end calls this again."""
        if self._line is None:
            if self._connecting is None and self._waiting:
                self._connecting = self._loop.create_task(self._connect(None), name="journal")
        elif not self._line.is_busy and self._pace is None:
            self._begin(self._line, time.monotonic())
        if not self._is_open and not self._waiting and not self._batch:
            self._is_empty.set()

    def _begin(self, line: Line, now: float) -> None:
        if now - self._batch_since < PACE_SECONDS and self._expects_more():
            self._pace = self._loop.call_later(PACE_SECONDS, self._on_pace)
            return
        self._batch, self._batch_since = self._next(), now
        self._untold.update(entry.application_id for entry in self._batch)
        if self._untold and now >= self._tell_at:
            self._telling, self._untold, self._tell_at = self._untold, set(), now + NOTICE_SECONDS
        elif self._untold and self._alarm is None:
            self._alarm = self._loop.call_later(self._tell_at - now, self._on_alarm)
        if not self._batch and not self._telling:
            return
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._on_watch)
        try:
            line.store([entry.row for entry in self._batch], self._telling, self._on_end)
        except psycopg.Error as error:
            self._on_end(error)

    def _expects_more(self) -> bool:
        """Whether a moment makes the transaction much larger, and so much cheaper for each row. One client never
        waits for this."""
        rows = len(self._waiting)
        return rows > 0 and self._is_open and self._under_way() - rows >= 4 * rows

    def _on_pace(self) -> None:
        self._pace = None
        self._go_on()

    def _next(self) -> list[_Entry]:
        """What goes into one transaction: one row that is suspect, or many that are not."""
        batch: list[_Entry] = []
        while self._waiting and len(batch) < LARGEST_BATCH and not (batch and self._waiting[0].is_suspect):
            batch.append(self._waiting.popleft())
            if batch[-1].is_suspect:
                break
        return batch

    def _on_end(self, error: psycopg.Error | None) -> None:
        batch, self._batch = self._batch, []
        told, self._telling = self._telling, set()
        if error is None:
            self.batches += bool(batch)
            self.rows += len(batch)
            for entry in batch:
                if not entry.done.done():
                    entry.done.set_result(None)
        else:
            self._untold |= told
            if isinstance(error, _LOST):
                self._lose(batch, error)
            elif len(batch) > 1:
                self._suspect(batch)
            elif batch:
                _fail(batch[0].done, Unstorable(str(error).strip()))
        self._go_on()

    def _suspect(self, batch: list[_Entry]) -> None:
        """One row that cannot be stored must not take the others with it: each is tried alone."""
        for entry in batch:
            entry.is_suspect = True
        self._waiting.extendleft(reversed(batch))

    def _lose(self, batch: list[_Entry], error: Exception) -> None:
        """The database is away: what was sent is sent again, as nobody knows whether it arrived."""
        log.warning("the journal lost its database", error=str(error).strip() or type(error).__name__)
        self._waiting.extendleft(reversed(batch))
        lost, self._line = self._line, None
        self._connecting = self._loop.create_task(self._connect(lost), name="journal")

    async def _connect(self, lost: Line | None) -> None:
        """Afterwards there is a line, or nobody waits for one."""
        if lost is not None:
            await lost.close()
        while True:
            self._refuse_late()
            try:
                self._line = await journal_line.connect(self._url)
                break
            except (psycopg.Error, OSError) as error:
                log.warning("the journal cannot reach its database", error=str(error).strip() or type(error).__name__)
            if not self._waiting:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        self._connecting = None
        self._go_on()

    def _refuse_late(self) -> None:
        """Those who waited long enough."""
        now = time.monotonic()
        late = [entry for entry in self._waiting if entry.until <= now]
        for entry in late:
            self._waiting.remove(entry)
            _fail(entry.done, Unavailable("The database cannot be reached."))

    def _on_watch(self) -> None:
        """One timer for all batches: it is late for none while they end in time."""
        rest = self._batch_since + self._patience - time.monotonic()
        is_busy = self._line is not None and self._line.is_busy
        self._watch = self._loop.call_later(rest, self._on_watch) if is_busy and rest > 0 else None
        if is_busy and rest <= 0:
            self._on_end(psycopg.OperationalError(f"It did not answer within {self._patience:g} seconds."))

    def _on_alarm(self) -> None:
        self._alarm = None
        self._go_on()


def _fail(done: "asyncio.Future[None]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
