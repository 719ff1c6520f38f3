"""Frames: what is packed comes out again, in any pieces; what is not a frame is refused."""

import itertools
import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd.protocol import CHUNK, MAX_HEADER, PREFIX, Decoder, ProtocolError, pack, receive, send

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
headers = st.dictionaries(st.text(max_size=5), plain, max_size=4).map(lambda header: {**header, "type": "x"})
frames = st.lists(st.tuples(headers, st.binary(max_size=300)), max_size=5)


@given(frames, st.lists(st.integers(0, 400), max_size=20))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(
    sent: list[tuple[dict[str, Any], bytes]], cuts: list[int]
) -> None:
    stream = b"".join(pack(header, body) for header, body in sent)
    edges = [0, *sorted({min(cut, len(stream)) for cut in cuts}), len(stream)]
    decoder = Decoder()
    received = [frame for start, end in itertools.pairwise(edges) for frame in decoder.feed(stream[start:end])]
    assert received == sent
    assert decoder.is_between_frames


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=50), max_size=10))
def test_any_bytes_give_frames_or_a_protocol_error_and_nothing_else(pieces: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for piece in pieces:
            for header, body in decoder.feed(piece):
                assert isinstance(header["type"], str)
                assert len(body) <= CHUNK
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decoder.feed(b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"[1]",
        b"{}",
        b'{"type": 1}',
        b'{"type": "x", "a": NaN}',
        b'{"type": "x"',
        b'\xff\xfe{"type"',
        b"[" * 100_000,
    ],
)
def test_a_header_that_is_no_object_with_a_type_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(PREFIX.pack(len(raw), 0) + raw)


@pytest.mark.parametrize("lengths", [(MAX_HEADER + 1, 0), (10, CHUNK + 1), (0, 0), (2**32 - 1, 2**32 - 1)])
def test_a_frame_beyond_the_bounds_is_refused_before_its_bytes_come(lengths: tuple[int, int]) -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(PREFIX.pack(*lengths))


def test_what_cannot_be_a_frame_is_not_packed() -> None:
    with pytest.raises(ProtocolError):
        pack({"type": "x"}, b"x" * (CHUNK + 1))
    with pytest.raises(ProtocolError):
        pack({"type": "x" * MAX_HEADER})
    with pytest.raises(ValueError):
        pack({"type": "x", "value": float("nan")})


def test_a_frame_crosses_a_socket_and_the_end_reads_as_none() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        body = bytes(range(256)) * 4096
        sender = threading.Thread(target=send, args=(theirs, {"type": "x", "ü": [1, None]}, body))
        sender.start()
        assert receive(ours) == ({"type": "x", "ü": [1, None]}, body)
        sender.join()
        theirs.shutdown(socket.SHUT_WR)
        assert receive(ours) is None


@pytest.mark.parametrize("length", [1, 8, 20])
def test_a_peer_that_closes_inside_a_frame_is_a_protocol_error(length: int) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(pack({"type": "something long"}, b"body")[:length])
        with pytest.raises(ProtocolError):
            receive(ours)


def test_the_header_is_json_that_any_language_reads() -> None:
    frame = pack({"type": "x", "id": "ñ"}, b"yz")
    head, body = PREFIX.unpack(frame[:8])
    assert json.loads(frame[8 : 8 + head].decode()) == {"type": "x", "id": "ñ"}
    assert frame[8 + head :] == b"yz"
    assert body == 2
