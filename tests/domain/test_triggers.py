"""Triggers under a frozen clock: what is due, what waits for what, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ovd_saas.domain import triggers
from ovd_saas.domain.facts import Next
from ovd_saas.domain.triggers import DUE, SKIPPED, WAITS, Drifting, Facts, News, Notice, Rule, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rule(**learn: Any) -> Rule:
    drift = learn.pop("drift", {})
    found = triggers.rule_of({"learn": learn, "drift": drift})
    assert found is not None
    return found


def facts(**given: Any) -> Facts:
    return Facts(**{"status": "enabled", **given})


def news(samples: int, *, first: int = 3, last: int = 17, since: float = 10, latest: float = 0) -> News:
    """`since` and `latest`: seconds before noon."""
    return News(first, last, samples, NOON - timedelta(seconds=since), NOON - timedelta(seconds=latest))


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def look(rule: Rule, facts: Facts, now: datetime = NOON) -> dict[str, Verdict]:
    return {verdict.kind: verdict for verdict in triggers.look(rule, facts, now=now)}


def test_an_application_that_does_not_learn_has_no_rule() -> None:
    assert triggers.rule_of({"execute": {}}) is None


def test_an_empty_table_learn_makes_each_batch_due() -> None:
    assert look(rule(), facts(news=news(1)))["data"].decision == DUE


def test_nothing_new_says_nothing() -> None:
    assert triggers.look(rule(), facts(), now=NOON) == ()


# data


def test_too_few_samples_are_skipped_with_both_numbers() -> None:
    found = look(rule(min_samples=100), facts(news=news(12)))["data"]
    assert found == Verdict("data", SKIPPED, "Skipped: only 12 of 100 samples.", "batches 3-17")


def test_enough_samples_are_due_and_name_their_batches() -> None:
    found = look(rule(min_samples=100), facts(news=news(100)))["data"]
    assert (found.decision, found.cause) == (DUE, "batches 3-17")
    assert look(rule(), facts(news=news(1, first=3, last=3)))["data"].cause == "batch 3"


def test_quiet_is_waited_for_and_named() -> None:
    found = look(rule(quiet=60), facts(news=news(5, latest=20)))["data"]
    assert found.again_at == NOON + timedelta(seconds=40)
    assert found.decision == WAITS
    assert found.reason == "Waits until 12:00:40 UTC: new data may still arrive (quiet of 60 s)."
    assert look(rule(quiet=60), facts(news=news(5, latest=60)))["data"].decision == DUE


def test_a_steady_stream_is_cut_off_by_max_wait() -> None:
    streaming = rule(quiet=60, max_wait=300)
    waits = look(streaming, facts(news=news(5, since=250, latest=1)))["data"]
    assert (waits.decision, waits.again_at) == (WAITS, NOON + timedelta(seconds=50))
    assert look(streaming, facts(news=news(5, since=300, latest=1)))["data"].decision == DUE


def test_max_wait_does_not_make_up_for_missing_samples() -> None:
    assert look(rule(min_samples=9, quiet=60, max_wait=300), facts(news=news(8, since=900)))["data"].decision == SKIPPED


def test_without_quiet_a_batch_of_a_clock_that_is_ahead_is_due_all_the_same() -> None:
    assert look(rule(), facts(news=news(1, latest=-5)))["data"].decision == DUE


def test_runs_begin_at_most_every_so_often() -> None:
    seldom = rule(at_most_every=3600)
    waits = look(seldom, facts(news=news(5), last_run=4, last_run_at=ago(600)))["data"]
    assert (waits.decision, waits.again_at) == (WAITS, ago(-3000))
    assert waits.reason == "Waits until 12:50:00 UTC: learning begins at most every 3600 s."
    assert look(seldom, facts(news=news(5), last_run=4, last_run_at=ago(3600)))["data"].decision == DUE


@pytest.mark.parametrize(("quiet", "every", "expected"), [(50, 10, 50), (10, 50, 50)])
def test_of_two_waits_the_longer_one_is_said(quiet: float, every: float, expected: float) -> None:
    both = rule(quiet=quiet, at_most_every=every)
    found = look(both, facts(news=news(5), last_run=1, last_run_at=NOON))["data"]
    assert found.again_at == ago(-expected)
    assert ("quiet" in found.reason) == (quiet > every)


def test_no_minimum_means_that_data_alone_makes_nothing_due() -> None:
    found = look(rule(min_samples=0), facts(news=news(500)))["data"]
    assert found.decision == SKIPPED and "min_samples is 0" in found.reason


# while a run is open, and while the application is not enabled


def test_while_a_run_is_open_everything_waits_for_its_end() -> None:
    found = look(
        rule(schedule="0 * * * *", drift={"learn": True}),
        facts(
            news=news(5), notice=Notice(NOON, "user:ana", ""), scheduled_until=ago(7200), open_run=5, last_run=5,
            last_run_at=ago(60), drifting=Drifting(NOON, 17, "The flow drifted."),
        ),
    )  # fmt: skip
    assert set(found) == {"notice", "schedule", "data", "drift"}
    for verdict in found.values():
        assert verdict.decision == WAITS and verdict.again_at is None
        assert verdict.reason == "Waits: looked at again when learning run 5 ends."


@pytest.mark.parametrize("status", ["draft", "suspended", "retired"])
def test_what_is_due_waits_until_the_application_is_enabled(status: str) -> None:
    found = look(rule(), facts(status=status, news=news(5)))["data"]
    assert found.decision == WAITS and status in found.reason and found.again_at is None


# notices


def test_a_notice_is_due_by_itself() -> None:
    found = look(rule(min_samples=100), facts(notice=Notice(NOON, "user:ana", "night import")))["notice"]
    assert found == Verdict("notice", DUE, "Due: ana said that new data arrived.", "notice of user:ana: night import")


def test_a_notice_obeys_at_most_every() -> None:
    found = look(rule(at_most_every=60), facts(notice=Notice(NOON, "user:ana", ""), last_run=1, last_run_at=ago(1)))
    assert found["notice"].decision == WAITS and found["notice"].again_at == ago(-59)


def test_a_notice_waits_for_the_sources_to_be_pulled_but_not_for_ever() -> None:
    told = facts(notice=Notice(NOON, "user:ana", "", pulling_since=NOON))
    waits = look(rule(), told)["notice"]
    assert waits.decision == WAITS and waits.again_at == ago(-triggers.PULL_SECONDS)
    assert look(rule(), told, now=ago(-triggers.PULL_SECONDS))["notice"].decision == DUE


# drift

DRIFTING = Drifting(NOON, 17, "The flow drifted: psi 0.4 is over 0.25.")


def test_drift_is_due_where_the_manifest_says_so() -> None:
    found = look(rule(drift={"learn": True}), facts(drifting=DRIFTING))["drift"]
    assert found == Verdict("drift", DUE, f"Due: {DRIFTING.reason}", "drift at batch 17")
    assert look(rule(), facts(drifting=DRIFTING))["drift"].decision == SKIPPED


def test_drift_has_a_cooldown_of_its_own() -> None:
    cooled = rule(drift={"learn": True, "cooldown": 100})
    waits = look(cooled, facts(drifting=DRIFTING, drift_due_at=ago(40)))["drift"]
    assert (waits.decision, waits.again_at) == (WAITS, ago(-60))
    assert look(cooled, facts(drifting=DRIFTING, drift_due_at=ago(100)))["drift"].decision == DUE
    other = facts(drifting=DRIFTING, last_run=3, last_run_at=ago(1), drift_due_at=ago(100))
    assert look(cooled, other)["drift"].decision == DUE, "a run that something else made due does not cool drift"


def test_a_measure_from_before_the_last_run_has_been_answered_by_it() -> None:
    found = look(
        rule(drift={"learn": True, "cooldown": 0}), facts(drifting=DRIFTING, last_run=3, last_run_at=ago(-1)), ago(-2)
    )["drift"]
    assert found.decision == SKIPPED and "learning run 3" in found.reason


# the schedule


def test_a_new_application_does_not_miss_the_past() -> None:
    found = look(rule(schedule="0 3 * * *"), facts())["schedule"]
    assert (found.decision, found.again_at) == (WAITS, datetime(2026, 3, 2, 3, tzinfo=UTC))
    assert found.cause == "cron 2026-03-02T03:00+00:00"


def test_a_time_that_passed_is_due_once() -> None:
    nightly = rule(schedule="0 3 * * *")
    due = look(nightly, facts(scheduled_until=ago(86_400)))["schedule"]
    assert (due.decision, due.cause) == (DUE, "cron 2026-03-01T03:00+00:00")
    assert look(nightly, facts(scheduled_until=NOON))["schedule"].decision == WAITS


def test_what_was_missed_while_down_makes_one_run_that_says_so() -> None:
    due = look(rule(schedule="*/10 * * * *"), facts(scheduled_until=ago(3 * 86_400)))["schedule"]
    assert (due.decision, due.cause) == (DUE, "cron 2026-03-01T12:00+00:00")
    assert "makes up for 2026-02-26 12:10:00 UTC" in due.reason


@pytest.mark.parametrize(
    ("data", "why"),
    [("new", "nothing has arrived that no run has taken"), ("all", "there are no samples to learn from")],
)
def test_a_moment_with_nothing_to_learn_from_is_skipped_and_not_made_up_for(data: str, why: str) -> None:
    hourly = rule(schedule="0 * * * *", min_samples=9, data=data)
    seen = facts(scheduled_until=ago(60), can_learn=False)
    found = look(hourly, seen)["schedule"]
    assert found.decision == SKIPPED and found.is_used_up and why in found.reason
    assert found.again_at == ago(-3600)
    outlook = triggers.next_of(hourly, seen, [found])
    assert outlook is not None and outlook.at == ago(-3600)


@pytest.mark.parametrize("schedule", ["61 * * * *", "* * * *", "0 0 30 2 *"])
def test_a_schedule_that_is_none_is_said_and_hurts_nothing(schedule: str) -> None:
    found = look(rule(schedule=schedule), facts(news=news(1), scheduled_until=ago(60)))
    assert found["schedule"].decision == SKIPPED and schedule in found["schedule"].reason
    assert found["data"].decision == DUE


def test_an_unknown_time_zone_is_said_and_hurts_nothing() -> None:
    found = look(rule(schedule="0 3 * * *", time_zone="Mars/Base", quiet=5), facts(news=news(1)))
    assert "Mars/Base" in found["schedule"].reason
    assert found["data"].decision == WAITS


def test_moments_in_sentences_are_those_of_the_time_zone() -> None:
    found = look(rule(quiet=60, time_zone="Europe/Madrid"), facts(news=news(5)))["data"]
    assert "Waits until 13:01:00 CET" in found.reason


# what is said next


def test_next_says_how_many_samples_are_missing() -> None:
    def said(min_samples: int, samples: int | None) -> str:
        seen = facts(news=news(samples) if samples else None)
        found = triggers.next_of(asked := rule(min_samples=min_samples), seen, triggers.look(asked, seen, now=NOON))
        return found.what if found else ""

    assert said(100, 12) == "Learns when 88 more samples have arrived."
    assert said(100, 99) == "Learns when 1 more sample has arrived."
    assert said(100, None) == "Learns when 100 samples have arrived."
    assert said(1, None) == "Learns when new data arrives."
    assert said(0, 5) == ""


def test_next_says_the_moment_when_there_is_one() -> None:
    asked, seen = rule(quiet=60), facts(news=news(5))
    assert triggers.next_of(asked, seen, triggers.look(asked, seen, now=NOON)) == Next(
        "Learns, if nothing else happens.", ago(-60)
    )
    asked, seen = rule(min_samples=9, schedule="0 13 * * *"), facts(news=news(5))
    assert triggers.next_of(asked, seen, triggers.look(asked, seen, now=NOON)) == Next(
        "Learns when 4 more samples have arrived, or at the latest at this moment.", ago(-3600)
    )


def test_next_is_nothing_while_a_run_is_open_or_due() -> None:
    for seen in (facts(open_run=1, last_run=1, last_run_at=NOON), facts(news=news(5))):
        assert triggers.next_of(rule(), seen, triggers.look(rule(), seen, now=NOON)) is None


def test_what_was_waited_for_and_is_gone_is_said_once() -> None:
    seen = facts(unsettled=frozenset({"data"}), last_run=6, last_run_at=ago(5))
    (found,) = triggers.look(rule(), seen, now=NOON)
    assert (found.kind, found.decision, found.cause) == ("data", SKIPPED, "")
    assert "Learning run 6 was the last" in found.reason
    still = replace(seen, news=news(1))
    assert [verdict.decision for verdict in triggers.look(rule(), still, now=NOON)] == [DUE]


# paused by a person

PAUSED = triggers.Paused(ago(3600), "user:ana", "The meter is being changed.")


def test_while_a_person_has_paused_it_nothing_is_due_and_no_moment_is_waited_for() -> None:
    asked = rule(min_samples=10, quiet=60, schedule="0 3 * * *", drift={"learn": True})
    notice = Notice(ago(5), "user:bo", "")
    drifting = Drifting(ago(5), 17, "Field flow has drifted.")
    found = triggers.look(
        asked, facts(paused=PAUSED, news=news(12, latest=30), notice=notice, drifting=drifting), now=NOON
    )
    assert {verdict.kind for verdict in found} == {"notice", "schedule", "data", "drift"}
    for verdict in found:
        assert (verdict.decision, verdict.again_at) == (SKIPPED, None)
        said = "Skipped: paused by ana: The meter is being changed. Looked at again when a person resumes it."
        assert verdict.reason == said


def test_what_is_not_enough_says_so_also_while_it_is_paused() -> None:
    found = look(rule(min_samples=100), facts(paused=PAUSED, news=news(12)))["data"]
    assert found.reason == "Skipped: only 12 of 100 samples."


def test_what_is_next_while_it_is_paused_is_a_person() -> None:
    paused = facts(paused=PAUSED, news=news(12))
    found = triggers.next_of(rule(), paused, triggers.look(rule(), paused, now=NOON))
    assert found == Next("Learns only when a person asks: ana paused what makes it learn.", None)
