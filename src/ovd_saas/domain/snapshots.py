"""Snapshots: which samples a learning run learns from, and which ones the gate judges with. Floor 0: pure.

Samples are ordered by the number of their batch and their line in it; a `Place` (batch, line) stands before a sample.
Everything follows from the list of batches and the rule, so that the same snapshot always splits in the same way.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

ALL = "all"  # train and hold out over everything there is
NEW = "new"  # what the parent has not learned; for online learners
LAST = "last"  # the newest samples are held out
HASH = "hash"  # samples are held out by their bytes: the same ones in every snapshot

Place = tuple[int, int]  # (batch number, line): all batches before it, and so many lines of this one, are behind it
START: Place = (0, 0)


@dataclass(frozen=True)
class Delivery:
    """One batch, as a snapshot names it."""

    number: int
    digest: str
    samples: int


@dataclass(frozen=True)
class Rule:
    """How a snapshot is split. `after`, `until` and `since` are set when it is frozen."""

    data: str = ALL
    holdout: str = LAST
    fraction: float = 0.2  # of the samples that is held out
    time: str = ""  # field by which the newest samples are meant; empty: as they arrived
    after: Place = START  # learning begins here: the parent has learned what is before it
    until: Place | None = None  # learning ends here; None: the rule decides sample by sample
    since: str | None = None  # with `time`: the first moment that is held out


@dataclass(frozen=True)
class Frozen:
    """A snapshot whose batches are known; `train` and `held` are None while samples have to be counted."""

    deliveries: tuple[Delivery, ...]
    rule: Rule
    samples: int
    train: int | None
    held: int | None


def rule_of(learn: dict[str, Any]) -> Rule:
    """The rule in the table [learn] of a manifest. A field for time means something only when all data is learned."""
    data = learn.get("data", ALL)
    return Rule(
        data=data,
        holdout=learn.get("holdout", LAST),
        fraction=float(learn.get("holdout_fraction", 0.2)),
        time=learn.get("time", "") if data == ALL and learn.get("holdout", LAST) == LAST else "",
    )


def begin_after(rule: Rule, *, parent: Rule | None, parent_last: int) -> Place:
    """Where learning begins: at the start, or where the parent's own learning ended."""
    if rule.data != NEW or parent is None:
        return START
    if parent.until is not None and rule.holdout == parent.holdout == LAST:
        return parent.until  # what was held out then is learned now
    return (parent_last + 1, 0)


def freeze(deliveries: Sequence[Delivery], rule: Rule) -> Frozen:
    """A snapshot of these batches, in order; `rule.after` says what the parent has learned already."""
    samples = sum(delivery.samples for delivery in deliveries)
    if rule.holdout == HASH or rule.time:
        return Frozen(tuple(deliveries), rule, samples, None, None)
    fresh = sum(_fresh(delivery, rule.after) for delivery in deliveries)
    held = held_out(fresh, rule.fraction)
    until = _place(deliveries, rule.after, fresh - held)
    frozen = Rule(**{**asdict(rule), "after": rule.after, "until": until})
    return Frozen(tuple(deliveries), frozen, samples, fresh - held, held)


def held_out(samples: int, fraction: float) -> int:
    """How many of so many samples are held out: the fraction, rounded, at least one if there are two."""
    if samples < 2:
        return 0
    return min(max(1, round(Fraction(str(fraction)) * samples)), samples - 1)


def _fresh(delivery: Delivery, after: Place) -> int:
    if delivery.number < after[0]:
        return 0
    return delivery.samples - after[1] if delivery.number == after[0] else delivery.samples


def _place(deliveries: Iterable[Delivery], after: Place, count: int) -> Place:
    """The place behind so many fresh samples."""
    place = after
    for delivery in deliveries:
        fresh = _fresh(delivery, after)
        if count <= 0 or fresh <= 0:
            continue
        skipped = delivery.samples - fresh
        place = (delivery.number, skipped + min(count, fresh))
        count -= fresh
    return place


def is_train(rule: Rule, batch: int, line: int, text: bytes, moment: str | None = None) -> bool:
    """Whether the run learns from this sample. `line` counts from 0; `text` are its bytes without the line's end;
    `moment` is the canonical UTC text in the field `rule.time`."""
    if (batch, line) < rule.after:
        return False
    if rule.until is not None:
        return (batch, line) < rule.until
    return not is_held(rule, batch, line, text, moment)


def is_held(rule: Rule, batch: int, line: int, text: bytes, moment: str | None = None) -> bool:
    """Whether the gate judges with this sample."""
    if rule.holdout == HASH:
        first = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
        return first < rule.fraction * 2**64
    if rule.time:
        return rule.since is not None and moment is not None and moment >= rule.since
    return rule.until is not None and (batch, line) >= max(rule.until, rule.after)


def document(deliveries: Sequence[Delivery], rule: Rule) -> dict[str, Any]:
    """The JSON whose digest names a snapshot."""
    return {"batches": [[one.number, one.digest, one.samples] for one in deliveries], "rule": rule_document(rule)}


def rule_document(rule: Rule) -> dict[str, Any]:
    """A rule as JSON."""
    return {**asdict(rule), "after": list(rule.after), "until": list(rule.until) if rule.until else None}


def rule_from(document: dict[str, Any]) -> Rule:
    """The rule that became this JSON."""
    until = document.get("until")
    places = {"after": tuple(document["after"]), "until": tuple(until) if until else None}
    return Rule(**{**document, **places})


def digest(deliveries: Sequence[Delivery], rule: Rule) -> str:
    """ "sha256:" and hex of the canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(document(deliveries, rule), sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
