"""The intake over real HTTP: what is good becomes a batch, once; what is bad leaves nothing behind."""

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow
import pytest
from django.conf import settings
from pyarrow import parquet

import makers
from gateway.stage import Stage
from ovd.fields import Field
from ovd_saas.files import store
from ovd_saas.store.records import Application, Batch, LooseFile

FLOW = "/api/v1/applications/acme/flow/intake"
LINES = "application/x-ndjson"
GOOD = b'{"flow": 1.5, "at": "2022-03-01T00:00:00Z"}\n{"flow": 2, "at": "2022-03-01T01:00:00Z", "label": "x"}\n'


def send(stage: Stage, body: Any, kind: str = LINES, path: str = FLOW, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    with stage.client(**{"Content-Type": kind, **named}) as client:
        return client.post(path, content=body)


def errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def nothing_is_left() -> bool:
    files, home = Path(settings.FILES) / "incoming", Path(settings.HOME) / "incoming"
    return not Batch.objects.exists() and not [*files.glob("*"), *home.glob("*")]


@pytest.fixture
def flow(stage: Stage) -> Application:
    return makers.learning_application()


def test_json_lines_become_a_batch_of_the_very_bytes(stage: Stage, flow: Application) -> None:
    answer = send(stage, GOOD)
    assert answer.status_code == 201, answer.text
    said = answer.json()
    digest = "sha256:" + hashlib.sha256(GOOD).hexdigest()
    assert (said["number"], said["samples"], said["size"], said["digest"]) == (1, 2, len(GOOD), digest)
    assert (said["status"], said["kind"], said["media_type"], said["learning_run"]) == (
        "pending",
        "intake",
        LINES,
        None,
    )
    assert answer.headers["location"] == "/api/v1/applications/acme/flow/batches/1"
    assert store.read(digest) == GOOD
    batch = Batch.objects.get()
    assert (batch.received, batch.caller, batch.files) == (digest, f"user:{batch.created_by_id}", [])


def test_a_mark_of_utf8_blank_lines_and_a_missing_line_feed_are_no_faults(stage: Stage, flow: Application) -> None:
    first, second = GOOD.splitlines()
    answer = send(stage, b"\xef\xbb\xbf\n" + first + b"\r\n\r\n  \n\t\n" + second)
    assert answer.status_code == 201, answer.text
    assert store.read(answer.json()["digest"]) == first + b"\r\n" + second + b"\n"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"flow": 1.5, "at": "2022-03-01"}', "application/json"),
        (b' [ {"flow": 1.5, "at": "2022-03-01"} ] ', "application/json; charset=utf-8"),
        (b"flow,at\n1.5,2022-03-01\n", "text/csv"),
        (b"at;flow;label\r\n2022-03-01;1.5;\r\n", "text/csv"),
        (b"\xef\xbb\xbfflow,at\n\n1.5,2022-03-01", "text/csv"),
    ],
)
def test_other_formats_become_the_same_lines(stage: Stage, flow: Application, body: bytes, kind: str) -> None:
    answer = send(stage, body, kind)
    assert answer.status_code == 201, answer.text
    sample = json.loads(store.read(answer.json()["digest"]))
    assert (set(sample), sample["flow"], sample["at"][:10]) == ({"flow", "at"}, 1.5, "2022-03-01")
    assert Batch.objects.get().received == "sha256:" + hashlib.sha256(body).hexdigest()


def of_parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue()


def test_parquet_becomes_lines(stage: Stage, flow: Application) -> None:
    moments = pyarrow.array([1_646_092_800_000_000_001], pyarrow.timestamp("ns", tz="UTC"))
    answer = send(stage, of_parquet(flow=[1.5], at=moments), "application/vnd.apache.parquet")
    assert answer.status_code == 201, answer.text
    assert json.loads(store.read(answer.json()["digest"])) == {"flow": 1.5, "at": "2022-03-01T00:00:00+00:00"}


def test_what_parquet_holds_is_checked_by_row(stage: Stage, flow: Application) -> None:
    body = of_parquet(flow=[1.0, float("nan"), -1.0], at=["2022-03-01"] * 3, more=[1, 2, 3])
    assert set(errors(send(stage, body, "application/vnd.apache.parquet"))) == {"row 1: more"}
    body = of_parquet(flow=[1.0, float("nan"), -1.0], at=["2022-03-01"] * 3)
    found = errors(send(stage, body, "application/vnd.apache.parquet"))
    assert "nan" in found["row 2: flow"] and "the least is 0" in found["row 3: flow"]
    assert nothing_is_left()


