"""Probe: does what a test asks of one application, inside the application's own environment.

Standard input is a JSON list of requests, standard output the list of answers; see `examples_at_work.Example`.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ovd import loading, samples, schema, testing
from ovd.context import Yielded
from ovd.execution import Execution

Request = dict[str, Any]


def execute(loaded: loading.Loaded, request: Request) -> Request:
    """The final frame; files given back lie in the folder `keep`. Inputs that break the schema are `refused`."""
    files = {name: Path(path) for name, path in request["files"].items()}
    heads = {name: samples.head_of(path) for name, path in files.items()}
    inputs, errors = schema.accept(loaded.schema["inputs"], request["inputs"], heads)
    if errors:
        return {"type": "refused", "errors": [list(error) for error in errors]}
    for name, head in heads.items():
        inputs[name] = {"file": name, "name": head.name, "media_type": head.media_type, "size": head.size}
    loading.set_up(loaded, Path(request["model"]) if request["model"] else None)
    frames: list[Request] = []

    def collect(header: Request, body: bytes) -> None:
        frames.append(header)
        if header["type"] == "file":
            with (Path(request["keep"]) / header["file"]).open("ab") as kept:
                kept.write(body)

    folder = Path(tempfile.mkdtemp())
    execution = Execution(
        loaded,
        id=1,
        inputs=inputs,
        seed=request["seed"],
        timeout=60,
        files=files,
        folder=folder,
        model=None,
        send=collect,
    )
    execution.run()
    execution.clean()
    shutil.rmtree(folder, ignore_errors=True)
    return frames[-1]


def learn(loaded: loading.Loaded, request: Request) -> Request:
    """The metrics of learning and what it told, or the error, or that it gave way."""
    events: list[Request] = []
    try:
        metrics = testing.learn(
            loaded.folder,
            request["rows"],
            request["target"],
            parent=request.get("parent"),
            checkpoint=request.get("checkpoint"),
            seed=request.get("seed", 0),
            tell=events.append,
            yields=request.get("yields", False),
        )
    except ValueError as error:
        return {"error": str(error), "events": events}
    except Yielded:
        return {"yielded": True, "events": events}
    return {"metrics": metrics, "events": events}


def evaluate(loaded: loading.Loaded, request: Request) -> Request:
    """Metrics and scores, or the error."""
    try:
        evaluation = testing.evaluate(loaded.folder, request["rows"], request["model"])
    except ValueError as error:
        return {"error": str(error)}
    return {"metrics": evaluation.metrics, "scores": evaluation.scores}


def modules(loaded: loading.Loaded, request: Request) -> Request:
    """Which of the named modules the application has imported by being loaded."""
    return {"imported": [name for name in request["names"] if name in sys.modules]}


CALLS: dict[str, Callable[[loading.Loaded, Request], Request]] = {
    "execute": execute,
    "learn": learn,
    "evaluate": evaluate,
    "modules": modules,
}

if __name__ == "__main__":
    loaded = loading.load(sys.argv[1])
    print(json.dumps([CALLS[request["call"]](loaded, request) for request in json.load(sys.stdin)]))
