"""Models: the versions that an application learned, which one is live, and changing that."""

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

Address = Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Number of the model version.")]
Reason = Annotated[str, typer.Option(help="Why, for the ledger.")]

SHOWN = 3  # metrics in the table
HEADS = ("model", "status", "metrics", "size", "learned from", "live")


def register(app: typer.Typer) -> None:
    app.command("models")(models)
    app.command("promote")(promote)
    app.command("approve")(approve)
    app.command("reject")(reject)
    app.command("rollback")(rollback)
    app.command("live")(live)


def models(
    application: Address,
    number: Annotated[
        Optional[int], typer.Argument(metavar="[NUMBER]", min=1, help="Show this version in full.")
    ] = None,
    folder: Annotated[
        Optional[Path], typer.Option("--download", metavar="FOLDER", help="Write the version's tar there.")
    ] = None,
) -> None:
    """List the model versions of an application, or show one of them."""
    from ovd.cli.connected import client as connected
    from ovd.cli.refusal import Refusal

    if folder is not None and number is None:
        raise Refusal(f"Say which version to download: ovd models {application} NUMBER --download {folder}")
    with connected() as client:
        if number is None:
            _print_table(application, client.models(application))
            return
        _print_one(client.model(application, number))
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            print(f"Wrote {client.download_model(application, number, folder)}", file=sys.stderr)


def promote(application: Address, number: Number, reason: Reason = "") -> None:
    """Let a candidate, or a version that was live before, become live. What runs is swapped without a pause."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        _print_swap(application, client.promote(application, number, reason=reason))


def approve(application: Address, number: Number, reason: Reason = "") -> None:
    """Approve a candidate that passed the gate and waits for a person: the same as promote."""
    promote(application, number, reason)


def reject(application: Address, number: Number, reason: Reason = "") -> None:
    """Decline a candidate. It is kept, but never becomes live."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        model = client.reject(application, number, reason=reason)
    print(f"Model {model.number} of {application} is {model.status}.")


def rollback(
    application: Address,
    to: Annotated[Optional[int], typer.Option(min=1, help="Version to go back to; else the one before.")] = None,
    reason: Reason = "",
) -> None:
    """Go back to the version that was live before the present one."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        _print_swap(application, client.rollback(application, to=to, reason=reason))


def live(
    application: Address,
    at: Annotated[
        Optional[str], typer.Option(metavar="MOMENT", help="Then, such as 2026-03-01T12:00:00Z; else now.")
    ] = None,
) -> None:
    """Say which model version is live, or was at some moment."""
    from ovd.cli.connected import client as connected
    from ovd.cli.following import plain

    with connected() as client:
        answer = client.live(application, at)
    when = moment(answer["at"])
    if answer["model"] is None:
        print(f"{application} had no live model at {when}.")
        return
    row = answer["promotion"]
    print(f"Model {answer['model']['number']} of {application} at {when}.")
    print(f"{row['kind']} by {row['actor']} at {moment(row['at'])}: {plain(row['reason'])}")


def moment(text: str) -> str:
    """`2026-03-01T12:00:00.123Z` → `2026-03-01 12:00:00 UTC`"""
    day, _, time = text.partition("T")
    return f"{day} {time[:8]} UTC"


def _print_swap(application: str, model: Any) -> None:
    if model.is_live:
        print(f"Model {model.number} of {application} is live.")
    else:
        print(
            f"Model {model.number} of {application} becomes live when a process of it is ready. "
            f"See it with: ovd models {application}"
        )


def _print_table(application: str, found: "list[Any]") -> None:
    if not found:
        print(f"{application} has no model version yet. Let it learn with: ovd learn {application}")
        return
    rows = [HEADS, *(_row(model) for model in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _row(model: Any) -> "tuple[str, ...]":
    from ovd.cli.following import measures
    from ovd.uploads import size

    return (
        str(model.number),
        model.status,
        measures(model.metrics, most=SHOWN).replace("\n", " "),
        size(model.size),
        _learned_from(model.document.get("snapshot")),
        _when_live(model.document.get("promotions") or []),
    )


def _print_one(model: Any) -> None:
    from ovd.cli.following import measures, plain
    from ovd.uploads import size

    document = model.document
    said = {
        "status": model.status,
        "reason": plain(model.reason),
        "metrics": measures(model.metrics),
        "size": size(model.size),
        "digest": model.digest,
        "learned from": _learned_from(document.get("snapshot")),
        "learning run": _numbered(document.get("learning_run")),
        "parent": _numbered(document.get("parent")),
        "release": _numbered(document.get("release")),
        "created": moment(document["created_at"]),
    }
    print(f"Model {model.number}")
    for name, text in said.items():
        if text:
            print(f"{name + ':':14}{text}")
    for row in document.get("promotions") or []:
        print(f"{row['kind'] + ':':14}{_stretch(row)} by {row['actor']}: {plain(row['reason'])}")


def _numbered(value: Any) -> str:
    """A number, also when it comes as {id, number}."""
    return str(value["number"] if isinstance(value, dict) else value) if value is not None else ""


def _learned_from(snapshot: "Optional[dict[str, Any]]") -> str:
    """`480 samples of batches 1 to 17`"""
    if not snapshot:
        return ""
    batches = snapshot.get("batches") or []
    if not batches:
        return f"{snapshot['samples']} samples"
    first, last = batches[0], batches[-1]
    return f"{snapshot['samples']} samples of " + (f"batch {first}" if first == last else f"batches {first} to {last}")


def _when_live(promotions: "list[dict[str, Any]]") -> str:
    """Its last time; how often when it was live several times."""
    if not promotions:
        return "never"
    times = f" ({len(promotions)} times)" if len(promotions) > 1 else ""
    return _stretch(promotions[-1]) + times


def _stretch(row: "dict[str, Any]") -> str:
    since = moment(row["at"])
    return f"{since} to {moment(row['until'])}" if row.get("until") else f"since {since}"
