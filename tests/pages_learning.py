"""Rows of applications that learn, in every state that a page shows: for tests of pages, and for looking at pages."""

import json
import math
from datetime import timedelta
from typing import Any

from django.utils import timezone

import makers
import pages_rows
from ovd_saas.files import store as files
from ovd_saas.store.records import (
    Application,
    Batch,
    DriftMeasure,
    LearningEvent,
    LearningRun,
    ModelVersion,
    Promotion,
    Release,
    SourceFile,
    TriggerEvaluation,
    User,
)

LEARN = {
    "on_wake": "yield",
    "data": "all",
    "schedule": "0 3 * * *",
    "time_zone": "Europe/Madrid",
    "min_samples": 100,
    "quiet": 60,
    "max_wait": 3600,
    "at_most_every": 21600,
    "from_executions": True,
    "label": "flow",
    "sources": [
        {"address": "s3://acme-data/flow", "schedule": "0 * * * *", "pattern": "*.csv"},
        {"address": "/srv/archive", "schedule": "", "pattern": "*"},
    ],
}
GATE = {"metric": "mae", "direction": "min", "minimum_improvement": 0.01, "approve": "auto", "bake_error_rate": 0.2}
FLOW_SAMPLE = {
    "at": {"type": "string", "title": "Moment", "x-ovd": {"kind": "datetime", "order": 0}},
    "flow": pages_rows.prop("number", 1, title="Flow", unit="l/s", minimum=0),
    "valve": pages_rows.prop("choice", 2, title="Valve", enum=["open", "half", "closed"], optional=True),
}
DIGIT_SAMPLE = {
    "picture": pages_rows.prop("image", 0, title="Picture", media_types=["image/png"]),
    "label": {"enum": list(range(10)), "title": "Digit", "x-ovd": {"kind": "choice", "order": 1}},
}
DIGITS = pages_rows.schema(
    {"picture": pages_rows.prop("image", 0, title="Picture of a digit", media_types=["image/png"])},
    {
        "label": {"enum": list(range(10)), "title": "Digit", "x-ovd": {"kind": "choice", "order": 0}},
        "confidence": pages_rows.prop("number", 1, title="Confidence"),
    },
    ["picture"],
    [],
)


def teach(
    app: Application, learn: dict[str, Any], gate: dict[str, Any], sample: dict[str, Any], **more: Any
) -> Application:
    """Afterwards its release learns by these rules, from samples of these fields."""
    assert app.release is not None
    release = Release.objects.get(pk=app.release.pk)
    release.manifest |= {"learn": {"label": "label", **learn}, "gate": gate, **more}
    required = [name for name, prop in sample.items() if not prop.get("x-ovd", {}).get("optional")]
    release.schema |= {
        "learns": True,
        "sample": {"type": "object", "additionalProperties": False, "required": required, "properties": sample},
    }
    release.save()
    return Application.objects.select_related("organisation", "release").get(pk=app.pk)


def ago(**length: float) -> Any:
    return timezone.now() - timedelta(**length)


def batch(app: Application, number: int, samples: list[dict[str, Any]], **also: Any) -> Batch:
    """With its bytes in the file store."""
    lines = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in samples).encode()
    digest = files.put(lines)
    values = {
        "digest": digest,
        "received": digest,
        "size": len(lines),
        "samples": len(samples),
        "kind": "intake",
        "media_type": "application/x-ndjson",
        "caller": "user:0",
        "created_at": timezone.now(),
    }
    return Batch.objects.create(application=app, number=number, **{**values, **also})


def flows(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "at": (pages_rows.START + timedelta(hours=index)).isoformat(),
            "flow": pages_rows.flow(index),
            "valve": ("open", "half", None)[index % 3],
        }
        for index in range(first, first + count)
    ]


def verdict(passed: bool, sentence: str, candidate: float, active: float | None, **also: Any) -> dict[str, Any]:
    return {
        "passed": passed,
        "sentence": sentence,
        "metric": "mae",
        "direction": "min",
        "candidate": candidate,
        "active": active,
        "improvement": None if active is None else active - candidate,
        "minimum": 0.01,
        "interval": None,
        "confidence": 0.95,
        "samples": 48,
        "limits": {"size_mb": {"value": 0.04, "limit": 5}, "seconds": {"value": 0.02, "limit": None}},
        "compared_with": None if active is None else "version 3",
        **({} if active is None else {"compared": both(candidate, active)}),
        **also,
    }


