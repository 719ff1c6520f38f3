"""Files in and out: streamed to the file store while they arrive, judged by their first bytes, archived by digest."""

import base64
import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from gateway.stage import Stage, path, row, until
from ovd_saas.files import store
from ovd_saas.store.records import Execution

IMAGES = "image-size"


def png(width: int = 3, height: int = 2, padding: int = 0) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + b"\x7f" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    made = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
    return made + chunk(b"teXt", b"x" * padding) + chunk(b"IEND", b"")


def send(stage: Stage, name: str = IMAGES, **files: Any) -> httpx.Response:
    with stage.client() as client:
        return client.post(path(name), files=files)


def errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def nothing_is_left(stage: Stage) -> bool:
    return not Execution.objects.exists() and not list((Path(settings.FILES) / "incoming").glob("*"))


def test_a_picture_goes_in_and_comes_out_and_both_are_archived(stage: Stage) -> None:
    stage.process(stage.application(IMAGES))
    picture = png(7, 5)
    answer = send(stage, photo=("holiday.png", picture, "image/png"))
    assert answer.status_code == 201, answer.text
    said = answer.json()
    digest = "sha256:" + hashlib.sha256(picture).hexdigest()
    url = f"/api/v1/executions/{said['id']}/files/{digest}"
    assert said["inputs"]["photo"] == {
        "name": "holiday.png", "media_type": "image/png", "size": len(picture), "digest": digest, "url": url,
    }  # fmt: skip
    assert (said["outputs"]["width"], said["outputs"]["height"]) == (7, 5)
    assert said["outputs"]["copy"]["digest"] == digest
    assert store.read(digest) == picture
    assert "url" not in row(answer).inputs["photo"]


@pytest.mark.parametrize("as_uri", [True, False])
def test_a_picture_may_come_inside_the_json(stage: Stage, as_uri: bool) -> None:
    stage.process(stage.application(IMAGES))
    data = base64.b64encode(png(4, 4)).decode()
    given = f"data:image/png;base64,{data}" if as_uri else {"name": "x.png", "media_type": "image/png", "data": data}
    answer = stage.post(IMAGES, {"photo": given})
    assert answer.json()["outputs"]["width"] == 4
    assert "data" not in row(answer).inputs["photo"]


def test_a_picture_waits_in_the_file_store_while_the_application_sleeps(stage: Stage) -> None:
    application = stage.application(IMAGES)
    with stage.client(Prefer="respond-async") as client:
        answer = client.post(path(IMAGES), files={"photo": ("x.png", png(9, 1), "image/png")})
    assert answer.status_code == 202
    stage.process(application)
    until(lambda: row(answer).status == "succeeded")
    assert row(answer).outputs["width"] == 9


def test_a_text_sent_as_an_image_is_refused_by_name(stage: Stage) -> None:
    stage.application(IMAGES)
    found = errors(send(stage, photo=("photo.png", b"I am a text, honestly.", "image/png")))
    assert "no image" in found["photo"] and "text" in found["photo"]
    assert nothing_is_left(stage)


def test_a_file_over_the_limit_is_refused_by_name_with_both_sizes(stage: Stage) -> None:
    stage.application(IMAGES)
    found = errors(send(stage, photo=("big.png", png(padding=5_000_000), "image/png")))
    assert "5.0 MB" in found["photo"] and "2.1 MB" in found["photo"]
    assert nothing_is_left(stage)


def test_an_empty_file_is_refused(stage: Stage) -> None:
    stage.application(IMAGES)
    assert "empty" in errors(send(stage, photo=("x.png", b"", "image/png")))["photo"]


def test_a_form_whose_file_was_not_chosen_lacks_it(stage: Stage) -> None:
    stage.application(IMAGES)
    boundary = b"b0undary"
    body = b'--b0undary\r\nContent-Disposition: form-data; name="photo"; filename=""\r\n\r\n\r\n--b0undary--\r\n'
    with stage.client(**{"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}) as client:
        assert "missing" in errors(client.post(path(IMAGES), content=body))["photo"]


def test_a_file_for_no_input_or_for_a_number_is_refused(stage: Stage) -> None:
    stage.application("echo")
    files = {"inputs": (None, '{"message": "x"}'), "foto": ("x.png", png()), "times": (None, "3")}
    found = errors(send(stage, "echo", **files))
    assert set(found) == {"foto", "times"}
    assert "inputs" in found["times"]


def test_a_field_sent_twice_is_refused(stage: Stage) -> None:
    stage.application(IMAGES)
    with stage.client() as client:
        part = ("photo", ("x.png", png(), "image/png"))
        answer = client.post(path(IMAGES), files=[part, part])
    assert "twice" in errors(answer)["photo"]
    assert nothing_is_left(stage)


def test_seed_and_inputs_are_parts_of_a_form(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    answer = send(stage, "echo", inputs=(None, '{"message": "form"}'), seed=(None, "11"))
    assert answer.status_code == 201, answer.text
    assert (answer.json()["seed"], answer.json()["outputs"]["result"]) == (11, "form")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"no boundary at all"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="photo"\r\n\r\ncut'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="inputs"\r\n\r\n{\r\n--x--'),
    ],
)
def test_a_form_that_cannot_be_read_is_400(stage: Stage, content_type: str, body: bytes) -> None:
    stage.application(IMAGES)
    with stage.client(**{"Content-Type": content_type}) as client:
        answer = client.post(path(IMAGES), content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert nothing_is_left(stage)


def test_a_name_with_folders_in_it_is_only_a_name(stage: Stage) -> None:
    stage.process(stage.application(IMAGES))
    answer = send(stage, photo=("../../etc/passwd.png", png(), "image/png"))
    assert answer.json()["inputs"]["photo"]["name"] == "passwd.png"
