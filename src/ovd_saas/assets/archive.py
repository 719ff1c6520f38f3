"""The archive as pages show it: inputs and outputs of an execution by kind, with the addresses of their bytes."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse

from ovd_saas.assets import kinds, plots
from ovd_saas.store.records import Execution


def values(execution: Execution) -> dict[str, Any]:
    """`inputs`, `outputs` and `plot` for the templates of `ovd/kinds`."""
    schema = execution.release.schema if execution.release else _current_schema(execution)
    inputs = kinds.shown(schema.get("inputs", {}), execution.inputs, _address(execution, "inputs"))
    outputs = kinds.shown(schema.get("outputs", {}), execution.outputs, _address(execution, "outputs"))
    return {"inputs": inputs, "outputs": outputs, "plot": plots.together(outputs, inputs)}


def _current_schema(execution: Execution) -> dict[str, Any]:
    """One that has not started yet will run on the current release."""
    release = execution.application.release
    return release.schema if release else {}


def _address(execution: Execution, side: str) -> Callable[[str, str, Any], str]:
    def address(name: str, kind: str, value: Any) -> str:
        if kind in ("series", "table"):
            return reverse("panel:values", args=[execution.pk, side, name])
        if kind in ("image", "file") and value.get("digest"):
            return reverse("panel:file", args=[execution.pk, value["digest"]])
        return ""

    return address
