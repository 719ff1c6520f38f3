"""Baking: look at each version that was just promoted until its time is over. Floor 2."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from ovd_saas.appcore import baking, learning_process
from ovd_saas.domain import baking as rules
from ovd_saas.domain import processes as processing
from ovd_saas.domain import status
from ovd_saas.domain.baking import Comparison, Decision, Rule
from ovd_saas.engines.base import Engine
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Process, Promotion, Runner

log = structlog.get_logger()
PATIENCE = 10  # times as long as a look takes, one waits until the next
LEAST_PAUSE_SECONDS = 0.5
TRIES = 3  # to compare the same labels; then one goes on without
RETRY_SECONDS = 5.0
BUSY_SECONDS = 1.0  # between two looks while something is watched
IDLE_SECONDS = 10.0  # likewise while nothing is: a notice tells of a promotion
NO_RULE = Decision(rules.ENDED_WELL, "It is watched no more: the manifest of the current release has no gate.")
RETIRED = Decision(rules.ENDED_WELL, "It is watched no more: the application is retired.")


@dataclass
class _Memory:
    """What is known of one promotion from look to look; a restarted AppCore finds it out again."""

    comparison: Comparison | None = None
    is_comparing: bool = False
    failures: int = 0  # of comparisons, one after another
    look_at: float = 0.0  # time.monotonic()
    compare_at: float = 0.0  # likewise


class Baking:
    """One tick looks at all versions that are watched. Comparing takes processes, and so goes on in threads."""

    def __init__(self, engine: Engine, runner: Callable[[], Runner | None]) -> None:
        self._engine = engine
        self._runner = runner  # the machine to evaluate on; None while none is up
        self._known: dict[int, _Memory] = {}  # by the id of the promotion
        self._stopping = threading.Event()
        self._is_first = True

    def pause(self) -> float:
        """Seconds until it looks again by itself."""
        return BUSY_SECONDS if self._known or self._is_first else IDLE_SECONDS

    def tick(self) -> bool:
        watched = baking.watched()
        if self._is_first and self._runner() is not None:
            self._stop_strays()
            self._is_first = False
        ids = {promotion.pk for promotion in watched}
        for gone in [id_ for id_, memory in self._known.items() if id_ not in ids and not memory.is_comparing]:
            del self._known[gone]
        for promotion in watched:
            try:
                self._look(promotion, self._known.setdefault(promotion.pk, _Memory()))
            except (OperationalError, InterfaceError):
                raise  # the database is nobody's own: the loop connects anew
            except Exception:
                log.exception("a version could not be watched", promotion=promotion.pk)
        return False

    def stop(self) -> None:
        """Comparisons under way end soon; the next AppCore begins them anew."""
        self._stopping.set()

    def _look(self, promotion: Promotion, memory: _Memory) -> None:
        began = time.monotonic()
        if began < memory.look_at:
            return
        now = timezone.now()
        rule = baking.rule_of(promotion)
        if rule is None or promotion.application.status == status.RETIRED:
            baking.act(promotion, NO_RULE if rule is None else RETIRED, now)
            return
        facts = baking.facts(promotion, memory.comparison)
        decision = rules.decide(rule, facts, now=now)
        if decision.what == rules.GOES_ON and rules.is_comparison_due(rule, facts, now=now):
            self._compare(promotion, rule, memory, facts.labels)
        baking.act(promotion, decision, now)
        took = time.monotonic() - began
        memory.look_at = time.monotonic() + max(LEAST_PAUSE_SECONDS, PATIENCE * took)

    def _compare(self, promotion: Promotion, rule: Rule, memory: _Memory, labels: int) -> None:
        runner = self._runner()
        if promotion.application.status != status.ENABLED:
            return  # nothing starts; they are compared when somebody enables it
        if (
            memory.is_comparing
            or runner is None
            or runner.drained_at is not None
            or time.monotonic() < memory.compare_at
        ):
            return
        memory.is_comparing = True
        work = (promotion, rule, memory, runner, labels)
        threading.Thread(target=self._see_through, args=work, name=f"baking {promotion.pk}", daemon=True).start()

    def _see_through(self, promotion: Promotion, rule: Rule, memory: _Memory, runner: Runner, labels: int) -> None:
        try:
            memory.comparison = baking.compare(
                engine=self._engine, runner=runner, promotion=promotion, rule=rule,
                look=lambda: self._go_on(promotion),
            )  # fmt: skip
            memory.failures = 0
        except learning_process.Over:
            pass
        except (learning_process.Lost, learning_process.Failed) as error:
            self._failed(memory, labels, str(error))
        except Exception as error:
            log.exception("labels could not be compared", promotion=promotion.pk)
            self._failed(memory, labels, str(error))
        finally:
            memory.is_comparing = False
            memory.look_at = 0.0
            self._tell(promotion)

    def _failed(self, memory: _Memory, labels: int, why: str) -> None:
        """Tried again a few times; then these labels count as compared, and the end of the watch says why."""
        memory.failures += 1
        memory.compare_at = time.monotonic() + RETRY_SECONDS
        if memory.failures >= TRIES:
            memory.failures = 0
            memory.comparison = Comparison(labels, False, f"its {labels:,} labels could not be compared ({why})")

    def _go_on(self, promotion: Promotion) -> None:
        """Raises Over when nobody waits for the result any more."""
        if self._stopping.is_set() or not baking.is_watched(promotion):
            raise learning_process.Over

    def _tell(self, promotion: Promotion) -> None:
        try:
            notify("model", application=promotion.application_id)
        except (OperationalError, InterfaceError) as error:
            log.info("nobody was told of the end of a comparison", error=str(error))  # the next tick finds it
        finally:
            connections.close_all()

    def _stop_strays(self) -> None:
        """Processes that an AppCore began to compare with, and died."""
        rows = Process.objects.filter(kind="evaluate", run=None).exclude(state=processing.ENDED)
        for id_ in rows.values_list("pk", flat=True):
            learning_process.stop(self._engine, id_)
