"""Profiles: what the samples that a model version learned from look like, made once a version. Floor 2."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from ovd_saas.domain import profiles
from ovd_saas.domain.drift import Rule
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store.records import Batch, DriftReference, ModelVersion, Release

MOST_SAMPLES = 20_000  # read of a snapshot; of more, random pairs of neighbours
SEED = 20_260_301  # fixed, so that the same snapshot has the same profile

Delivered = tuple[int, str, int]  # number, digest and samples of a batch


def of(*, model: ModelVersion, release: Release, rule: Rule, now: datetime) -> DriftReference:
    """The profile of the snapshot that `model` learned from, without the batches that were taken down; made by reading
    them when there is none, or when it rests on other fields or on batches that are gone by now."""
    assert model.snapshot is not None
    numbers = [number for number, _, _ in model.snapshot.batches]
    gone = Batch.objects.filter(application=model.application_id, number__in=numbers, taken_down_at__isnull=False)
    taken_down = set(gone.values_list("number", flat=True))
    schema = release.schema.get("sample")
    basis = _digest([rule.fields, schema, model.snapshot.digest, sorted(taken_down)])
    made = DriftReference.objects.filter(model=model).first()
    if made is None or made.basis != basis:
        left = [
            (number, digest, samples) for number, digest, samples in model.snapshot.batches if number not in taken_down
        ]
        profile = _profile(left, schema, rule)
        values = {"basis": basis, "profile": profiles.to_json(profile), "made_at": now}
        made, _ = DriftReference.objects.update_or_create(model=model, defaults=values)
    return made


def read(delivered: Delivered, *, skip: int = 0) -> Iterator[dict[str, Any]]:
    """The samples of a batch but the first ones; none when its bytes are gone."""
    for _, line in _lines([delivered], skip):
        yield sample(line)


def sample(line: bytes) -> dict[str, Any]:
    """A stored line as a sample."""
    found = orjson.loads(line)
    return found if isinstance(found, dict) else {}


def _profile(batches: Sequence[Delivered], schema: dict[str, Any] | None, rule: Rule) -> profiles.Profile:
    places = _chosen(sum(samples for _, _, samples in batches))
    rows, follows, last = [], [], -2
    for place, line in _lines(batches):
        if places is None or place in places:
            rows.append(sample(line))
            follows.append(place == last + 1)
            last = place
    return profiles.profile(rows, profiles.kinds(schema, rule.fields, rows), follows)


def _chosen(samples: int) -> set[int] | None:
    """Places of the samples to read: all (None), or pairs drawn at random, each with the same chance."""
    if samples <= MOST_SAMPLES:
        return None
    import numpy as np  # here, as the idle platform does without it

    generator = np.random.Generator(np.random.PCG64(SEED))
    firsts = generator.choice(samples // 2, MOST_SAMPLES // 2, replace=False) * 2
    return {*firsts.tolist(), *(firsts + 1).tolist()}


def _lines(batches: Iterable[Delivered], skip: int = 0) -> Iterator[tuple[int, bytes]]:
    """All lines with their places, counted over all batches; a batch whose bytes are gone still counts."""
    begin = 0
    for _, digest, samples in batches:
        try:
            with files.open(digest) as file:
                for number, line in enumerate(file):
                    if number >= skip:
                        yield begin + number, line
        except Missing:
            pass  # taken down a moment ago: the next look will know
        begin += samples


def _digest(basis: Any) -> str:
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()