def both(candidate: float, active: float) -> dict[str, Any]:
    """All metrics of both versions, and their errors on the same 48 samples."""
    errors = [[round(candidate + math.sin(one), 3), round(active + math.cos(one * 1.3), 3)] for one in range(48)]
    lower = sum(ours < theirs for ours, theirs in errors)
    return {
        "metrics": {"mae": [candidate, active], "rmse": [round(candidate * 1.3, 3), round(active * 1.3, 3)]},
        "scores": errors,
        "lower": lower,
        "equal": 0,
        "higher": 48 - lower,
    }


def told(run: LearningRun, kind: str, at: Any = None, **body: Any) -> LearningEvent:
    return LearningEvent.objects.create(run=run, kind=kind, body=body, at=at or timezone.now())


def story(run: LearningRun, *way: tuple[str, str]) -> None:
    for index, (status, reason) in enumerate(way):
        told(run, "status", run.created_at + timedelta(seconds=index * 2), status=status, reason=reason)


def curves(run: LearningRun, steps: int = 40) -> None:
    for step in range(steps):
        told(
            run,
            "metric",
            name="loss",
            value=round(2.4 * math.exp(-step / 12) + 0.3 + 0.05 * math.sin(step), 4),
            step=step,
        )
        if step % 4 == 0:
            told(run, "metric", name="validation mae", value=round(1.2 * math.exp(-step / 20) + 0.8, 4), step=step)


PASSED = (
    "Passed: mae is 0.912, 8.3 % lower than version {} (0.994); with 95 % confidence the improvement is between 0.041 "
    "and 0.12; at least 0.01 is asked for."
)
DECLINED = (
    "Rejected: mae is 1.02, 2.6 % higher than version 3 (0.994); with 95 % confidence the improvement is between "
    "-0.081 and 0.022; its lower end must be at least 0.01."
)


def version(app: Application, number: int, mae: float, days: float, run: LearningRun, **also: Any) -> ModelVersion:
    values = {
        "run": run,
        "snapshot": run.snapshot,
        "metrics": {"mae": mae, "rmse": round(mae * 1.31, 3), "samples": 48},
        "created_at": ago(days=days),
        "size": 41_984,
        "reason": "Passed: mae is lower than before.",
    }
    made = makers.model_version(app, number, **{**values, **also})
    LearningRun.objects.filter(pk=run.pk).update(candidate=made)
    return made


