"""An errand: an order that a request waits for, from its place in line to its end. Floor 2."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ovd_saas.store.finished import FinishedExecution

if TYPE_CHECKING:
    from ovd_saas.appcore.dispatch_run import Ending, Order, Run


@dataclass(slots=True, eq=False)
class Errand:
    """Await `done`, once: a task that wakes up costs as much as what it does then.

    Afterwards it was not begun (`run` is None), or its run became a row that others see to (`run.is_visible`), or its
    run has ended and `archive` has seen to that. Cancel `done` when nobody waits any longer.
    """

    order: "Order"
    release_id: int  # the one that it was checked against
    archive: Callable[["Run", "Ending"], None]  # of a run without a row; it sets `done` when that is durable
    done: "asyncio.Future[None]"
    run: "Run | None" = None
    row: FinishedExecution | None = None  # what `archive` made of it
    waits_since: float = 0.0  # loop.time() at which it stood in line

    def finish(self) -> None:
        """Wake the request."""
        if not self.done.done():  # its server may be stopping
            self.done.set_result(None)

    def refuse(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
