"""The pages of an application that learns say what is so, offer what is legal, and ask the database little."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import makers
import pages_learning
import pages_rows
from ovd_saas.files import store as files
from ovd_saas.panel import lineages
from ovd_saas.store.queries import models
from ovd_saas.store.records import Application, LearningEvent, LearningRun, ModelVersion, Promotion
from pages_parsed import Page

ClientOf = Callable[..., Client]
TABS = ("overview", "data", "learning", "models", "executions", "timeline", "processes")


@pytest.fixture
def apps(db: None) -> dict[str, Application]:
    return pages_learning.platform()


def place(app: Application, tab: str = "overview") -> str:
    return f"/applications/acme/{app.name}/?tab={tab}"


def text(client: Client, address: str, part: str = "") -> str:
    answer = client.get(address, headers={"X-Fragment": part} if part else {})
    assert answer.status_code == 200, address
    page = Page(answer.content.decode())
    assert page.inline == [], address
    return page.text


def run(app: Application, number: int) -> LearningRun:
    return LearningRun.objects.get(application=app, number=number)


def test_every_page_in_every_state_is_there_and_has_nothing_inline(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    owner = client_of("owner")
    for app in apps.values():
        for tab in TABS:
            text(owner, place(app, tab))
        for one in app.learning_runs.all():
            text(owner, f"/learning-runs/{one.pk}/")
        for batch in app.batches.all():
            text(owner, f"/applications/acme/{app.name}/batches/{batch.number}/")
        text(owner, f"/a/acme/{app.name}/")
        for execution in app.executions.all():
            text(owner, f"/executions/{execution.pk}/")
            text(owner, f"/a/acme/{app.name}/executions/{execution.pk}/")


def test_what_only_executes_has_no_tabs_of_learning_and_says_so_where_one_is_asked_for(client_of: ClientOf) -> None:
    echo = pages_rows.application("echo", pages_rows.ECHO, "Echo")
    owner = client_of("owner")
    links = Page(owner.get(place(echo)).content.decode()).links
    assert "?tab=executions" in links
    assert "?tab=models" not in links
    for tab in ("data", "learning", "models"):
        assert "It does not learn" in text(owner, place(echo, tab))


def test_data_says_how_much_is_missing_until_it_learns(db: None, client_of: ClientOf) -> None:
    app = pages_learning.fresh()
    owner = client_of("owner")
    assert "No data has come yet" in text(owner, place(app, "data"))
    pages_learning.batch(app, 1, pages_learning.flows(0, 88))
    said = text(owner, place(app, "data"), "data")
    assert "88 of 100 samples until it learns" in said
    pages_learning.batch(app, 2, pages_learning.flows(88, 12))
    assert "100 not learned yet, enough to learn" in text(owner, place(app, "data"), "data")


def test_the_bars_of_received_samples_hold_all_of_them(apps: dict[str, Application], client_of: ClientOf) -> None:
    owner, app = client_of("owner"), apps["learning"]
    total = sum(batch.samples for batch in app.batches.all())
    for span in ("all", "hour", "day", "week", "month"):
        figure = owner.get(f"{place(app, 'data')}&span={span}").context["received"]["figure"]
        assert len(figure["moments"]) <= 62
        drawn = sum(sum(part["values"]) for part in figure["parts"])
        assert drawn == total if span == "all" else drawn <= total


def test_a_batch_shows_its_first_samples_and_is_taken_down_with_a_word_on_who_learned_from_it(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    app = apps["awaiting"]
    address = f"/applications/acme/{app.name}/batches/1/"
    assert client_of("member").post(f"{address}take-down/").status_code == 403
    operator = client_of("operator")
    answer = operator.get(address)
    assert answer.context["samples"].rest == 40
    assert [one["name"] for one in answer.context["samples"].columns] == ["picture", "label"]
    [picture] = {cells[0]["url"] for _number, cells in answer.context["samples"].rows}
    assert operator.get(picture)["Content-Type"] == "image/png"
    assert operator.get(picture.replace("batches/1", "batches/2")).status_code == 200
    assert client_of(None).get(picture).status_code == 404
    done = operator.post(f"{address}take-down/", headers={"Accept": "application/json"})
    assert "1, 2" in done.json()["message"]
    assert "Taken down" in text(operator, address)
    assert operator.get(picture).status_code == 404


def test_a_file_that_no_sample_names_is_not_found(apps: dict[str, Application], client_of: ClientOf) -> None:
    foreign = files.put(b"secret")
    address = f"/applications/acme/{apps['awaiting'].name}/batches/1/files/{foreign}"
    assert client_of("owner").get(address).status_code == 404


def test_learn_now_is_offered_when_it_is_legal_and_refused_with_the_reason(db: None, client_of: ClientOf) -> None:
    app = pages_learning.fresh()
    operator = client_of("operator")
    address = f"/applications/acme/{app.name}/learning-runs/"
    assert "There is nothing to learn from yet" in text(operator, place(app, "learning"), "learning")
    pages_learning.batch(app, 1, pages_learning.flows(0, 3))
    assert "Learn now" in text(operator, place(app, "learning"), "learning")
    assert "Learn now" not in text(client_of("member"), place(app, "learning"), "learning")
    assert client_of("member").post(address).status_code == 403
    done = operator.post(address, headers={"Accept": "application/json"})
    assert "run 1 is queued" in done.json()["message"]
    refused = operator.post(address, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_learning")
    assert "another can begin when it has ended" in text(operator, place(app, "learning"), "learning")


def test_a_run_is_cancelled_by_an_operator_only(apps: dict[str, Application], client_of: ClientOf) -> None:
    one = run(apps["learning"], 5)
    assert client_of("member").post(f"/learning-runs/{one.pk}/cancel/").status_code == 403
    assert client_of(None).get(f"/learning-runs/{one.pk}/").status_code == 404
    operator = client_of("operator")
    assert operator.post(f"/learning-runs/{one.pk}/cancel/").status_code == 302
    one.refresh_from_db()
    assert one.status == "cancelled"
    assert operator.post(f"/learning-runs/{one.pk}/cancel/").status_code == 409


def test_evaluations_are_filtered_by_trigger_and_answer(apps: dict[str, Application], client_of: ClientOf) -> None:
    owner, app = client_of("owner"), apps["learning"]

    def decisions(query: str) -> list[tuple[str, str]]:
        page = owner.get(f"{place(app, 'learning')}&{query}").context["evaluations"]
        return [(one.kind, one.decision) for one in page.items]

    assert decisions("kind=schedule") == [("schedule", "waits")]
    assert decisions("decision=skipped") == [("drift", "skipped"), ("data", "skipped")]
    assert decisions("kind=drift&decision=due") == []


def test_the_gate_is_told_in_its_own_sentence_and_drawn_with_its_interval(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    answer = client_of("owner").get(f"/learning-runs/{run(apps['learning'], 4).pk}/")
    assert pages_learning.DECLINED in Page(answer.content.decode()).text
    figure = answer.context["verdict"]
    assert (figure["interval"], figure["minimum"], figure["passed"]) == ([-0.081, 0.022], 0.01, False)


def test_a_run_that_failed_was_never_judged(apps: dict[str, Application], client_of: ClientOf) -> None:
    steps = client_of("owner").get(f"/learning-runs/{run(apps['drifting'], 3).pk}/").context["steps"]
    assert [(one["word"], one["is_done"]) for one in steps] == [
        ("queued", True),
        ("learning", True),
        ("judged", False),
        ("failed", False),
    ]


def test_a_run_is_found_by_its_number(apps: dict[str, Application], client_of: ClientOf) -> None:
    app = apps["learning"]
    answer = client_of("owner").get(f"/applications/acme/{app.name}/learning-runs/3/")
    assert answer["Location"] == f"/learning-runs/{run(app, 3).pk}/"
    assert client_of("owner").get(f"/applications/acme/{app.name}/learning-runs/99/").status_code == 404


def test_only_what_is_legal_is_offered_for_each_version(apps: dict[str, Application], client_of: ClientOf) -> None:
    operator = client_of("operator")

    def offers(app: Application) -> dict[int, list[str]]:
        return {one.number: offered for one, offered, _ in operator.get(place(app, "models")).context["versions"]}

    assert offers(apps["learning"]) == {4: [], 3: [], 2: ["rollback"], 1: ["rollback"]}
    assert offers(apps["awaiting"]) == {2: ["promote", "reject"], 1: []}
    member = client_of("member").get(place(apps["awaiting"], "models"))
    assert "Approve" not in Page(member.content.decode()).text


def test_approving_makes_a_version_live_and_rolling_back_is_undone_by_one_click(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    app = apps["awaiting"]
    base = f"/applications/acme/{app.name}/models/"
    assert client_of("member").post(f"{base}2/promote/").status_code == 403
    operator = client_of("operator")

    def post(where: str, **data: str) -> dict[str, dict[str, str]]:
        answer = operator.post(base + where, data, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.content
        said: dict[str, dict[str, str]] = answer.json()
        return said

    def live() -> int | None:
        found = models.live(app)
        return found.number if found else None

    post("2/promote/", reason="It reads sevens.")
    assert live() == 2
    assert Promotion.objects.filter(application=app).latest("at").reason == "It reads sevens."
    undo = post("rollback/")["undo"]
    assert live() == 1
    operator.post(undo["url"], {"action": undo["action"]})
    assert live() == 2
    assert operator.post(f"{base}2/promote/").status_code == 409
    assert "live already" in Page(operator.post(f"{base}2/promote/").content.decode()).text


def test_rejecting_keeps_the_live_version(apps: dict[str, Application], client_of: ClientOf) -> None:
    app = apps["awaiting"]
    client_of("operator").post(f"/applications/acme/{app.name}/models/2/reject/", {"reason": "Too large."})
    assert ModelVersion.objects.get(application=app, number=2).state == "rejected"
    assert models.live(app) == ModelVersion.objects.get(application=app, number=1)
    assert run(app, 2).status == "rejected"


def test_the_ledger_strip_has_no_gap_and_ends_with_what_is_live(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    spans = client_of("owner").get(place(apps["learning"], "models")).context["strip"]["spans"]
    assert [span["number"] for span in spans] == [1, 2, 3, 2, 3]
    assert [span["live"] for span in spans] == [False] * 4 + [True]
    assert all(one["until"] == after["from"] for one, after in pairwise(spans))


def test_a_version_that_is_watched_says_until_when(apps: dict[str, Application], client_of: ClientOf) -> None:
    owner, app = client_of("owner"), apps["learning"]
    assert "version 2 comes back by itself" in text(owner, place(app, "models"), "models")
    Promotion.objects.filter(application=app).update(bakes_until=timezone.now() - timedelta(seconds=1))
    assert "comes back by itself" not in text(owner, place(app, "models"), "models")


def test_drift_over_its_limit_is_said_first(apps: dict[str, Application], client_of: ClientOf) -> None:
    owner = client_of("owner")
    drift = owner.get(place(apps["drifting"], "data")).context["drift"]
    assert (drift["bars"][0]["field"], drift["bars"][0]["is_over"]) == ("flow", True)
    assert [bar["share"] for bar in drift["bars"]] == sorted((bar["share"] for bar in drift["bars"]), reverse=True)
    assert "drifting" in text(owner, place(apps["drifting"], "data"), "data")
    assert "alike" in text(owner, place(apps["learning"], "data"), "data")


def test_the_timeline_and_an_execution_name_the_version(apps: dict[str, Application], client_of: ClientOf) -> None:
    owner, app = client_of("owner"), apps["learning"]
    said = text(owner, place(app, "timeline"))
    assert "Version 3 live after version 2" in said
    assert "learning run 5" in said
    [execution] = app.executions.all()
    page = text(owner, f"/executions/{execution.pk}/")
    assert "Version 3" in page
    assert "ana said: 13.4" in page
    assert "Batch 13" in page


def test_pages_need_the_same_queries_however_much_there_is(apps: dict[str, Application], client_of: ClientOf) -> None:
    app, owner = apps["learning"], client_of("owner")
    one = run(app, 5)
    places = [place(app, tab) for tab in ("overview", "data", "learning", "models")] + [f"/learning-runs/{one.pk}/"]

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert owner.get(address).status_code == 200
        return len(seen)

    few = {address: queries(address) for address in places}
    assert max(few.values()) <= 24, few
    for number in range(6, 46):
        later = makers.learning_run(app, number, "rejected", snapshot=one.snapshot)
        makers.model_version(app, number, "rejected", run=later, parent=one.parent)
        pages_learning.batch(app, number + 9, pages_learning.flows(number, 2), step=later)
        LearningEvent.objects.create(
            run=one, kind="metric", body={"name": "loss", "value": 1, "step": number}, at=timezone.now()
        )
    pages_learning.looked(app, one)
    assert {address: queries(address) for address in places} == few


def post(client: Client, address: str, **data: str) -> Any:
    return client.post(address, data, headers={"Accept": "application/json"})


def test_each_way_of_learning_says_its_rule_and_what_was_looked_at_last(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    ways = {one.kind: one for one in client_of("owner").get(place(apps["learning"], "learning")).context["ways"]}
    assert set(ways) == {"data", "schedule", "drift", "notice", "manual"}
    assert ways["data"].rule == ("When 100 new samples have arrived and none came for 1 min, at the latest after 1 h.")
    assert ways["schedule"].last is not None and ways["notice"].last is None


def test_triggers_are_paused_with_a_reason_by_operators_and_the_slower_one_is_told(
    db: None, client_of: ClientOf
) -> None:
    app = pages_learning.fresh()
    address = f"/applications/acme/{app.name}/triggers/"
    assert post(client_of("member"), f"{address}pause/").status_code == 403
    assert post(client_of(None), f"{address}pause/").status_code == 404
    operator, owner = client_of("operator"), client_of("owner")
    undo = post(operator, f"{address}pause/", reason="Meter changed").json()["undo"]
    refused = post(owner, f"{address}pause/")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_paused")
    said = text(client_of("member"), place(app, "learning"), "learning")
    assert "operator paused what makes it learn" in said and "“Meter changed”" in said
    assert "Let it learn by itself again" not in said
    assert "Learns only when asked" in text(owner, place(app), "overview")
    assert "Learns only when a person asks" in text(owner, place(app), "head")
    assert post(owner, undo["url"], action=undo["action"]).status_code == 200
    assert post(owner, undo["url"]).json()["code"] == "not_paused"
    assert "learns by itself" in text(owner, place(app, "timeline"), "timeline")


def test_learn_now_says_from_what_and_how_long_it_takes(apps: dict[str, Application], client_of: ClientOf) -> None:
    app = apps["awaiting"]
    said = text(client_of("operator"), place(app, "learning"), "learning")
    assert "It learns from all data, 121 samples; 1 of them are new." in said
    assert "It begins with version 1, which goes on answering meanwhile." in said


def test_runs_are_filtered_by_state_and_trigger(apps: dict[str, Application], client_of: ClientOf) -> None:
    def numbers(query: str) -> list[int]:
        page = client_of("owner").get(f"{place(apps['learning'], 'learning')}&{query}").context["runs"]
        return [one.number for one in page.items]

    assert numbers("status=rejected") == [4]
    assert numbers("trigger=schedule") == [2]
    assert numbers("status=failed") == []
    assert "No run of this kind" in text(client_of("owner"), f"{place(apps['learning'], 'learning')}&status=failed")


def test_a_run_tells_in_sentences_what_it_does_and_what_is_next(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    owner = client_of("owner")

    def story(app: str, number: int) -> str:
        told = owner.get(f"/learning-runs/{run(apps[app], number).pk}/").context["told"]
        return f"{told.doing} {told.next}"

    assert story("learning", 5) == (
        "It learns from 1,352 samples, beginning with version 3. Then the gate judges what it learned. "
        "The last 4 runs usually took 13.8 s from their beginning to their verdict."
    )
    assert story("learning", 4) == "It made version 4, which did not go live. Version 3 answers now."
    assert "Version 3 answers now; version 2 can be brought back." in story("learning", 2)
    assert "An operator or owner approves or rejects it" in story("awaiting", 2)
    assert "It failed, and gave no version. Version 1 was not touched" in story("drifting", 3)


def test_both_versions_are_compared_by_metric_and_sample_by_sample(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    context = client_of("owner").get(f"/learning-runs/{run(apps['learning'], 4).pk}/").context
    assert [(one.name, one.is_gate) for one in context["both"]] == [("mae", True), ("rmse", False)]
    pairs = context["pairs"]
    assert pairs["better"] + pairs["worse"] + pairs["equal"] == pairs["total"] == 48
    assert all(point == [theirs, ours] for point, (ours, theirs) in zip(
        pairs["figure"]["points"], run(apps["learning"], 4).gate["compared"]["scores"], strict=True
    ))  # fmt: skip
    older = run(apps["learning"], 3)
    older.gate.pop("compared")
    older.save()
    context = client_of("owner").get(f"/learning-runs/{older.pk}/").context
    assert [one.name for one in context["both"]] == ["mae"]
    assert context["pairs"] is None


def test_what_was_live_because_of_a_run_and_which_batches_it_took_are_told(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    answer = client_of("owner").get(f"/learning-runs/{run(apps['learning'], 3).pk}/")
    assert [one.until is None for one in answer.context["stretches"]] == [False, True]
    assert answer.context["data"]["stretches"] == [(1, 9)]
    links = Page(answer.content.decode()).links
    assert "/timeline/?application=acme/water-flow&cause=learning-run:3" in links


def test_a_scale_is_offered_where_a_curve_falls_far(apps: dict[str, Application], client_of: ClientOf) -> None:
    one, owner = run(apps["learning"], 5), client_of("owner")
    address = f"/learning-runs/{one.pk}/"
    assert owner.get(address).context["may_log"] is False
    pages_learning.told(one, "metric", name="loss", value=0.001, step=99)
    assert owner.get(address).context["may_log"] is True
    curves = owner.get(f"{address}?scale=log").context["curves"]
    assert [one["figure"].get("log") for one in curves] == [True, True]
    pages_learning.told(one, "metric", name="loss", value=-1, step=100)
    curves = owner.get(f"{address}?scale=log").context["curves"]
    assert [one["figure"].get("log") for one in curves if one["name"] == "loss"] == [None]


def test_after_a_run_that_came_to_nothing_one_learns_again_with_one_click(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    failed, operator = run(apps["drifting"], 3), client_of("operator")
    address = f"/learning-runs/{failed.pk}/"
    assert "Learn again" in text(operator, address)
    assert "Learn again" not in text(client_of("member"), address)
    assert post(client_of("member"), f"{address}again/").status_code == 403
    location = post(operator, f"{address}again/").json()["location"]
    assert location == f"/learning-runs/{run(apps['drifting'], 4).pk}/"
    assert post(operator, f"{address}again/").json()["code"] == "already_learning"


def test_what_was_live_at_a_moment_is_answered(apps: dict[str, Application], client_of: ClientOf) -> None:
    owner = client_of("owner")

    def asked(at: str) -> str:
        return text(owner, f"{place(apps['learning'], 'models')}&at={at}", "models")

    def moment(**back: float) -> str:
        return f"{timezone.now() - timedelta(**back):%Y-%m-%dT%H:%M}"

    assert "Version 3 was live." in asked(moment(days=13, hours=12))
    assert "Version 2 was live." in asked(moment(days=12))
    assert "No version was live then" in asked(moment(days=300))
    assert "still to come" in asked(moment(days=-2))
    assert "That is no moment." in asked("yesterday")


def test_the_lineage_leads_from_each_version_to_the_one_it_began_with(
    apps: dict[str, Application], client_of: ClientOf
) -> None:
    rows = client_of("owner").get(place(apps["learning"], "models")).context["lineage"]
    assert [row.model.number for row in rows] == [4, 3, 2, 1]
    assert rows[0].lines[-1].y2 == 100 and not rows[0].lines[-1].is_live
    assert rows[-1].lines[-1].y2 == 50, "the first one leads nowhere"
    assert (rows[0].data.first, rows[0].data.last) == (10, 12)
    assert [row.was_brought_back for row in rows] == [False, False, True, False]


def test_versions_that_began_with_the_same_one_share_its_rail(db: None) -> None:
    app = pages_learning.fresh()
    root = makers.model_version(app, 1, "active")
    for number in (2, 3, 4):
        makers.model_version(app, number, "rejected", parent=root)
    last = makers.model_version(app, 5, "candidate", parent=root)
    makers.model_version(app, 6, "candidate", parent=last)
    rows = lineages.rows(list(models.all_of(app)), {}, {})
    assert [row.x for row in rows] == [9, 9, 27, 27, 27, 9]
    assert len({row.width for row in rows}) == 1 and rows[0].width == 36
