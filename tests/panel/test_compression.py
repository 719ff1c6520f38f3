"""What pages are drawn with is small on the wire, and says nothing by its length."""

import gzip
from collections.abc import Callable

from django.http import StreamingHttpResponse
from django.test import Client

import pages_rows

PACKED = {"accept-encoding": "gzip"}


def test_a_page_is_packed_for_who_takes_it(client_of: Callable[..., Client]) -> None:
    pages_rows.platform()
    owner = client_of("owner")
    plain, packed = owner.get("/timeline/"), owner.get("/timeline/", headers=PACKED)
    assert "Content-Encoding" not in plain and packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain["Vary"] and "Accept-Encoding" in packed["Vary"]
    assert len(packed.content) == int(packed["Content-Length"]) < len(plain.content) / 2
    assert b"</html>" in gzip.decompress(packed.content)


def test_a_page_has_another_length_each_time(client_of: Callable[..., Client]) -> None:
    owner = client_of("owner")
    assert len({len(owner.get("/tokens/", headers=PACKED).content) for _ in range(12)}) > 1


def test_a_style_of_our_own_is_packed_and_keeps_its_headers(client: Client, db: None) -> None:
    plain, packed = client.get("/static/ovd/pages.css"), client.get("/static/ovd/pages.css", headers=PACKED)
    assert isinstance(plain, StreamingHttpResponse) and packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == b"".join(plain.streaming_content)  # type: ignore[arg-type]
    assert (packed["Content-Type"], packed["Last-Modified"]) == (plain["Content-Type"], plain["Last-Modified"])


def test_what_set_up_packed_is_sent_as_it_is(client: Client, db: None) -> None:
    packed = client.get("/static/vendor/jquery.min.js", headers=PACKED)
    assert isinstance(packed, StreamingHttpResponse) and packed["Content-Encoding"] == "gzip"


def test_answers_to_programs_are_left_alone(client_of: Callable[..., Client]) -> None:
    assert "Content-Encoding" not in client_of("owner").get("/api/v1/applications", headers=PACKED)
