"""Random histories through the real store: people, AppCore, processes, crashes and zombies, in any order.

The engine is a small one in memory that starts, readies and loses processes as the history says; everything else is
the real thing: the plan, the loops, transitions, claims, PostgreSQL.
"""

import contextlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import makers
from ovd_saas.appcore import applications, executions, processes
from ovd_saas.appcore.loops import reaping
from ovd_saas.appcore.loops.living import Living
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain.executions import FINAL, SUCCEED
from ovd_saas.engines import base
from ovd_saas.store import claims, transitions
from ovd_saas.store.records import Application, Execution, Process, Release, Runner, Transition

TOTAL_MB = 1200  # of the machine: two processes, or one beside somebody who evaluates


class Memory:
    """As much of an engine as living needs; it keeps processes in memory."""

    def __init__(self) -> None:
        self.alive: dict[str, bool] = {}  # id -> has been asked to stop
        self.is_down = False

    def start(self, *, process: str, **_: Any) -> base.Started:
        if self.is_down:
            raise base.RunnerDown("The runner is down.")
        self.alive[process] = False
        return base.Started(1, f"/nowhere/{process}")

    def stop(self, process: str, grace: float) -> None:
        if self.is_down:
            raise base.RunnerDown("The runner is down.")
        if process in self.alive:
            self.alive[process] = True

    def processes(self) -> tuple[base.Process, ...]:
        return tuple(base.Process(id_, 1, "", "", "ready", "", 0) for id_ in self.alive)


