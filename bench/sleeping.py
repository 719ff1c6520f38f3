"""What sleeping applications cost: AppCore's share of a core, list pages, memory, and waking one among so many.

    .venv/bin/python bench/sleeping.py [--sleeping 10000] [--seconds 60] [--wakes 15]

Starts a platform of its own in a temporary folder. Measures it with ten sleeping applications and then with so many:
rows made in bulk, as pushing, learning and AppCore's first look at each would have left them (see KINDS), of ten
organisations, each with three archived executions; their schedules come up at moments spread over the day.
"""

import argparse
import statistics
import time
from datetime import timedelta
from typing import Any

from stage import PARTS, Door, Stage, cpu_seconds, load, percentile, pss_mib, stage

TARGET_PERCENT = 3.0
TARGET_LIST_MS = 200.0
TARGET_KIB = 10.0
ORGANISATIONS = 10
LOOKS = 30  # at each list
SETTLE_SECONDS = 900
KINDS = {  # of twenty applications
    "plain": 6, "kept awake at times": 2, "schedule": 4, "sources": 3, "drift": 3, "from executions": 2,
}  # fmt: skip
PAGES = {
    "panel": "/applications/",
    "panel, last page": "/applications/?page=10000",
    "panel, search": "/applications/?q=sleeper+77",
    "panel, faulty": "/applications/?show=faulty",
    "API": "/api/v1/applications",
    "API, 200": "/api/v1/applications?limit=200",
}


def kinds() -> list[str]:
    """Of twenty applications, one of each kind among the first."""
    left, found = dict(KINDS), []
    while any(left.values()):
        for kind in [kind for kind in left if left[kind]]:
            found.append(kind)
            left[kind] -= 1
    return found


def manifest(kind: str, number: int) -> dict[str, Any]:
    """As a release has it, with moments spread over the day."""
    minute, hour = number % 60, number // 60 % 24
    daily = f"{minute} {hour} * * *"
    found: dict[str, Any] = {
        "entry": "app:Sleeper", "resources": {"memory_mb": 512, "cpus": 1.0, "disk_mb": 1024},
        "execute": {"timeout": 60, "concurrency": 1, "max_queue": 1000, "max_attempts": 3},
        "sleep": {"after": 300, "wake": "fork", "preload": ["numpy"], "keep_awake": "", "predict": False},
    }  # fmt: skip
    learn: dict[str, Any] = {"data": "all", "on_wake": "together", "min_samples": 1000, "holdout": "last"}
    if kind == "kept awake at times":
        found["sleep"]["keep_awake"] = f"{minute} {(hour + 12) % 24} * * 1-5"
    if kind == "schedule":
        found["learn"] = learn | {"schedule": daily, "time_zone": "Europe/Madrid"}
    if kind == "sources":
        found["learn"] = learn | {"sources": [{"address": "arrivals", "pattern": "*", "schedule": daily}]}
    if kind == "drift":
        found["learn"] = learn
        found["drift"] = {"window": 500, "fields": [], "psi": 0.25, "ks": 0.2, "learn": True, "cooldown": 86400}
    if kind == "from executions":
        found["learn"] = learn | {"from_executions": True}
    return found


def add(count: int) -> None:
    """So many enabled applications, asleep, in one transaction for each thousand."""
    from django.db import connection, transaction

    from ovd_saas.store.records import Application, Organisation

    begin = Application.objects.count()
    for first in range(begin, begin + count, 1000):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            _add(Organisation, range(first, min(first + 1000, begin + count)))


def _add(organisation: Any, numbers: range) -> None:
    from django.utils import timezone

    from ovd_saas.store.records import Application, Release

    now, mixed = timezone.now(), kinds()
    from django.conf import settings

    homes = [organisation.objects.get_or_create(slug=f"sleepers-{n}")[0] for n in range(ORGANISATIONS)]
    applications = Application.objects.bulk_create(
        Application(
            organisation=homes[n % ORGANISATIONS], name=f"sleeper-{n}", title=f"Sleeper {n}", summary="It sleeps.",
            status="enabled", since=now, reason="Its last process has ended.",
            next_what="Wakes when somebody uses it.", pulled_until=now,
        ) for n in numbers
    )  # fmt: skip
    releases = Release.objects.bulk_create(
        Release(
            application=application, number=1, state="ready", digest=f"sha256:{application.pk:064x}",
            environment="sha256:" + "e" * 64, manifest=manifest(mixed[n % len(mixed)], n),
            schema={"version": 1, "inputs": {"type": "object", "properties": {}}, "outputs": {}, "samples": []},
            ready_at=now,
        ) for n, application in zip(numbers, applications, strict=True)
    )  # fmt: skip
    for application, release in zip(applications, releases, strict=True):
        application.release = release
    learned = [
        application for n, application in zip(numbers, applications, strict=True) if mixed[n % len(mixed)] == "drift"
    ]
    for n, application in zip(numbers, applications, strict=True):
        if mixed[n % len(mixed)] == "sources":
            (settings.HOME / "sources" / application.address / "arrivals").mkdir(parents=True)
    _learn(learned)
    Application.objects.bulk_update(applications, ["release", "model"], batch_size=500)
    _execute(applications)
    _look(applications)


