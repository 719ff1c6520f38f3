"""AppCore itself: leads when no other AppCore does, runs the loops, and turns notices into nudges. Floor 2."""

import threading
from typing import Any

import psycopg
import structlog

from ovd_saas.appcore.loops import drifting, evicting, reaping, sourcing, sweeping, triggering, waking
from ovd_saas.appcore.loops.baking import Baking
from ovd_saas.appcore.loops.building import Building
from ovd_saas.appcore.loops.checking import Checking
from ovd_saas.appcore.loops.dispatching import Dispatching
from ovd_saas.appcore.loops.drifting import Drifting
from ovd_saas.appcore.loops.evicting import Evicting
from ovd_saas.appcore.loops.learning import Learning
from ovd_saas.appcore.loops.living import Living
from ovd_saas.appcore.loops.loop import Loop
from ovd_saas.appcore.loops.measuring import Measuring
from ovd_saas.appcore.loops.sourcing import Sourcing
from ovd_saas.appcore.loops.triggering import Triggering
from ovd_saas.appcore.loops.waking import Waking
from ovd_saas.appcore.loops.watching import Watching
from ovd_saas.engines.base import Engine
from ovd_saas.store import notices

log = structlog.get_logger()
SETTLE_SECONDS = 0.03  # living gives way to waking
LEADER_LOCK = 0x6F7664  # PostgreSQL advisory lock: one AppCore leads, the others stand by
PATIENCE_SECONDS = 1.0
BUILDERS = 2  # releases built at once
SOURCERS = 2  # applications whose sources are pulled at once


class AppCore:
    """`run()` returns after `stop()`. Losing the database connection means losing the lead: everything stops."""

    def __init__(self, engine: Engine, database_url: str) -> None:
        self._engine = engine
        self._url = database_url
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, keepalives_idle=5) as connection:
                    self._stand_by(connection)
            except psycopg.OperationalError as error:
                log.warning("no database", error=str(error).strip())
                self._stopping.wait(PATIENCE_SECONDS)

    def _stand_by(self, connection: psycopg.Connection) -> None:
        while not self._stopping.is_set():
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
            if row is not None and row[0]:
                self._lead(connection)
                return
            self._stopping.wait(PATIENCE_SECONDS)

    def _lead(self, connection: psycopg.Connection) -> None:
        log.info("leading")
        reins = Reins(self._engine, self._url)
        reins.start()
        try:
            connection.execute(f"LISTEN {notices.CHANNEL}")
            reins.nudge_all()
            while not self._stopping.is_set():
                for notice in connection.notifies(timeout=PATIENCE_SECONDS, stop_after=1):
                    reins.hear(notices.parse(notice.payload))
        finally:
            reins.stop()


EVENT = "the runner told of a process"  # no notice of the database, but heard like one


class Reins:
    """The loops of a leading AppCore. Each says which notices (`store/notices.py`) are for it."""

    def __init__(self, engine: Engine, database_url: str) -> None:
        watching = Watching(engine, lambda: self.nudge(EVENT))
        building = Building(engine)
        living = Living(engine, watching.runner)
        pulling = Sourcing()
        measures = Measuring()
        self._waking = Waking(engine, watching.runner)
        self._triggering = Triggering()
        self._drifting = Drifting()
        self._engine = engine
        self._watching = watching
        self._dispatching = Dispatching(database_url)
        self._learning = Learning(engine, watching.runner)
        self._baking = Baking(engine, watching.runner)
        self._loops = [
            Loop("waking", self._waking.tick, period_seconds=60.0, hears=waking.HEARS),
            Loop(
                "living",
                living.tick,
                period_seconds=1.0,
                hears=("queue", "application", "processes", EVENT),
                settle_seconds=SETTLE_SECONDS,
            ),
            Loop(
                "learning",
                self._learning.tick,
                period_seconds=self._learning.pause,
                hears=("learning", "application", EVENT),
            ),
            *(Loop(f"building-{n}", building.tick, period_seconds=5.0, hears=("release",)) for n in range(BUILDERS)),
            Loop("checking", Checking(engine).tick, period_seconds=5.0, hears=("release",)),
            Loop("triggering", self._triggering.tick, period_seconds=self._triggering.pause, hears=triggering.HEARS),
            *(
                Loop(f"sourcing-{n}", pulling.tick, period_seconds=sourcing.PERIOD_SECONDS, hears=sourcing.HEARS)
                for n in range(SOURCERS)
            ),
            Loop("drifting", self._drifting.tick, period_seconds=drifting.PERIOD_SECONDS, hears=drifting.HEARS),
            Loop("baking", self._baking.tick, period_seconds=self._baking.pause, hears=("model",)),
            Loop("reaping", reaping.tick, period_seconds=1.0),
            Loop("sweeping", sweeping.tick, period_seconds=60.0),
            Loop("seeing the runner", watching.note_alive, period_seconds=5.0, hears=("runner",)),
            Loop("evicting", Evicting(engine).tick, period_seconds=evicting.PERIOD_SECONDS, hears=evicting.HEARS),
            Loop("measuring", measures.tick, period_seconds=measures.pause),
        ]

    def start(self) -> None:
        self._watch = self._engine.watch(self._watching.on_event)
        for loop in self._loops:
            loop.start()
        self._dispatching.start()

    def stop(self) -> None:
        self._watch.close()
        self._dispatching.stop()
        for loop in self._loops:
            loop.stop()
        self._baking.stop()
        self._learning.stop()
        for loop in self._loops:
            loop.join(2.0)

    def hear(self, notice: dict[str, Any]) -> None:
        """Something changed in the database."""
        self._waking.hear(notice)
        self._triggering.hear(notice)
        self._drifting.hear(notice)
        self.nudge(notice["about"])

    def nudge(self, about: str) -> None:
        """The loops that this is for tick soon."""
        for loop in self._loops:
            if about in loop.hears:
                loop.nudge()

    def nudge_all(self) -> None:
        for loop in self._loops:
            loop.nudge()