@pytest.mark.parametrize("body", [b"", b"PAR1", b"PAR1" + b"\x00" * 5000 + b"PAR1", b"flow,at\n1,2", b"\x1f\x8b\x08"])
def test_what_is_no_parquet_is_refused_in_words(stage: Stage, flow: Application, body: bytes) -> None:
    answer = send(stage, body, "application/vnd.apache.parquet")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "Parquet" in answer.json()["detail"]
    assert nothing_is_left()


HEAD = b'{"flow": 1, "at": "2022-03-01"}\n'
BAD_LINES: list[tuple[bytes, str, str]] = [
    (b'{"flow": "x", "at": "2022-03-01"}', "flow", "must be a number"),
    (b'{"flow": true, "at": "2022-03-01"}', "flow", "must be a number"),
    (b'{"flow": null, "at": "2022-03-01"}', "flow", "null"),
    (b'{"flow": -0.1, "at": "2022-03-01"}', "flow", "the least is 0 l/s"),
    (b'{"flow": NaN, "at": "2022-03-01"}', "", "NaN"),
    (b'{"flow": -Infinity, "at": "2022-03-01"}', "", "Infinity"),
    (b'{"flow": 1e400, "at": "2022-03-01"}', "flow", "infinite"),
    (b'{"flow": 1' + b"0" * 350 + b', "at": "2022-03-01"}', "flow", "beyond"),
    (b'{"flow": 1' + b"0" * 5000 + b', "at": "2022-03-01"}', "", "digits"),
    (b'{"at": "2022-03-01"}', "flow", "missing"),
    (b'{"flow": 1, "at": "yesterday"}', "at", "moment"),
    (b'{"flow": 1, "at": 5}', "at", "moment"),
    (b'{"flow": 1, "at": "2022-02-30"}', "at", "moment"),
    (b'{"flow": 1, "at": "2022-03-01", "flo": 2}', "flo", 'Did you mean "flow"'),
    (b'{"flow": 1, "at": "2022-03-01", "flow": 2}', "", '"flow" twice'),
    (b'{"flow": 1, "at": "2022-03-01", "fl\\u006fw": 2}', "", '"flow" twice'),
    (b'{"flow": 1, "at": "2022-03-01", "label": "\\ud800"}', "label", "surrogate"),
    (b'{"flow": 1, "at": "2022-03-01", "label": "\\u0000"}', "label", "null character"),
    (b'{"flow": 1, "at": "2022-03-01", "label": "\x00"}', "", "control character"),
    (b'{"flow": 1, "at": "2022-03-01", "label": "\xff"}', "", "UTF-8"),
    (b'{"flow": 1, "at": "2022-03-01", "label": "' + b"x" * 101 + b'"}', "label", "101 characters"),
    (b'{"flow": 1, "at": "2022-03-01"', "", "JSON"),
    (b'{"flow": 1, "at": "2022-03-01"},', "", "more behind its end"),
    (b'{"flow": 1, "at": "2022-03-01"} {"flow": 1, "at": "2022-03-01"}', "", "more behind its end"),
    (b"{'flow': 1}", "", "JSON"),
    (b"flow,at", "", "JSON"),
    (b"[1, 2]", "", "must be an object"),
    (b"12", "", "must be an object"),
    (b"null", "", "must be an object"),
    (b"[" * 100_000, "", "nested"),
    (b'{"a":' * 100_000, "", "nested"),
]


@pytest.mark.parametrize(("line", "field", "message"), BAD_LINES)
def test_a_broken_sample_refuses_the_whole_batch(
    stage: Stage, flow: Application, line: bytes, field: str, message: str
) -> None:
    answer = send(stage, HEAD * 2 + b"\n" + line + b"\n" + HEAD)
    found = errors(answer)
    place = f"line 4: {field}" if field else "line 4"
    assert list(found) == [place]
    assert message in found[place]
    assert "nothing was stored" in answer.json()["detail"] and "1 of 4 samples" in answer.json()["detail"]
    assert nothing_is_left()


BAD_TABLES: list[tuple[bytes, str, str]] = [
    (b"flow,at\n1\n", "line 2", "1 cells"),
    (b"flow,at\n1,2022-03-01,3\n", "line 2", "3 cells"),
    (b'flow,at,label\n1,2022-03-01,"a\nb"\nx,2022-03-01,\n', "line 4: flow", "must be a number"),
    (b"flow,at\n,2022-03-01\n", "line 2: flow", "null"),
    (b"flow,at\nnan,2022-03-01\n", "line 2: flow", "null"),
    (b"flow,at\n1_000,2022-03-01\n", "line 2: flow", "must be a number"),
    (b'flow,at\n1,"2022-03-01\n', "line 2", "CSV"),
    (b"flow\n1\n", "line 1: at", "missing"),
    (b"flow,at,flow\n1,2022-03-01,1\n", "line 1: flow", "two columns"),
    (b"flow,at,\n1,2022-03-01,1\n", "line 1", "no name"),
    (b"flow,when\n1,2022-03-01\n", "line 1: when", "not a field"),
]


