"""A task process for the tests: its client, who sends data and orders, and follows the story."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from ovd.protocol import CHUNK
from sdk.processes import Client, Process

FINAL = ("done", "failed", "yielded")


class TaskClient(Client):
    """The client of a task process."""

    def put(self, key: str, data: bytes, *, id: str = "t1") -> None:
        pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
        for place, piece in enumerate(pieces, start=1):
            self.send({"type": "file", "id": id, "file": key, "last": place == len(pieces)}, piece)

    def learn(self, rows: list[Any], *, id: str = "t1", checkpoint: bytes | None = None, **more: Any) -> None:
        self.put("train", json_lines(rows), id=id)
        if checkpoint is not None:
            self.put("saved", checkpoint, id=id)
        order = {"train": "train", "checkpoint": "saved" if checkpoint is not None else None, "files": {}}
        self.send({"type": "learn", "id": id, **order, "seed": 7, "timeout": None, **more})

    def evaluate(self, rows: list[Any], *, id: str = "t1", **more: Any) -> None:
        self.put("holdout", json_lines(rows), id=id)
        self.send({"type": "evaluate", "id": id, "holdout": "holdout", "files": {}, "seed": 7, "timeout": None, **more})

    def follow(self, after: int = 0, id: str = "t1") -> None:
        self.send({"type": "follow", "id": id, "after": after})

    def event(self) -> dict[str, Any]:
        header = self.receive()
        assert header["type"] == "event", header
        return header

    def to_the(self, *kinds: str) -> list[dict[str, Any]]:
        """All events up to and with the first of one of these kinds."""
        events = [self.event()]
        while events[-1]["kind"] not in kinds:
            assert events[-1]["kind"] not in FINAL, events[-1]
            events.append(self.event())
        return events

    def to_the_end(self) -> list[dict[str, Any]]:
        return self.to_the(*FINAL)

    def end(self) -> tuple[str, dict[str, Any]]:
        """Kind and body of the last event."""
        event = self.to_the_end()[-1]
        return event["kind"], event["body"]

    def fetch(self, key: str, id: str = "t1") -> bytes:
        """A file that the process made; events on the way are skipped."""
        self.files.pop(key, None)
        self.send({"type": "fetch", "id": id, "file": key})
        while True:
            header = self.receive()
            if header["type"] == "file" and header["last"]:
                assert "gone" not in header, header
                return self.files[key]


def json_lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def client_of(process: Process) -> TaskClient:
    client = TaskClient(process.path)
    process.clients.append(client)
    return client


def contents(tar: bytes) -> dict[str, bytes]:
    """Name → bytes of the files in a tar."""
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as opened:
        found = {}
        for entry in opened:
            source = opened.extractfile(entry)
            if source is not None:
                found[entry.name] = source.read()
        return found


def folder_with(where: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    return where
