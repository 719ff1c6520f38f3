"""The archive as pages show it: inputs and outputs of an execution by kind, with the addresses of their bytes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.urls import reverse

from ovd_saas.assets import kinds, plots
from ovd_saas.assets.kinds import Shown
from ovd_saas.store.records import Execution

Address = Callable[[str, str, str, Any], str]  # (inputs | outputs, name, kind, value) -> URL, or ""


def values(execution: Execution, address: Address | None = None) -> dict[str, Any]:
    """`inputs`, `outputs`, `plot` and `pictures` for the templates of `ovd/kinds`; `address` says where bytes are, for
    readers who do not see the execution itself."""
    address = address or _address(execution)
    schema = execution.release.schema if execution.release else _current_schema(execution)
    inputs = kinds.shown(schema.get("inputs", {}), execution.inputs, partial(address, "inputs"))
    outputs = kinds.shown(schema.get("outputs", {}), execution.outputs, partial(address, "outputs"))
    return {
        "inputs": inputs,
        "outputs": outputs,
        "plot": plots.together(outputs, inputs),
        "pictures": _pictures(inputs, outputs),
    }


def _pictures(inputs: list[Shown], outputs: list[Shown]) -> list[dict[str, Any]]:
    """What can be laid over one another: pictures of both sides; none when there is nothing to compare."""
    found = [
        {"side": side, "label": one.label, "url": one.url}
        for side, values in (("inputs", inputs), ("outputs", outputs))
        for one in values
        if one.look == "image" and one.is_picture and one.url
    ]
    return found if len(found) > 1 and any(one["side"] == "outputs" for one in found) else []


def _current_schema(execution: Execution) -> dict[str, Any]:
    """One that has not started yet will run on the current release."""
    release = execution.application.release
    return release.schema if release else {}


def _address(execution: Execution) -> Address:
    def address(side: str, name: str, kind: str, value: Any) -> str:
        if kind in ("series", "table"):
            return reverse("panel:values", args=[execution.pk, side, name])
        if kind in ("image", "file") and value.get("digest"):
            return reverse("panel:file", args=[execution.pk, value["digest"]])
        return ""

    return address
