"""Feeding from a terminal: each delivery with a bar, and what becomes of it until nothing more is to be expected."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from ovd.cli import following
from ovd.cli.refusal import Refusal
from ovd.cli.waiting import Waiting
from ovd.client import Batch, Client, OvdError
from ovd.client.feeding import MEDIA_TYPES
from ovd.nearest import did_you_mean
from ovd.uploads import size

UNFINISHED = (".part", ".tmp", ".crdownload", ".partial")
MOST_FILES = 500  # in one delivery
MOST_BYTES = 64 << 20  # of the files in one delivery
PAUSE = 0.5  # s between two looks
PATIENCE = 5.0  # s in which a trigger is given to say something of a new batch


def file(client: Client, application: str, path: Path, *, key: Optional[str] = None) -> Batch:
    """The batch of one file. Raises Refusal, OvdError."""
    if not path.is_file():
        raise Refusal(f"There is no file {path}.")
    return send(client, application, path, path.name, key=key)


def send(client: Client, application: str, samples: Any, name: str, *, key: Optional[str] = None) -> Batch:
    with Waiting(name) as waiting:

        def show(sent: int, total: int) -> None:
            is_sent = sent >= total
            waiting.show("checked and stored" if is_sent else "sent", sent / total, f"{size(sent)} of {size(total)}")

        batch = client.feed(application, samples, key=key, on_progress=show)
    return told(batch, name)


def told(batch: Batch, name: str) -> Batch:
    count = "1 sample" if batch.samples == 1 else f"{batch.samples:,} samples"
    again = "" if batch.is_new else " (the platform had it already)"
    print(f"Batch {batch.number}: {count}, {size(batch.size)}, from {name}{again}.", flush=True)
    return batch


def folder(client: Client, application: str, path: Path) -> Optional[Batch]:
    """The last batch of a folder: of each file of samples in it, else of pictures in one folder for each label."""
    found = [one for one in sorted(path.iterdir()) if is_ready(one) and one.suffix.lower() in MEDIA_TYPES]
    if found:
        return [file(client, application, one) for one in found][-1]
    return _labelled(client, application, path)


def is_ready(path: Path) -> bool:
    """Whether it is a file, neither hidden nor unfinished by its name."""
    return path.is_file() and not path.name.startswith(".") and not path.name.endswith(UNFINISHED)


def _labelled(client: Client, application: str, path: Path) -> Optional[Batch]:
    kept = [
        (one.name, file)
        for one in sorted(path.iterdir())
        if one.is_dir() and not one.name.startswith(".")
        for file in sorted(one.iterdir())
        if is_ready(file)
    ]
    if not kept:
        kinds = ", ".join(MEDIA_TYPES)
        raise Refusal(f"{path} has no file of samples ({kinds}) in it, and no folders with files, one for each label.")
    picture, label, choices = _fields(client.schema(application).get("sample") or {})
    for name in sorted({name for name, _ in kept}):
        if choices and name not in map(str, choices):
            raise Refusal(f"{path / name} is no label of {application}.{did_you_mean(name, map(str, choices))}")
    last = None
    deliveries = list(_deliveries(kept))
    with Waiting(path.name) as waiting:
        for number, delivery in enumerate(deliveries):
            waiting.show("sent", number / len(deliveries), f"{number} of {len(deliveries)} batches")
            files = {f"{name}/{file.name}": file for name, file in delivery}
            samples = [{picture: f"{name}/{file.name}", label: _choice(name, choices)} for name, file in delivery]
            last = client.feed_files(application, samples, files)
            waiting.say(_line(last, path.name))
    return last


def _line(batch: Batch, name: str) -> str:
    again = "" if batch.is_new else " (the platform had it already)"
    return f"Batch {batch.number}: {batch.samples:,} samples, from {name}{again}.\n"


def _fields(sample: "dict[str, Any]") -> "tuple[str, str, Sequence[Any]]":
    """The field for a picture, the field for its label, and what labels there are (none: any)."""
    properties = sample.get("properties") or {}
    pictures = [name for name, prop in properties.items() if prop["x-ovd"]["kind"] in ("image", "file")]
    others = [name for name in properties if name not in pictures]
    needed = [name for name in others if not properties[name]["x-ovd"].get("optional")]
    label = "label" if "label" in others else needed[0] if len(needed) == 1 else others[0] if len(others) == 1 else ""
    if len(pictures) != 1 or not label or any(name != label for name in needed):
        raise Refusal(
            "A folder of pictures can be fed to an application whose sample is one picture and its label. "
            "Feed this one a file of samples."
        )
    return pictures[0], label, properties[label].get("enum") or ()


def _choice(name: str, choices: "Sequence[Any]") -> Any:
    return next((choice for choice in choices if str(choice) == name), name)


def _deliveries(kept: "list[tuple[str, Path]]") -> "Iterator[list[tuple[str, Path]]]":
    delivery: list[tuple[str, Path]] = []
    total = 0
    for name, file in kept:
        length = file.stat().st_size
        if delivery and (len(delivery) >= MOST_FILES or total + length > MOST_BYTES):
            yield delivery
            delivery, total = [], 0
        delivery.append((name, file))
        total += length
    if delivery:
        yield delivery


def watch_folder(client: Client, application: str, path: Path) -> None:
    """Each file of samples in the folder is fed once, also those that appear later, until Ctrl-C. A file counts as
    complete when nobody wrote to it between two looks."""
    fed: dict[str, tuple[int, int]] = {}
    seen: dict[str, tuple[int, int]] = {}
    print(f"Watching {path}; Ctrl-C ends it.", file=sys.stderr)
    while True:
        for one in sorted(path.iterdir()):
            if not is_ready(one) or one.suffix.lower() not in MEDIA_TYPES or one.name in fed:
                continue
            about = one.stat()
            state = (about.st_size, about.st_mtime_ns)
            if about.st_size == 0 or seen.get(one.name) != state:
                seen[one.name] = state
                continue
            fed[one.name] = state
            try:
                file(client, application, one)
            except OvdError as refused:
                print(f"{one.name}: {refused}", file=sys.stderr, flush=True)
                if refused.status is None or refused.status >= 500 or refused.status == 429:
                    del fed[one.name]  # the platform's fault: tried again
        time.sleep(PAUSE)


def follow(client: Client, application: str, batch: Batch) -> int:
    """What becomes of a batch, until nothing more is to be expected; the exit code as of `ovd learn`, 0 when nothing is
    learned from it yet."""
    shown = ""
    since = time.monotonic()
    try:
        while True:
            batch = client.batch(application, batch.number)
            if batch.learning_run is not None:
                run = client.learning_run(str(batch.learning_run["id"]))
                return following.conclude(following.follow(client, run.id) if not run.is_finished else run)
            verdict = _verdict(client, application, batch)
            if verdict is not None and verdict["reason"] != shown:
                shown = str(verdict["reason"])
                print(shown, flush=True)
            is_waiting = verdict is None or verdict["decision"] in ("due", "waits")
            if not is_waiting or (verdict is None and time.monotonic() - since > PATIENCE):
                print(f"Batch {batch.number} is pending: it is learned from when learning is due.")
                return 0
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        raise Refusal(f"Not watching any more; batch {batch.number} is with the platform.") from None


def _verdict(client: Client, application: str, batch: Batch) -> "Optional[dict[str, Any]]":
    """The latest look at the trigger for data since the batch came."""
    created_at = str(batch.document["created_at"])
    for evaluation in client.triggers(application, kind="data"):
        return evaluation if str(evaluation["at"])[:19] >= created_at[:19] else None
    return None
