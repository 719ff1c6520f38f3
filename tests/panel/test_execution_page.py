"""The page of an execution: values by kind, files, provenance."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

import pages_rows
from ovd_saas.assets import plots
from ovd_saas.assets.kinds import Shown
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def rows(db: None) -> dict[str, Any]:
    return pages_rows.platform()


def content(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer])

    return async_to_sync(read)()


def test_outputs_are_shown_by_kind(rows: dict[str, Any], client_of: ClientOf) -> None:
    page = Page(client_of("member").get(f"/executions/{rows['drawn'].pk}/").content.decode())
    assert "1,318" in page.text
    assert "87.25 px" in page.text
    assert "segments.json" in page.text
    assert "30 rows" in page.text


def test_a_picture_opens_in_the_page_and_other_files_are_saved(rows: dict[str, Any], client_of: ClientOf) -> None:
    drawn, member = rows["drawn"], client_of("member")
    picture = member.get(f"/executions/{drawn.pk}/files/{drawn.outputs['drawn']['digest']}")
    assert (picture["Content-Type"], picture["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert content(picture) == pages_rows.png(320, 200)
    data = member.get(f"/executions/{drawn.pk}/files/{drawn.outputs['data']['digest']}")
    assert data["Content-Disposition"].startswith("attachment")
    assert data["Content-Type"] == "application/octet-stream"


def test_a_file_of_another_execution_is_not_there(rows: dict[str, Any], client_of: ClientOf) -> None:
    digest = rows["drawn"].outputs["drawn"]["digest"]
    assert client_of("member").get(f"/executions/{rows['done'].pk}/files/{digest}").status_code == 404


def test_a_series_and_a_table_are_saved_as_csv(rows: dict[str, Any], client_of: ClientOf) -> None:
    member, done = client_of("member"), rows["done"]
    series = member.get(f"/executions/{done.pk}/outputs/forecast.csv").content.decode().splitlines()
    assert (series[0], len(series)) == ("time,forecast", 49)
    table = member.get(f"/executions/{done.pk}/outputs/anomalies.csv").content.decode().splitlines()
    assert table[0] == "start,end,hours,kind,flow,expected,score"
    assert member.get(f"/executions/{done.pk}/outputs/note.csv").status_code == 404


def test_an_error_is_worded_and_its_traceback_is_folded(rows: dict[str, Any], client_of: ClientOf) -> None:
    page = Page(client_of("member").get(f"/executions/{rows['failed'].pk}/").content.decode())
    assert "It failed" in page.text
    assert "division by zero" in page.text
    assert "Where it went wrong, for the author" in page.text


def test_taken_down_leaves_only_where_it_came_from(rows: dict[str, Any], client_of: ClientOf) -> None:
    done = rows["done"]
    assert client_of("member").post(f"/executions/{done.pk}/take-down/").status_code == 403
    assert client_of("operator").post(f"/executions/{done.pk}/take-down/").status_code == 302
    page = Page(client_of("operator").get(f"/executions/{done.pk}/").content.decode())
    assert "Taken down" in page.text
    assert "1234567" in page.text
    assert "Hours to forecast" not in page.text


def test_an_execution_that_has_finished_cannot_be_cancelled(rows: dict[str, Any], client_of: ClientOf) -> None:
    answer = client_of("operator").post(f"/executions/{rows['done'].pk}/cancel/")
    assert answer.status_code == 409
    assert "succeeded already" in answer.content.decode()


def shown(name: str, kind: str, value: Any) -> Shown:
    return Shown(name, kind, name.capitalize(), "", "l/s", value, "")


def series(first: int, count: int) -> dict[str, Any]:
    return {"times": [f"2022-05-{day:02d}T00:00:00Z" for day in range(first, first + count)], "values": [1.0] * count}


def test_interval_and_anomalies_are_recognised_by_name() -> None:
    flags = {**series(1, 3), "values": [None, 5.0, None]}
    spans = {"columns": ["start", "end"], "rows": [["2022-05-02T00:00:00Z", "2022-05-03T00:00:00Z"]]}
    outputs = [
        shown("forecast", "series", series(4, 2)),
        shown("lower", "series", series(4, 2)),
        shown("upper", "series", series(4, 2)),
        shown("flagged", "series", flags),
        shown("anomalies", "table", spans),
    ]
    plot = plots.together(outputs, [shown("history", "series", series(1, 3))])
    assert plot is not None
    assert [line["name"] for line in plot.picture["lines"]] == ["History", "Forecast"]
    assert plot.picture["marks"]["points"] == [["2022-05-02T00:00:00Z", 5.0]]
    assert plot.picture["spans"] == spans["rows"]
    assert plot.names == {"forecast", "lower", "upper", "flagged"}


def test_without_times_a_forecast_follows_its_history() -> None:
    bare = {"times": [], "values": [1.0, 2.0, 3.0]}
    plot = plots.together([shown("forecast", "series", bare)], [shown("history", "series", bare)])
    assert plot is not None
    assert [point[0] for point in plot.picture["lines"][1]["points"]] == [4, 5, 6]


def test_a_long_line_is_thinned_and_keeps_its_spikes() -> None:
    line = [[index, 0.0] for index in range(100_000)]
    line[54_321][1] = 99.0
    thinned = plots.thin(line)
    assert len(thinned) <= plots.MOST
    assert [54_321, 99.0] in thinned