def _learn(applications: list[Any]) -> None:
    """Each has a live version that learned from its first batch, and a second batch."""
    from django.utils import timezone

    from ovd_saas.files import store
    from ovd_saas.store.records import Batch, ModelVersion, Promotion, Snapshot

    now = timezone.now()
    digest = store.put(b"".join(b'{"flow": %d}\n' % (n * 7919 % 100) for n in range(100)))
    Batch.objects.bulk_create(
        Batch(
            application=application, number=number, digest=digest, received=digest, size=1000, samples=100,
            kind="intake", media_type="application/x-ndjson", caller="user:1", created_at=now - timedelta(days=1),
        ) for application in applications for number in (1, 2)
    )  # fmt: skip
    rule = {"data": "all", "holdout": "last", "holdout_fraction": 0.2, "time": None, "after": 0}
    snapshots = Snapshot.objects.bulk_create(
        Snapshot(
            application=application, digest=f"sha256:{application.pk:064x}", last=1, batches=[[1, digest, 100]],
            rule=rule, samples=100, train=80, holdout=20, created_at=now,
        ) for application in applications
    )  # fmt: skip
    models = ModelVersion.objects.bulk_create(
        ModelVersion(
            application=application, number=1, state="active", digest=f"sha256:{application.pk:064x}", size=1024,
            snapshot=snapshot, release=application.release, created_at=now,
        ) for application, snapshot in zip(applications, snapshots, strict=True)
    )  # fmt: skip
    Promotion.objects.bulk_create(
        Promotion(application=model.application, model=model, kind="promote", actor="gate", reason="Better.", at=now)
        for model in models
    )
    for application, model in zip(applications, models, strict=True):
        application.model = model


def _execute(applications: list[Any]) -> None:
    """Three finished executions of each, an hour apart."""
    from django.utils import timezone

    from ovd_saas.appcore.executions import new_id
    from ovd_saas.store.records import Execution

    now = timezone.now() - timedelta(days=1)
    Execution.objects.bulk_create(
        Execution(
            id=new_id(), application=application, release=application.release, status="succeeded", inputs={},
            outputs={"result": 1}, seed=7, created_at=now + timedelta(hours=hour), finished_at=now,
            started_at=now, seconds=0.1, attempts=1, caller="user:1",
        ) for application in applications for hour in range(3)
    )  # fmt: skip


def _look(applications: list[Any]) -> None:
    """As loops leave it that have looked at all of them: triggers, drift, sources."""
    from django.utils import timezone

    from ovd_saas.appcore import sources
    from ovd_saas.domain.schedules import Schedule
    from ovd_saas.store.records import DriftMeasure, Lookout

    now = timezone.now()
    measures = DriftMeasure.objects.bulk_create(
        DriftMeasure(
            application=application, model=application.model, through=2, samples=100, fields={}, window={},
            is_drifting=False, reason="Nothing drifts.", at=now,
        ) for application in applications if application.model is not None
    )  # fmt: skip
    measured = {measure.application_id: measure.pk for measure in measures}
    lookouts = []
    for application in applications:
        learn = application.release.manifest.get("learn")
        schedule = Schedule(learn["schedule"], learn["time_zone"]) if learn and "schedule" in learn else None
        lookouts.append(Lookout(
            application=application, release=application.release, learns=learn is not None,
            batch=2 if application.model else 0, drift=measured.get(application.pk, 0),
            schedule=f"{learn['schedule']} {learn['time_zone']}" if schedule else "",
            look_at=schedule.after(now) if schedule else None,
        ))  # fmt: skip
        if schedule:
            application.scheduled_until = now
        sources.schedule(application=application, now=now)
    Lookout.objects.bulk_create(lookouts)
    type(applications[0]).objects.bulk_update(applications, ["scheduled_until"], batch_size=500)


def settle() -> float:
    """Afterwards AppCore has nothing left to look at; how many seconds that took."""
    from django.utils import timezone

    from ovd_saas.appcore import drift
    from ovd_saas.store.queries import triggers

    began = time.monotonic()
    while triggers.candidates(timezone.now()) or drift.waiting(timezone.now()) != drift.Waiting([], []):
        if time.monotonic() - began > SETTLE_SECONDS:
            raise SystemExit(f"AppCore is not through with the new applications after {SETTLE_SECONDS} s.")
        time.sleep(1.0)
    return time.monotonic() - began


