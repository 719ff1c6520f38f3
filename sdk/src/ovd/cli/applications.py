"""Applications: those one may see, and one of them with what goes in and comes out."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    app.command("list")(list_applications)
    app.command("show")(show)


def list_applications() -> None:
    """List the applications that you may use."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        found = client.applications()
    if not found:
        print("There is no application yet. Publish one with: ovd push")
        return
    rows = [
        (f"{item['org']}/{item['name']}", str(item.get("phase") or ""), str(item.get("title") or "")) for item in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for address, phase, title in rows:
        print(f"{address:{widths[0]}}  {phase:{widths[1]}}  {title}".rstrip())


def show(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
) -> None:
    """Show an application, its inputs and its outputs."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        found = client.application(application)
        schema = client.schema(application) if found.get("release") else {}
    print(f"{application}: {found.get('title') or ''}")
    if schema.get("summary"):
        print(schema["summary"])
    for key in ("status", "health", "phase", "reason"):
        if found.get(key):
            print(f"{key + ':':9}{found[key]}")
    if found.get("next"):
        at = f" ({found['next']['at']})" if found["next"].get("at") else ""
        print(f"next:    {found['next']['what']}{at}")
    if found.get("url"):
        print(f"page:    {client.url}{found['url']}")
    for part in ("inputs", "outputs"):
        fields = (schema.get(part) or {}).get("properties") or {}
        if fields:
            print(f"{part}:")
            print("\n".join(f"  {name}  {described(fields[name])}" for name in sorted(fields, key=place_in(fields))))


def place_in(fields: "Mapping[str, Any]") -> "Callable[[str], int]":
    """Sorts names as the author declared them; JSON on its way may have lost the order."""
    return lambda name: int((fields[name].get("x-ovd") or {}).get("order") or 0)


def described(field: "Mapping[str, Any]") -> str:
    """`integer, 1 to 168 h, default 24: Horizon`"""
    hints = field.get("x-ovd") or {}
    low, high, unit = field.get("minimum"), field.get("maximum"), hints.get("unit") or ""
    said = [str(hints.get("kind") or field.get("type") or "value")]
    if low is not None and high is not None:
        said.append(f"{low} to {high} {unit}".rstrip())
    elif low is not None:
        said.append(f"at least {low} {unit}".rstrip())
    elif high is not None:
        said.append(f"at most {high} {unit}".rstrip())
    elif unit:
        said.append(unit)
    if field.get("enum"):
        said.append("one of " + ", ".join(str(choice) for choice in field["enum"]))
    if "default" in field:
        said.append(f"default {field['default']}")
    return ", ".join(said) + (f": {field['title']}" if field.get("title") else "")