@pytest.mark.parametrize(("body", "place", "message"), BAD_TABLES)
def test_a_broken_table_is_refused_by_line(
    stage: Stage, flow: Application, body: bytes, place: str, message: str
) -> None:
    found = errors(send(stage, body, "text/csv"))
    assert message in found[place]
    assert nothing_is_left()


BAD_BODIES: list[tuple[bytes, str, str, str]] = [
    (b"", LINES, "no_samples", "no sample"),
    (b"\n \r\n\n", LINES, "no_samples", "no sample"),
    (b"\xef\xbb\xbf", LINES, "no_samples", "no sample"),
    (b"[]", "application/json", "no_samples", "no sample"),
    (b"  ", "application/json", "no_samples", "no sample"),
    (b"flow,at\n", "text/csv", "no_samples", "no sample"),
    (b"", "text/csv", "invalid", "header"),
    (b"flow,at\n\xff,1\n", "text/csv", "invalid", "Line 2 is not text in UTF-8"),
    ("é".encode("utf-16"), LINES, "invalid", "UTF-16"),
    (b"\x1f\x8b\x08\x00", LINES, "invalid", "gzip"),
    (b"PAR1PAR1", LINES, "invalid", "Parquet"),
    (HEAD + HEAD, "application/json", "invalid", "x-ndjson"),
    (b"[" + HEAD, "application/json", "invalid", "comma or ]"),
    (b"[" + HEAD + b",]", "application/json", "invalid", "not JSON"),
    (b"[" + HEAD + b"] x", "application/json", "invalid", "behind its end"),
    (b"[" * 200_000, "application/json", "invalid", "nested"),
    (b"\xff\xfe", "application/json", "invalid", "UTF-8"),
]


@pytest.mark.parametrize(("body", "kind", "code", "message"), BAD_BODIES)
def test_a_body_without_samples_or_sense_is_refused(
    stage: Stage, flow: Application, body: bytes, kind: str, code: str, message: str
) -> None:
    answer = send(stage, body, kind)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert message in answer.json()["detail"]
    assert nothing_is_left()


def test_a_thousand_errors_are_listed_and_all_are_counted(stage: Stage, flow: Application) -> None:
    answer = send(stage, (b'{"flow": -1, "at": 1}\n' * 700) + GOOD)
    assert len(answer.json()["errors"]) == 1000
    assert answer.json()["errors"][-1]["field"] == "line 500: flow"
    assert "700 of 702 samples" in answer.json()["detail"] and "1,400 errors" in answer.json()["detail"]


def test_a_sample_with_a_flood_of_unknown_fields_is_refused_quickly(stage: Stage, flow: Application) -> None:
    answer = send(stage, json.dumps({f"f{n}": n for n in range(100_000)}).encode())
    assert len(errors(answer)) == 50


def test_a_line_of_32_mib_is_refused_and_the_others_are_still_looked_at(stage: Stage, flow: Application) -> None:
    def body() -> Iterator[bytes]:
        yield HEAD + b'{"label": "'
        for _ in range(32):
            yield b"x" * (1 << 20)
        yield b'"}\n' + b'{"flow": -1, "at": "2022-03-01"}\n'

    found = errors(send(stage, body()))
    assert "16 MiB" in found["line 2"] and "least" in found["line 3: flow"]