def doors(on: Stage) -> dict[str, Door]:
    """As a browser and as a program of the platform's staff, who see everything."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from ovd_saas.appcore import access
    from ovd_saas.store.records import User

    user, _ = User.objects.get_or_create(username="bench", defaults={"is_staff": True})
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    browser, program = on.door(), on.door()
    browser.headers["Cookie"] = f"sessionid={session.session_key}"
    program.headers["Authorization"] = f"Bearer {access.issue(user, 'bench')[1]}"
    return {"panel": browser, "API": program}


def lists(on: Stage) -> dict[str, tuple[float, float]]:
    """Of each list the median of milliseconds, seen from outside; and web's processor time for one."""
    there, found = doors(on), {}
    for name, path in PAGES.items():
        door, times, used = there[name.split(",")[0]], [], cpu_seconds(on.pids["web"])
        for _ in range(LOOKS + 3):
            began = time.perf_counter()
            status, body = door.ask("GET", path)
            times.append(1000 * (time.perf_counter() - began))
            assert status == 200, (path, status, body[:300])
        used = 1000 * (cpu_seconds(on.pids["web"]) - used) / len(times)
        found[name] = (statistics.median(times[3:]), used)
    return found


def wakes(on: Stage, count: int) -> list[float]:
    """Milliseconds from a request to a sleeping application until its result."""
    door, found = on.door(), []
    for _ in range(count):
        door.sleep("demo/echo")
        time.sleep(0.2)
        found.append(1000 * door.execute("demo/echo", {"message": "Good morning"}))
    door.sleep("demo/echo")
    return found


def share(pids: dict[str, int], seconds: float) -> dict[str, float]:
    """Percent of one core that each part used, PostgreSQL with all its processes."""
    import psutil

    def used() -> dict[str, float]:
        found = {part: cpu_seconds(pids[part]) for part in PARTS}
        postgres = psutil.Process(pids["postgresql"])  # its own figure counts those that have ended
        living = sum(cpu_seconds(one.pid) for one in postgres.children())
        found["postgresql"] = living + cpu_seconds(postgres.pid, with_ended=True)
        return found

    before, began = used(), time.monotonic()
    time.sleep(seconds)
    after, took = used(), time.monotonic() - began
    return {part: 100 * (after[part] - before[part]) / took for part in after}


def measure(on: Stage, options: argparse.Namespace) -> dict[str, Any]:
    pages, woken = lists(on), wakes(on, options.wakes)
    time.sleep(5)
    memory = {part: pss_mib(on.pids[part]) for part in PARTS}
    return {"pages": pages, "wakes": woken, "memory": memory, "share": share(dict(on.pids), options.seconds)}


def report(few: dict[str, Any], many: dict[str, Any], count: int) -> None:
    print(f"\n{'':34}{'ten':>10}{f'{count:,}':>10}")
    row = "{:34}{:10.1f}{:10.1f}  {}".format
    for part in many["share"]:
        target = f"< {TARGET_PERCENT:g}" if part == "appcore" else ""
        print(f"{f'{part}, % of one core':34}{few['share'][part]:10.2f}{many['share'][part]:10.2f}  {target}")
    for name in many["pages"]:
        print(row(f"list in the {name}, ms", few["pages"][name][0], many["pages"][name][0], f"≤ {TARGET_LIST_MS:g}"))
        print(row("  of it web's processor", few["pages"][name][1], many["pages"][name][1], ""))
    for name, at in (("p50", 0.5), ("p95", 0.95)):
        print(row(f"waking echo, {name}, ms", percentile(few["wakes"], at), percentile(many["wakes"], at), ""))
    for part in PARTS:
        print(row(f"{part}, MiB PSS", few["memory"][part], many["memory"][part], ""))
    more = sum(many["memory"].values()) - sum(few["memory"].values())
    print(f"memory for each application: {1024 * more / count:.2f} KiB (target < {TARGET_KIB:g})")
    print(load())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sleeping", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--wakes", type=int, default=15)
    parser.add_argument("--hold", action="store_true", help="stay up afterwards, to look at it with other tools")
    options = parser.parse_args()
    with stage() as on:
        from pathlib import Path

        on.push(Path(__file__).resolve().parent.parent / "tests" / "apps" / "echo")
        add(9)
        settle()
        few = measure(on, options)
        began = time.monotonic()
        add(options.sleeping - 10)
        made = time.monotonic() - began
        print(f"{options.sleeping:,} made in {made:.0f} s; AppCore looked at them for {settle():.0f} s")
        many = measure(on, options)
        report(few, many, options.sleeping)
        if options.hold:
            input(f"It is up: {on.home}/up.json. Return ends it.")


if __name__ == "__main__":
    main()
