"""Preloads: the modules that the template of a release imports, settled when the release is made ready."""

import sys
from pathlib import Path
from typing import Any

from ovd import preloads
from ovd.nearest import did_you_mean
from ovd_saas.runner.failures import PreparationFailed


def settle(manifest: dict[str, Any], lock: str, environment: Path) -> list[str]:
    """What `[sleep] preload` of a manifest comes to in the environment of that folder.

    Nothing where every process begins from nothing. A command's libraries are imported by its own program, so its lock
    suggests nothing. Raises PreparationFailed for a module that is named and not there.
    """
    sleep = manifest["sleep"]
    if sleep["wake"] != "fork":
        return []
    named = [name for name in sleep["preload"] if name != preloads.AUTO]
    there = _top_level(environment)
    for name in named:
        if name.partition(".")[0] not in there | sys.stdlib_module_names:
            raise PreparationFailed(
                "manifest",
                f'[sleep] preload names "{name}", which no package of the lock brings. Templates import libraries, '
                f"and nothing of the application.{did_you_mean(name, sorted(preloads.libraries(_known(there))))}",
            )
    found = preloads.resolved(sleep["preload"], "" if manifest["command"] else lock)
    return [name for name in found if name in named or name.partition(".")[0] in there]


def _top_level(environment: Path) -> set[str]:
    """Names that can be imported from there, told by the files alone: nothing of it is run."""
    places = environment.glob("lib*/python*/site-packages/*")
    return {place.name.partition(".")[0] for place in places if place.is_dir() or place.suffix in (".py", ".so")}


def _known(there: set[str]) -> list[str]:
    return [name for modules in preloads.KNOWN.values() for name in modules if name.partition(".")[0] in there]