def test_without_a_declared_schema_any_object_is_a_sample(stage: Stage) -> None:
    makers.learning_application(fields=())
    assert send(stage, b'{"a": {"b": [1, null, "\\u00e9"]}}\n{}\n').json()["samples"] == 2
    found = errors(send(stage, b'{"a": 1e400}\n{"a": "\\ud800"}\n{"a\\u0000": 1}\n{"a": {"b": 1, "b": 2}}\n[]\n'))
    assert [*found] == [f"line {number}" for number in range(1, 6)]
    answer = send(stage, b"a,b\n1,x\ntrue,\n", "text/csv")
    rows = [json.loads(line) for line in store.read(answer.json()["digest"]).splitlines()]
    assert rows == [{"a": 1, "b": "x"}, {"a": True, "b": None}]


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, {"x": 1}, None])
def test_what_only_looks_like_a_file_gives_nobody_the_bytes_of_others(stage: Stage, digest: Any) -> None:
    makers.learning_application(fields=())
    sample = {"a": {"name": "x", "media_type": "a/b", "size": 1, "digest": digest}}
    assert send(stage, json.dumps([sample]).encode(), "application/json").status_code == 201
    assert Batch.objects.get().files == []


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "application/xml"])
def test_an_unknown_kind_is_told_what_is_taken(stage: Stage, flow: Application, kind: str) -> None:
    answer = send(stage, GOOD, kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    for taken in ("application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "multipart/form-data"):
        assert taken in answer.json()["detail"]


def test_a_compressed_body_is_told_to_come_uncompressed(stage: Stage, flow: Application) -> None:
    answer = send(stage, GOOD, Content_Encoding="gzip")
    assert answer.status_code == 415 and "uncompressed" in answer.json()["detail"]


def test_query_parameters_are_refused_by_name(stage: Stage, flow: Application) -> None:
    assert "key" in errors(send(stage, GOOD, path=FLOW + "?key=1"))


def test_what_does_not_learn_takes_no_data(stage: Stage) -> None:
    makers.application("plain")
    makers.draft("empty")
    for name in ("plain", "empty"):
        answer = send(stage, GOOD, path=f"/api/v1/applications/acme/{name}/intake")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_learning")


@pytest.mark.parametrize(("status", "expected"), [("suspended", 201), ("retired", 409)])
def test_a_suspended_application_takes_data_and_a_retired_one_does_not(
    stage: Stage, flow: Application, status: str, expected: int
) -> None:
    Application.objects.update(status=status)
    assert send(stage, GOOD).status_code == expected


def test_foreign_applications_are_not_there(stage: Stage) -> None:
    makers.learning_application(slug="elsewhere")
    for path in ("/api/v1/applications/elsewhere/flow/intake", "/api/v1/applications/acme/none/intake"):
        assert send(stage, GOOD, path=path).status_code == 404
    assert send(stage, GOOD, Authorization="Bearer ovd_none").status_code == 401


# the same again


def test_the_same_key_with_the_same_bytes_gives_the_earlier_batch(stage: Stage, flow: Application) -> None:
    first, second = (send(stage, GOOD, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    Batch.objects.update(created_at=Batch.objects.get().created_at - timedelta(days=9))
    assert send(stage, GOOD, Idempotency_Key="k1").status_code == 200


def test_the_same_key_with_other_bytes_is_refused(stage: Stage, flow: Application) -> None:
    send(stage, GOOD, Idempotency_Key="k1")
    answer = send(stage, HEAD, Idempotency_Key="k1")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Batch.objects.count() == 1
    assert LooseFile.objects.filter(digest="sha256:" + hashlib.sha256(HEAD).hexdigest()).exists()


def test_a_key_that_was_answered_with_an_earlier_batch_stands_for_these_bytes(stage: Stage, flow: Application) -> None:
    send(stage, GOOD)
    assert send(stage, GOOD, Idempotency_Key="k2").status_code == 200
    assert send(stage, HEAD, Idempotency_Key="k2").json()["code"] == "idempotency_key_reused"


def test_the_same_bytes_within_the_window_are_the_same_batch(stage: Stage, flow: Application) -> None:
    first, second = send(stage, GOOD), send(stage, GOOD)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["number"] == 1
    Batch.objects.update(created_at=Batch.objects.get().created_at - timedelta(days=1, seconds=1))
    assert send(stage, GOOD).json()["number"] == 2


def test_bytes_that_were_taken_down_may_come_again(stage: Stage, flow: Application) -> None:
    send(stage, GOOD)
    Batch.objects.update(taken_down_at=Batch.objects.get().created_at)
    answer = send(stage, GOOD)
    assert (answer.status_code, answer.json()["number"]) == (201, 2)


def test_many_at_once_are_numbered_without_gaps_and_the_same_is_stored_once(stage: Stage, flow: Application) -> None:
    bodies = [HEAD * (1 + n // 3) for n in range(24)]
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda body=body: answers.append(send(stage, body))) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 16 + [201] * 8
    assert sorted(Batch.objects.values_list("number", flat=True)) == list(range(1, 9))
    assert len({answer.json()["digest"] for answer in answers}) == 8


# files


DIGITS = "/api/v1/applications/acme/digits/intake"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def digits(stage: Stage) -> Application:
    fields = (
        Field("image", name="photo", max_bytes=10_000, media_types=("image/png",)),
        Field("choice", name="label", choices=("one", "two")),
    )
    return makers.learning_application("digits", fields=fields)


def form(stage: Stage, *parts: Any, **data: Any) -> httpx.Response:
    with stage.client() as client:
        return client.post(DIGITS, files=list(parts), data=data)


def samples(text: str, kind: str = LINES) -> tuple[str, tuple[str, bytes, str]]:
    return ("samples", ("samples", text.encode(), kind))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"photo": "a/1.png", "label": "one"}\n{"photo": "b/1.png", "label": "two"}', LINES),
        ('[{"photo": "a/1.png", "label": "one"}, {"photo": "b/1.png", "label": "two"}]', "application/json"),
        ("photo,label\na/1.png,one\nb/1.png,two\n", "text/csv"),
        ('{"photo": "a/1.png", "label": "one"}\n{"photo": "b/1.png", "label": "two"}', "application/octet-stream"),
    ],
)
def test_files_come_with_the_samples_that_name_them(stage: Stage, digits: Application, text: str, kind: str) -> None:
    files = [("f", ("a/1.png", PNG, "image/png")), ("f", ("b/1.png", PNG + b"2", "image/png"))]
    answer = form(stage, samples(text, kind), *files)
    assert answer.status_code == 201, answer.text
    rows = [json.loads(line) for line in store.read(answer.json()["digest"]).splitlines()]
    digest = "sha256:" + hashlib.sha256(PNG).hexdigest()
    assert rows[0] == {
        "photo": {"name": "1.png", "media_type": "image/png", "size": len(PNG), "digest": digest}, "label": "one",
    }  # fmt: skip
    assert sorted(Batch.objects.get().files) == sorted(row["photo"]["digest"] for row in rows)
    assert store.read(rows[1]["photo"]["digest"]) == PNG + b"2"
    again = form(stage, *files, samples(text, kind))
    assert (again.status_code, again.json()["number"]) == (200, 1)


def test_one_part_for_each_field_is_one_sample(stage: Stage, digits: Application) -> None:
    answer = form(stage, ("photo", ("x.png", PNG, "image/png")), label="two")
    assert answer.status_code == 201, answer.text
    row = json.loads(store.read(answer.json()["digest"]))
    assert (row["label"], row["photo"]["name"], answer.json()["media_type"]) == ("two", "x.png", "multipart/form-data")


@pytest.mark.parametrize(
    ("parts", "field", "message"),
    [
        ([samples('{"photo": "no.png", "label": "one"}')], "line 1: photo", "not sent"),
        ([samples('{"photo": "x.png", "label": "3"}'), ("f", ("x.png", PNG))], "line 1: label", "one of one, two"),
        ([samples('{"photo": "x.png", "label": "one"}'), ("f", ("x.png", b"text"))], "line 1: photo", "no image"),
        ([samples('{"photo": "x.png", "label": "one"}'), ("f", ("x.png", b""))], "line 1: photo", "empty"),
        ([samples('{"photo": "x.png", "label": "one"}'), ("f", ("x.png", PNG * 300))], "x.png", "over the limit"),
        ([samples('{"photo": "x.png", "label": "one"}'), ("f", ("x.png", PNG)), ("f", ("y.png", PNG + b"y"))],
         "y.png", "no sample names"),
        ([samples("{}"), samples("{}")], "samples", "twice"),
        ([("f", ("x.png", PNG)), ("f", ("x.png", PNG))], "x.png", "two files"),
        ([samples("x", "application/vnd.apache.parquet")], "samples", "must be"),
        ([("photo", ("x.png", PNG, "image/png"))], "sample 1: label", "missing"),
        ([("phot", ("x.png", PNG, "image/png"))], "sample 1: phot", "not a field"),
        ([samples('{"photo": {"digest": "sha256:' + "0" * 64 + '"}, "label": "one"}')], "line 1: photo", "not sent"),
    ],
)  # fmt: skip
def test_a_form_that_makes_no_samples_leaves_no_file(
    stage: Stage, digits: Application, parts: list[Any], field: str, message: str
) -> None:
    found = errors(form(stage, *parts))
    assert message in found[field], found
    assert nothing_is_left()


@pytest.mark.parametrize("body", [b"no boundary", b'--x\r\nContent-Disposition: form-data; name="samples"\r\n\r\ncut'])
def test_a_form_that_cannot_be_read_is_400(stage: Stage, digits: Application, body: bytes) -> None:
    answer = send(stage, body, "multipart/form-data; boundary=x", DIGITS)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert nothing_is_left()
