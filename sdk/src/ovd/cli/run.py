"""Run: one execution on this machine, with no platform."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ovd.cli import inputs as typed
from ovd.cli import outputs as shown
from ovd.cli.refusal import Refusal
from ovd.cli.waiting import Waiting
from ovd.nearest import did_you_mean


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    given: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="[FOLDER] [NAME=VALUE|NAME=@FILE]...", help="Folder (else this one) and inputs."),
    ] = None,
    sample: Annotated[Optional[str], typer.Option(help="Take the inputs of this sample; others replace them.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    out: Annotated[Optional[Path], typer.Option(help="Folder for the files that come out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Execute an application here, with no platform."""
    from ovd import loading, testing

    folder, arguments = _folder(given or [])
    schema = loading.load(folder).schema
    values, files = typed.read(arguments, schema["inputs"])
    inputs = {**_of_sample(folder, sample, schema["samples"]), **values, **files}
    with Waiting("running") as waiting:

        def tell(frame: "Mapping[str, Any]") -> None:
            if frame["type"] == "log":
                waiting.say(frame["text"])
            elif frame["type"] == "progress":
                waiting.show("", frame["fraction"], frame["message"])

        outcome = testing.run(folder, inputs, seed=seed, into=out, tell=tell)
    if as_json:
        print(json.dumps(_document(outcome), indent=2, ensure_ascii=False))
    elif outcome.succeeded:
        print("\n".join(shown.lines(outcome.outputs, schema["outputs"])))
    _tell_end(outcome, out)
    if not outcome.succeeded:
        raise typer.Exit(1)


def _folder(given: "Sequence[str]") -> "tuple[Path, Sequence[str]]":
    """The folder, which is the first argument when that is no input, and the inputs."""
    if not given or "=" in given[0]:
        return Path(), given
    folder = Path(given[0])
    if not folder.is_dir():
        raise Refusal(f"{folder} is neither a folder nor an input. Write ovd run FOLDER name=value …")
    return folder, given[1:]


def _of_sample(folder: Path, name: Optional[str], samples: "list[dict[str, Any]]") -> "dict[str, Any]":
    """The inputs of a sample, its files as paths."""
    if name is None:
        return {}
    wanted = name.removeprefix("samples/").removesuffix(".json")
    for sample in samples:
        if sample["name"] == wanted:
            return {key: _beside(folder, value) for key, value in sample["inputs"].items()}
    raise Refusal(f"There is no sample {wanted!r}.{did_you_mean(wanted, [sample['name'] for sample in samples])}")


def _beside(folder: Path, value: Any) -> Any:
    is_file = isinstance(value, dict) and set(value) == {"file"}
    return folder / "samples" / value["file"] if is_file else value


def _document(outcome: Any) -> "dict[str, Any]":
    names = ("status", "outputs", "message", "code", "traceback", "log", "seconds")
    errors = [error._asdict() for error in outcome.errors]
    return {**{name: getattr(outcome, name) for name in names}, "errors": errors}


def _tell_end(outcome: Any, out: Optional[Path]) -> None:
    if outcome.status == "refused":
        for field, message in outcome.errors:
            print(f"{field}: {message}" if field else message, file=sys.stderr)
        return
    if outcome.traceback:
        print(outcome.traceback.rstrip("\n"), file=sys.stderr)
    if not outcome.succeeded:
        print(f"{outcome.status.capitalize()}: {outcome.message}", file=sys.stderr)
        return
    is_dropped = out is None and any(shown.is_file(value) for value in outcome.outputs.values())
    kept = " Keep its files with --out FOLDER." if is_dropped else ""
    print(f"Succeeded in {outcome.seconds:.3g} s.{kept}", file=sys.stderr)