class Histories(RuleBasedStateMachine):
    """One application and what can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.around = transaction.atomic()
        self.around.__enter__()
        self.engine = Memory()
        execute = {"max_attempts": 2, "concurrency": 2, "max_replicas": 2}
        self.application = makers.application(sleep={"after": 1000}, execute=execute, resources={"memory_mb": 512})
        self.runner = Runner.objects.create(name="memory", is_up=True, facts={"applications_mb": TOTAL_MB})
        self.living = Living(self.engine, lambda: None if self.engine.is_down else self.runner)
        self.claimed: list[tuple[UUID, int]] = []  # every lease that was ever given: zombies come back with them
        self.finals: dict[UUID, tuple[str, Any]] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.around.__exit__(None, None, None)

    # people

    @rule(caller=st.sampled_from(["user:1", "user:2"]), deadline=st.sampled_from([None, -1, 3600]))
    def submit(self, caller: str, deadline: int | None) -> None:
        now = timezone.now()
        with contextlib.suppress(Refusal):
            executions.submit(
                application=Application.objects.select_related("organisation", "release").get(pk=self.application.pk),
                inputs={}, seed=1, deadline_at=None if deadline is None else now + timedelta(seconds=deadline),
                caller=caller, by_id=None, cause={}, idempotency_key=None, request_digest="", now=now,
            )  # fmt: skip

    @rule(first=st.sampled_from(["wake", "sleep", "suspend"]), ticks=st.booleans())
    def act(self, first: str, ticks: bool) -> None:
        """Suspending ends soon, so that histories stay lively; retiring comes at the end of some."""
        self.try_to(first)
        if ticks:
            self.living.tick()
        self.try_to("enable")

    def try_to(self, action: str) -> None:
        with contextlib.suppress(Refusal):
            applications.act(application=self.application, action=action, by="user:ana", now=timezone.now())

    @rule(which=st.integers(0, 20))
    def cancel(self, which: int) -> None:
        ids = list(Execution.objects.order_by("pk").values_list("pk", flat=True))
        if ids:
            with contextlib.suppress(Refusal):
                executions.cancel(execution_id=ids[which % len(ids)], by="user:ana", now=timezone.now())

    # AppCore and the runner

    @rule()
    def reap(self) -> None:
        reaping.tick()

    @rule()
    def a_process_gets_ready(self) -> None:
        for id_ in Process.objects.filter(state="starting").values_list("pk", flat=True):
            processes.answer(process_id=id_, now=timezone.now())

    @rule(crash=st.booleans())
    def a_process_ends(self, crash: bool) -> None:
        for id_, is_asked in list(self.engine.alive.items()):
            if crash or is_asked:
                del self.engine.alive[id_]
                processes.end(process_id=UUID(id_), reason="It ended.", now=timezone.now())
                break

    @rule()
    def the_runner_dies_and_comes_back(self) -> None:
        self.engine.is_down = True
        self.engine.alive.clear()
        self.living.tick()
        self.engine.is_down = False
        connected = base.Connected(self.engine.processes(), ())
        processes.reconcile(engine=self.engine, runner=self.runner, living=connected, now=timezone.now())

    @rule()
    def quiet_time_passes(self) -> None:
        self.sleep_after(0)
        self.living.tick()
        self.sleep_after(1000)

    def sleep_after(self, seconds: int) -> None:
        manifest = {**self.application.release.manifest, "sleep": {"after": seconds}}  # type: ignore[union-attr]
        Release.objects.update(manifest=manifest)

    @rule()
    def a_moment_passes(self) -> None:
        """Who waits has waited for longer than a moment; more processes may come."""
        before = timezone.now() - timedelta(seconds=1)
        Execution.objects.filter(status="queued").update(created_at=before)
        Process.objects.filter(state="ready").update(ready_at=before)
        self.living.tick()

    @rule(memory_mb=st.sampled_from([300, 800]))
    def somebody_evaluates(self, memory_mb: int) -> None:
        """A task takes memory beside it, if there is enough."""
        application = Application.objects.select_related("release").get(pk=self.application.pk)
        assert application.release is not None
        with contextlib.suppress(processes.NoRoom, base.RunnerDown):
            processes.start_task(
                engine=self.engine, application=application, release=application.release, model=None, run=None,
                kind="evaluate", runner=self.runner, now=timezone.now(),
                limits={"memory_mb": memory_mb, "cpus": 1, "disk_mb": 1},
            )  # fmt: skip

    # dispatchers, live and dead ones

    @rule()
    def claim(self) -> None:
        for id_ in Process.objects.filter(state="ready").values_list("pk", flat=True):
            found = claims.claim(id_, now=timezone.now())
            if isinstance(found, Execution):
                self.claimed.append((found.pk, found.lease))

    @rule()
    def serve(self) -> None:
        """What usually happens: it wakes, a process gets ready and takes work."""
        self.living.tick()
        self.a_process_gets_ready()
        self.claim()

    @rule()
    def run_again(self) -> None:
        """What makes zombies: leases run out, somebody else claims, and the first ones come back."""
        self.submit("user:1", None)
        self.serve()
        self.leases_run_out()
        reaping.tick()
        self.serve()
        for which in range(len(self.claimed)):
            self.finish_if_stale(which)

    def finish_if_stale(self, which: int) -> None:
        id_, lease = self.claimed[which]
        if Execution.objects.values_list("lease", flat=True).get(pk=id_) != lease:
            self.finish(which, SUCCEED)

    @rule(which=st.integers(0, 50), event=st.sampled_from(["succeed", "reject", "fail"]))
    def finish(self, which: int, event: str) -> None:
        """By the holder of a lease, or by a zombie that still believes in an old one."""
        if not self.claimed:
            return
        id_, lease = self.claimed[which % len(self.claimed)]
        before = Execution.objects.values_list("status", "lease").get(pk=id_)
        outputs = {"by": lease} if event == SUCCEED else None
        result = claims.Result(event, outputs, None, "", 0.1, {}, {}, None)
        is_written = claims.finish(id_, lease, result, now=timezone.now())
        assert is_written == (before == ("running", lease)), "only the holder of the current lease may finish"

    @rule(which=st.integers(0, 50), counts=st.booleans())
    def give_back(self, which: int, counts: bool) -> None:
        if self.claimed:
            id_, lease = self.claimed[which % len(self.claimed)]
            claims.give_back(id_, lease, "Its process was lost.", counts=counts, now=timezone.now())

    @rule()
    def leases_run_out(self) -> None:
        Execution.objects.filter(status="running").update(lease_until=timezone.now() - timedelta(seconds=1))

    # what must always hold

    @invariant()
    def a_final_state_stays(self) -> None:
        for id_, status, outputs in Execution.objects.filter(status__in=FINAL).values_list("pk", "status", "outputs"):
            assert self.finals.setdefault(id_, (status, outputs)) == (status, outputs)
        assert set(self.finals) <= set(Execution.objects.values_list("pk", flat=True))

    @invariant()
    def attempts_are_bounded(self) -> None:
        assert not Execution.objects.filter(attempts__gt=2).exists()

    @invariant()
    def nothing_is_claimed_beyond_the_concurrency(self) -> None:
        for process in Process.objects.exclude(state="ended"):
            assert Execution.objects.filter(process=process.pk, status="running").count() <= process.concurrency

    @invariant()
    def memory_is_not_given_twice(self) -> None:
        alive = Process.objects.exclude(state="ended")
        assert sum(alive.values_list("memory_mb", flat=True)) <= TOTAL_MB
        assert alive.filter(kind="serve", state__in=("starting", "ready")).count() <= 2

    @invariant()
    def the_timeline_has_no_gaps(self) -> None:
        states: dict[str, str] = {"status": "enabled", "service": "asleep", "learning": "resting", "health": "healthy"}
        for row in Transition.objects.order_by("pk"):
            assert states[row.region] == row.source and row.reason and row.actor
            assert transitions.REGIONS[row.region].target(row.source, row.event) == row.target
            states[row.region] = row.target
        now = Application.objects.values("status", "service", "learning", "health").get(pk=self.application.pk)
        assert now == states

    @invariant()
    def nothing_new_starts_while_it_may_not(self) -> None:
        row = Application.objects.get(pk=self.application.pk)
        if row.status in ("suspended", "retired"):
            before = Process.objects.count()
            self.living.tick()
            assert Process.objects.count() == before

    def is_at_rest(self) -> bool:
        waiting = Execution.objects.filter(status__in=["queued", "running"], application__status="enabled")
        service = Application.objects.values_list("service", flat=True).get(pk=self.application.pk)
        return service == "asleep" and not self.engine.alive and not waiting.exists()

    def settle(self) -> None:
        """Whatever happened: when the parts live again and people leave it alone, everything comes to rest."""
        self.sleep_after(0)
        for id_ in Process.objects.filter(kind="evaluate").exclude(state="ended").values_list("pk", flat=True):
            self.engine.stop(str(id_), 0)
        for _ in range(30):
            Application.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
            self.living.tick()
            self.a_process_gets_ready()
            self.claim()
            for id_, lease in self.claimed:
                claims.finish(id_, lease, claims.Result(SUCCEED, {}, None, "", 0.1, {}, {}, None), now=timezone.now())
            for id_, is_asked in list(self.engine.alive.items()):
                if is_asked:
                    del self.engine.alive[id_]
                    processes.end(process_id=UUID(id_), reason="It ended.", now=timezone.now())
            reaping.tick()
            if self.is_at_rest():
                break
        row = Application.objects.get(pk=self.application.pk)
        states = set(Execution.objects.values_list("status", flat=True))
        assert row.service == "asleep", f"it is {row.service}: {row.reason}"
        assert not self.engine.alive and not Process.objects.exclude(state="ended").exists()
        assert "running" not in states
        assert "queued" not in states or row.status == "suspended"


class SettledHistories(Histories):
    """The same, and at the end of each history everything comes to rest."""

    def teardown(self) -> None:
        try:
            if Execution.objects.count() % 2:
                self.try_to("suspend")
                self.try_to("retire")
            self.settle()
        finally:
            super().teardown()


@pytest.mark.django_db
def test_random_histories_keep_the_invariants_and_come_to_rest() -> None:
    chosen = settings(
        max_examples=15,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(SettledHistories, settings=chosen)