def water(user: User) -> Application:
    """It learns now, has a history of versions with a rollback, and the live one is being watched."""
    app = pages_rows.application(
        "water-flow",
        pages_rows.WATER,
        "Water flow forecast",
        "Forecasts the flow in a water pipeline and flags anomalies.",
        learning="learning",
        reason="Due: 336 new samples have arrived, of 100 needed.",
        next_what="Goes on learning; wakes when somebody uses it.",
    )
    app = teach(app, LEARN, GATE, FLOW_SAMPLE, drift={"window": 500, "psi": 0.25, "ks": 0.2, "js": 0.1, "learn": True})
    steps: dict[int, LearningRun] = {}
    for number, days, status in ((1, 28, "promoted"), (2, 21, "promoted"), (3, 14, "promoted"), (4, 7, "rejected")):
        parent = ModelVersion.objects.filter(application=app, state="active").first()
        run = makers.learning_run(
            app,
            number,
            status,
            trigger="schedule" if number == 2 else "data",
            cause="cron 2026-03-01T03:00+01:00" if number == 2 else f"batches {3 * number - 2}-{3 * number}",
            reason=DECLINED if status == "rejected" else PASSED.format(number - 1),
            created_at=ago(days=days),
            started_at=ago(days=days, seconds=-0.2),
            finished_at=ago(days=days, seconds=-14),
            seconds=11.4,
            parent=parent,
            snapshot=makers.snapshot(app, 3 * number, 336 * number),
            gate=verdict(
                status != "rejected",
                DECLINED if status == "rejected" else PASSED.format(number - 1),
                1.02 if status == "rejected" else 0.912,
                0.994,
                interval=[-0.081, 0.022] if status == "rejected" else [0.041, 0.12],
            ),
            metrics={"mae": 0.9, "epochs": 40},
            digests={"release": "sha256:" + "a1" * 32, "snapshot": "sha256:" + "b2" * 32},
            log="1,268 hours of history\nepoch 40 of 40: loss 0.31\nsaved the model\n",
        )
        story(
            run,
            ("queued", "Due: 336 new samples have arrived, of 100 needed."),
            ("running", "It learns."),
            ("evaluating", "The candidate is stored."),
            (status, run.reason),
        )
        curves(run)
        steps[number] = run
        made = version(
            app,
            number,
            {1: 1.31, 2: 1.08, 3: 0.912, 4: 1.02}[number],
            days,
            run,
            parent=parent,
            **({"state": "rejected", "reason": DECLINED} if status == "rejected" else {}),
        )
        if status == "promoted":
            makers.promotion(made, at=ago(days=days, seconds=-14), reason=run.reason)
        if number == 3:
            worse = "More than 20 % of its executions failed while it was watched (6 of 21)."
            earlier = ModelVersion.objects.get(application=app, number=2)
            makers.promotion(earlier, "rollback", at=ago(days=13), actor="bake", reason=worse)
            last = makers.promotion(
                made, at=ago(hours=5), actor="user:ana", reason="The meter was broken, not the model."
            )
            Promotion.objects.filter(pk=last.pk).update(
                bakes_until=timezone.now() + timedelta(hours=19), previous=earlier
            )
            Application.objects.filter(pk=app.pk).update(baking=last)
    for number in range(1, 15):
        kind = "source" if number % 4 == 0 else "feedback" if number == 13 else "intake"
        batch(
            app,
            number,
            flows(112 * number, 1 if kind == "feedback" else 112 + 9 * (number % 5)),
            kind=kind,
            created_by=user if kind != "source" else None,
            caller="appcore" if kind == "source" else f"user:{user.pk}",
            created_at=ago(days=30 - 2.1 * number),
            step=steps.get((number + 2) // 3),
            origin={"path": "flow/2026-03.csv", "source": "s3://acme-data/flow"} if kind == "source" else {},
        )
    run = makers.learning_run(
        app,
        5,
        "running",
        trigger="data",
        cause="batches 13-14",
        reason="It learns.",
        snapshot=makers.snapshot(app, 14, 1690),
        parent=ModelVersion.objects.get(application=app, state="active"),
        created_at=ago(seconds=40),
        started_at=ago(seconds=39),
        progress={"fraction": 0.42, "message": "epoch 17 of 40"},
    )
    Batch.objects.filter(application=app, number=13).update(step=run)
    Batch.objects.filter(application=app, number=2).update(taken_down_at=ago(days=2), taken_down_by="user:ana")
    story(run, ("queued", "Due: 121 new samples have arrived, of 100 needed."), ("running", "It learns."))
    curves(run, 17)
    told(
        run,
        "log",
        stream="stdout",
        text="1,690 hours of history\nepoch 16 of 40: loss 0.92\nepoch 17 of 40: loss 0.87\n",
    )
    pages_rows.process(app, kind="learn", run=run, pid=6100)
    for source, path, version_of, error in (
        ("s3://acme-data/flow", "2026-03.csv", 4, ""),
        ("s3://acme-data/flow", "2026-04.csv", 8, ""),
        (
            "s3://acme-data/flow",
            "2026-05.csv",
            None,
            "Line 17, flow: “n/a” is no number. Correct the file; then it is looked at again.",
        ),
    ):
        SourceFile.objects.create(
            application=app,
            source=source,
            path=path,
            version="1",
            error=error,
            seen_at=ago(hours=3),
            batch=Batch.objects.filter(application=app, number=version_of).first() if version_of else None,
        )
    looked(app, run)
    drifted(app, over=False)
    asked = pages_rows.execution(
        app,
        user,
        90,
        inputs={"history": pages_rows.HISTORY, "horizon": 48, "level": 90, "threshold": 6.5},
        outputs=pages_rows.FORECAST,
        model=ModelVersion.objects.get(application=app, number=3),
        consent=True,
        feedback={"label": 13.4, "batch": 13, "by": "user:ana", "at": ago(seconds=60).isoformat()},
    )
    pages_rows.moved(app, "model", "2", "3", "The meter was broken, not the model.", 18000, actor="user:ana")
    pages_rows.moved(
        app, "learning", "resting", "due", "Due: 121 new samples have arrived.", 40, cause="learning-run:5"
    )
    pages_rows.moved(app, "learning", "due", "learning", "It learns.", 39, cause="learning-run:5")
    assert asked.model is not None
    return app


def looked(app: Application, run: LearningRun | None = None) -> None:
    """Looks of every kind and with every answer."""
    for kind, decision, reason, cause, minutes, again in (
        ("data", "skipped", "Skipped: only 12 of 100 samples.", "batch 13", 95, None),
        (
            "schedule",
            "waits",
            "Waits until 2026-05-02 03:00:00 CEST: the next time of the schedule 0 3 * * *.",
            "cron 2026-05-02T03:00+02:00",
            90,
            timedelta(hours=7),
        ),
        (
            "data",
            "waits",
            "Waits until 14:03:20 CEST: new data may still arrive (quiet of 60 s).",
            "batches 13-14",
            3,
            None,
        ),
        ("drift", "skipped", "Skipped: no field is over its limit.", "drift at batch 14", 2, None),
        ("data", "due", "Due: 121 new samples have arrived, of 100 needed.", "batches 13-14", 1, None),
    ):
        TriggerEvaluation.objects.create(
            application=app,
            kind=kind,
            decision=decision,
            reason=reason,
            cause=cause,
            run=run if decision == "due" else None,
            at=ago(minutes=minutes),
            again_at=timezone.now() + again if again else None,
        )


def drifted(app: Application, *, over: bool) -> None:
    """Measures of two weeks, at their end over a limit or not."""
    model = ModelVersion.objects.filter(application=app, state="active").get()
    for day in range(14):
        psi = (0.05 + 0.03 * day) if over else 0.06 + 0.02 * math.sin(day)
        flow = {
            "kind": "number",
            "measures": {"psi": psi, "ks": psi / 1.6, "missing": 0.01},
            "limits": {"psi": 0.25, "ks": 0.2, "missing": 0.1},
            "is_drifting": psi > 0.25,
        }
        valve = {
            "kind": "choice",
            "measures": {"js": 0.04 + 0.002 * day, "missing": 0.0},
            "limits": {"js": 0.1, "missing": 0.1},
            "is_drifting": False,
        }
        is_drifting = psi > 0.25
        reason = (
            f"Field flow has drifted: its shape is {psi:.2f} away from that of version {model.number}, more than 0.25."
            if is_drifting
            else "No field is over its limit."
        )
        DriftMeasure.objects.create(
            application=app,
            model=model,
            through=day + 1,
            samples=500,
            fields={"flow": flow, "valve": valve},
            is_drifting=is_drifting,
            reason=reason,
            at=ago(days=13 - day, minutes=4),
        )


def digits(user: User) -> Application:
    """Pictures with labels; its second version awaits approval."""
    app = pages_rows.application(
        "digits", DIGITS, "Handwritten digits", "Reads a digit, and learns from what people say it was."
    )
    app = teach(
        app,
        {"min_samples": 50, "label": "label", "from_executions": True, "on_wake": "together"},
        {"metric": "accuracy", "direction": "max", "minimum_improvement": 0.005, "approve": "manual"},
        DIGIT_SAMPLE,
    )
    picture = pages_rows.stored("digit.png", "image/png", pages_rows.png(32, 32))
    many = [{"picture": picture, "label": index % 10} for index in range(60)]
    first = makers.learning_run(app, 1, created_at=ago(days=3), snapshot=makers.snapshot(app, 1, 60), seconds=2.2)
    one = version(app, 1, 0.1, 3, first, metrics={"accuracy": 0.881})
    makers.promotion(one, at=ago(days=3))
    sentence = (
        "Passed: accuracy is 0.913, 3.6 % higher than version 1 (0.881); with 95 % confidence the improvement is "
        "between 0.011 and 0.053; at least 0.005 is asked for."
    )
    gate = verdict(
        True,
        sentence,
        0.913,
        0.881,
        metric="accuracy",
        direction="max",
        improvement=0.032,
        minimum=0.005,
        interval=[0.011, 0.053],
        compared_with="version 1",
    )
    second = makers.learning_run(
        app,
        2,
        "awaiting",
        trigger="manual",
        created_at=ago(hours=2),
        finished_at=ago(hours=2),
        parent=one,
        gate=gate,
        snapshot=makers.snapshot(app, 2, 120),
        reason="The gate passed; a person has to approve.",
        seconds=3.1,
        metrics={"accuracy": 0.92},
        log="fitted\n",
    )
    story(
        second,
        ("queued", "ana asked for it."),
        ("running", "It learns."),
        ("evaluating", "The candidate is stored."),
        ("awaiting", "The gate passed; a person has to approve."),
    )
    version(app, 2, 0.1, 0.08, second, parent=one, metrics={"accuracy": 0.913}, reason=sentence)
    batch(app, 1, many, step=first, created_at=ago(days=4), created_by=user, files=[picture["digest"]])
    batch(app, 2, many, step=second, created_at=ago(days=1), created_by=user, files=[picture["digest"]])
    batch(app, 3, many[:1], kind="feedback", created_at=ago(minutes=9), created_by=user, files=[picture["digest"]])
    pages_rows.execution(
        app, user, 600, inputs={"picture": picture}, outputs={"label": 7, "confidence": 0.934}, model=one, consent=True
    )
    return app


def valves(user: User) -> Application:
    """Its data has drifted, its last runs were rejected and failed."""
    app = pages_rows.application("valve-wear", pages_rows.ECHO, "Valve wear", "Estimates the wear of valves.")
    app = teach(app, {"min_samples": 1, "on_wake": "finish"}, GATE, FLOW_SAMPLE, drift={"psi": 0.25})
    first = makers.learning_run(app, 1, created_at=ago(days=20), snapshot=makers.snapshot(app, 1, 200))
    one = version(app, 1, 0.994, 20, first)
    makers.promotion(one, at=ago(days=20))
    second = makers.learning_run(
        app,
        2,
        "rejected",
        trigger="drift",
        created_at=ago(days=2),
        parent=one,
        reason=DECLINED,
        snapshot=makers.snapshot(app, 2, 400),
        gate=verdict(False, DECLINED, 1.02, 0.994, interval=[-0.081, 0.022]),
    )
    version(app, 2, 1.02, 2, second, parent=one, state="rejected", reason=DECLINED)
    story(second, ("queued", "Due: drift."), ("running", "It learns."), ("evaluating", ""), ("rejected", DECLINED))
    third = makers.learning_run(
        app,
        3,
        "failed",
        trigger="data",
        created_at=ago(hours=3),
        reason="ValueError: the series is constant",
        cause="batch 3",
        attempts=2,
        failures=2,
        error={
            "code": "exception",
            "message": "ValueError: the series is constant",
            "traceback": 'Traceback:\n  File "fit.py", line 31\nValueError: the series is constant\n',
        },
    )
    story(third, ("queued", "Due: 1 new sample has arrived."), ("running", "It learns."), ("failed", third.reason))
    for number in (1, 2, 3):
        batch(
            app,
            number,
            flows(0, 200),
            step=(first, second, None)[number - 1],
            created_at=ago(days=21 - 6 * number),
            created_by=user,
        )
    drifted(app, over=True)
    looked(app)
    return app


def fresh() -> Application:
    """It can learn, but nothing has come yet."""
    app = pages_rows.application("fresh", pages_rows.ECHO, "Fresh forecast", "Has learned nothing yet.")
    return teach(app, {"min_samples": 100, "on_wake": "together"}, GATE, FLOW_SAMPLE)


def platform() -> dict[str, Application]:
    """An application in each state of learning, by what is to be seen there."""
    ana = pages_rows.person()
    return {"learning": water(ana), "awaiting": digits(ana), "drifting": valves(ana), "empty": fresh()}
