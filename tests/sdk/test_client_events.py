"""The parser of event streams: any pieces give the same events."""

from hypothesis import given
from hypothesis import strategies as st

from ovd.client.events import Event, EventParser

STREAM = (
    b': hello\r\nid: 1\r\nevent: status\r\ndata: {"status": "running"}\r\n\r\n'
    b"event: log\ndata: two\ndata: lines\n\nevent: empty\n\nid:2\rdata:\xe2\x80\xa8\r\rdata: unfinished\n"
)
EVENTS = [
    Event("status", {"status": "running"}, "1"),
    Event("log", "two\nlines", "1"),
    Event("message", "\u2028", "2"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_do_not_depend_on_how_the_bytes_arrive(cuts: list[int]) -> None:
    parser, events, before = EventParser(), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        events += parser.feed(STREAM[before:cut])
        before = cut
    assert events == EVENTS
