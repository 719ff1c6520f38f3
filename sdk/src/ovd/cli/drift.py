"""Drift: how far what arrives is from what the live version learned from, field by field."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

HEADS = ("field", "kind", "measure", "value", "limit", "")


def register(app: typer.Typer) -> None:
    app.command("drift")(drift)


def drift(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
) -> None:
    """Show whether the data of an application still looks like what its model learned from."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        found = client.drift(application)
    print(found["reason"])
    rows = [HEADS, *_rows(found["fields"])]
    if len(rows) > 1:
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if found["at"]:
        print(f"Looked at {found['at']}.")


def _rows(fields: "Mapping[str, Mapping[str, Any]]") -> "Iterator[tuple[str, ...]]":
    """One row a measure, with a mark where it is over its limit."""
    for name, field in fields.items():
        for measure, value in field["measures"].items():
            limit = field["limits"][measure]
            yield name, str(field["kind"]), measure, f"{value:.3g}", f"{limit:.3g}", "drifts" if value > limit else ""
