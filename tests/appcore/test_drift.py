"""Drift: measured as batches arrive, against what the active version learned from."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

import makers
from ovd_saas.appcore import drift, profiles
from ovd_saas.appcore.loops.drifting import Drifting
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Batch, DriftMeasure, DriftReference, ModelVersion, Snapshot

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def flows(seed: int, count: int, mean: float = 0.0) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    return [{"flow": flow, "side": "north"} for flow in generator.normal(mean, 1, count).tolist()]


def batch(application: Application, rows: list[dict[str, Any]]) -> Batch:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    number = Batch.objects.filter(application=application).count() + 1
    return makers.batch(application, number, len(rows), digest=files.put(lines), size=len(lines), created_at=NOW)


def learned(application: Application, *batches: Batch, number: int = 1) -> ModelVersion:
    """An active version that learned from these batches."""
    snapshot = Snapshot.objects.create(
        application=application, digest=f"sha256:{number:064x}", last=max(each.number for each in batches),
        batches=[[each.number, each.digest, each.samples] for each in batches], rule={},
        samples=sum(each.samples for each in batches), train=1, holdout=1, created_at=NOW,
    )  # fmt: skip
    assert application.release is not None
    ModelVersion.objects.filter(application=application, state="active").update(state="retired")
    model = ModelVersion.objects.create(
        application=application, number=number, state="active", digest="sha256:" + "a" * 64, size=1,
        snapshot=snapshot, release=application.release, created_at=NOW,
    )  # fmt: skip
    Application.objects.filter(pk=application.pk).update(model=model)
    return model


def watched(**rule: Any) -> Application:
    return makers.application(drift={"window": 100, **rule}, learn={})


def measured(application: Application, now: datetime = NOW) -> DriftMeasure:
    found = drift.measure(application.pk, now)
    assert found is not None
    return found


def take_down(taken: Batch, now: datetime = NOW) -> None:
    Batch.objects.filter(pk=taken.pk).update(taken_down_at=now)
    files.remove(taken.digest)


def test_samples_that_moved_are_found_and_named() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    batch(application, flows(2, 100))
    assert not measured(application).is_drifting
    batch(application, flows(3, 100, mean=3))
    found = measured(application)
    assert (found.is_drifting, found.samples, found.through) == (True, 100, 3)
    assert found.fields["flow"]["is_drifting"] and not found.fields["side"]["is_drifting"]
    assert found.reason.startswith("Drift in flow (psi ") and "version 1" in found.reason


def test_only_the_latest_samples_count() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    batch(application, flows(2, 400, mean=3))
    batch(application, flows(3, 100))
    assert not measured(application).is_drifting


@pytest.mark.parametrize("sizes", [[7] * 30, [1, 99, 100, 3, 250, 12], [100], [1000]])
def test_sliding_batch_by_batch_ends_where_one_look_at_all_does(sizes: list[int]) -> None:
    step_by_step, at_once = watched(), makers.application("other", drift={"window": 100}, learn={})
    for application in (step_by_step, at_once):
        learned(application, batch(application, flows(1, 300)))
    for seed, size in enumerate(sizes):
        batch(step_by_step, flows(seed, size, mean=seed / 10))
        measured(step_by_step)
        batch(at_once, flows(seed, size, mean=seed / 10))
    one, other = measured(step_by_step), measured(at_once)
    assert (one.samples, one.fields, one.window["codes"]) == (other.samples, other.fields, other.window["codes"])
    assert one.samples == min(100, sum(sizes))
    assert sum(samples for _, samples in one.window["batches"]) == one.samples


def test_only_the_last_row_holds_the_window() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    for seed in range(3):
        batch(application, flows(seed, 30))
        measured(application)
    windows = DriftMeasure.objects.order_by("id").values_list("window", flat=True)
    assert [bool(window) for window in windows] == [False, False, True]


def test_the_profile_is_made_once_a_version() -> None:
    application = watched()
    model = learned(application, batch(application, flows(1, 300)))
    batch(application, flows(2, 50))
    measured(application)
    measured(application, NOW + timedelta(hours=1))
    assert DriftReference.objects.get(model=model).made_at == NOW


def test_another_version_is_another_reference_and_another_beginning() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    moved = batch(application, flows(2, 100, mean=3))
    assert measured(application).is_drifting
    learned(application, moved, number=2)
    fresh = measured(application)
    assert (fresh.is_drifting, fresh.samples) == (False, 0)
    assert fresh.reason == "0 samples have arrived since version 2 learned; 20 are needed to compare."
    batch(application, flows(3, 100, mean=3))
    assert not measured(application).is_drifting


def test_after_a_rollback_all_that_arrived_since_is_looked_at_again() -> None:
    application = watched()
    old = learned(application, batch(application, flows(1, 300)))
    learned(application, batch(application, flows(2, 100, mean=3)), number=2)
    measured(application)
    ModelVersion.objects.filter(application=application, state="active").update(state="retired")
    Application.objects.filter(pk=application.pk).update(model=old)
    assert measured(application).is_drifting


def test_what_is_taken_down_leaves_the_window() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    moved = batch(application, flows(2, 100, mean=3))
    assert measured(application).is_drifting
    batch(application, flows(3, 50))
    take_down(moved)
    found = measured(application)
    assert (found.is_drifting, found.samples) == (False, 50)


def test_what_is_taken_down_leaves_the_reference() -> None:
    application = watched()
    wrong, right = batch(application, flows(1, 300, mean=9)), batch(application, flows(2, 300))
    model = learned(application, wrong, right)
    batch(application, flows(3, 100))
    assert measured(application).fields["flow"]["measures"]["ks"] > 0.4
    take_down(wrong)
    assert measured(application).fields["flow"]["measures"]["ks"] < 0.2
    assert DriftReference.objects.get(model=model).profile["samples"] == 300


def test_a_batch_whose_bytes_went_a_moment_ago_is_passed_over() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    files.remove(batch(application, flows(2, 100, mean=3)).digest)
    batch(application, flows(3, 30))
    assert measured(application).samples == 30


def test_of_a_large_snapshot_pairs_of_neighbours_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MOST_SAMPLES", 100)
    application = watched()
    model = learned(application, batch(application, flows(1, 301)), batch(application, flows(2, 150)))
    batch(application, flows(3, 100))
    assert not measured(application).is_drifting
    assert DriftReference.objects.get(model=model).profile["samples"] == 100


def test_an_application_without_a_rule_a_version_or_a_snapshot_is_not_measured() -> None:
    silent = makers.application("silent", drift=None, learn={})
    learned(silent, batch(silent, flows(1, 30)))
    young = watched()
    imported = makers.application("imported", drift={}, learn={})
    ModelVersion.objects.filter(pk=learned(imported, batch(imported, flows(1, 30))).pk).update(snapshot=None)
    assert [drift.measure(each.pk, NOW) for each in (silent, young, imported)] == [None, None, None]
    assert drift.waiting(NOW).due == []


def test_one_waits_for_something_new_and_not_for_every_sample() -> None:
    application = watched(window=1000)
    learned(application, batch(application, flows(1, 300)))
    assert drift.waiting(NOW).due == [application.pk]
    measured(application)
    assert drift.waiting(NOW + timedelta(hours=1)).due == []
    batch(application, flows(2, 9))
    assert drift.waiting(NOW + timedelta(seconds=3)).due == []
    assert drift.waiting(NOW + timedelta(seconds=30)).due == [application.pk]
    last = batch(application, flows(3, 1))
    assert drift.waiting(NOW + timedelta(seconds=1)).due == []
    assert drift.waiting(NOW + timedelta(seconds=3)).due == [application.pk]
    measured(application, NOW + timedelta(seconds=3))
    assert drift.waiting(NOW + timedelta(hours=1)).due == []
    take_down(last, NOW + timedelta(hours=1))
    assert drift.waiting(NOW + timedelta(hours=1)).due == [application.pk]


def test_another_active_version_is_looked_at_although_nothing_arrived() -> None:
    application = watched()
    first = batch(application, flows(1, 300))
    learned(application, first)
    measured(application)
    learned(application, first, number=2)
    assert drift.waiting(NOW).due == [application.pk]


def test_a_suspended_application_waits_for_nothing() -> None:
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    Application.objects.filter(pk=application.pk).update(status="suspended")
    assert drift.waiting(NOW).due == []


def test_one_application_that_cannot_be_measured_keeps_no_other_from_it() -> None:
    broken = makers.application("broken", drift={}, learn={})
    digest = files.put(b"no JSON\n")
    damaged = makers.batch(broken, digest=digest, samples=1)
    learned(broken, damaged)
    application = watched()
    learned(application, batch(application, flows(1, 300)))
    batch(application, flows(2, 50))
    Drifting().tick()
    assert [row.application_id for row in DriftMeasure.objects.all()] == [application.pk]
