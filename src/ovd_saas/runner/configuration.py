"""Configuration: where the runner keeps its things and how patient it is, all from environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ovd.walls.namespaces import IDS
from ovd.walls.standing import FIRST_UID
from ovd_saas.runner import machine

UIDS = (FIRST_UID, 1 << 20)
LONGEST_SOCKET_PATH = 107  # bytes: the kernel's sun_path less its final zero
SOCKET_NAME = 20  # bytes that we put after the run folder: "/p-" + 12 + ".sock"


class Misconfigured(Exception):
    """The runner cannot start with these settings; the text says what to change."""


@dataclass(frozen=True)
class Configuration:
    """What a runner needs to know before it starts."""

    home: Path  # its own folder: releases, models, environments, scratch, logs
    run: Path  # sockets
    uv_cache: Path  # where uv keeps what it downloaded
    lease_seconds: float = 30.0  # a process ends when it heard nothing for so long
    start_seconds: float = 300.0  # a process must be ready by then
    build_seconds: float = 1800.0  # an environment must be built by then
    models_mb: float = 20480.0  # models kept; beyond it those unused for longest go
    templates_mb: int = 4096  # memory of all templates; beyond it those unused for longest go
    applications_mb: int = 0  # memory that processes of applications may be promised, together
    uids: tuple[int, int] = UIDS  # first user, and how many, that a runner of root's gives to processes
    cgroups: bool = True  # make control groups where that is possible
    walls: str = ""  # that must stand: all, or names with commas; empty: as many as can
    source_packages: bool = False  # locks may name packages that are built here, by scripts that no wall surrounds
    is_namespaced: bool = False  # it runs as an ordinary user, in a namespace of its own

    @property
    def socket(self) -> Path:
        return self.run / "runner.sock"

    @property
    def lock(self) -> Path:
        return self.run / "runner.lock"

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def environments(self) -> Path:
        return self.home / "environments"

    @property
    def scratch(self) -> Path:
        return self.home / "scratch"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def room(self) -> Path:
        return self.home / "room"

    @property
    def sdk(self) -> Path:
        return self.home / "sdk"


def read(variables: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration that the variables describe. Raises Misconfigured."""
    home = Path(variables.get("OVD_HOME") or ".ovd").absolute()
    run = Path(variables.get("OVD_RUN") or home / "run").absolute()
    if len(os.fsencode(run)) + SOCKET_NAME > LONGEST_SOCKET_PATH:
        raise Misconfigured(
            f"The folder for sockets, {run}, has a name too long for a unix socket "
            f"({LONGEST_SOCKET_PATH} bytes with the file). Set OVD_RUN to a shorter one, for instance under /tmp."
        )
    return Configuration(
        home=home / "runner",
        run=run,
        lease_seconds=_seconds(variables, "OVD_LEASE_SECONDS", 30.0),
        start_seconds=_seconds(variables, "OVD_START_SECONDS", 300.0),
        build_seconds=_seconds(variables, "OVD_BUILD_SECONDS", 1800.0),
        models_mb=_megabytes(variables, "OVD_MODELS_MB", 20480.0),
        templates_mb=int(_megabytes(variables, "OVD_TEMPLATES_MB", min(machine.memory_mb() / 4, 4096.0))),
        applications_mb=int(_megabytes(variables, "OVD_MEMORY_MB", machine.memory_mb() * 0.8)),
        uids=_range(variables, "OVD_UIDS", UIDS),
        cgroups=_choice(variables, "OVD_CGROUPS", "on", "off") == "on",
        walls=variables.get("OVD_WALLS", ""),
        source_packages=variables.get("OVD_SOURCE_PACKAGES", "") == "1",
        uv_cache=Path(variables.get("UV_CACHE_DIR") or home / "runner/cache/uv").absolute(),
    )


def _seconds(variables: Mapping[str, str], name: str, default: float) -> float:
    return _positive(variables, name, default, "a number of seconds")


def _choice(variables: Mapping[str, str], name: str, *choices: str) -> str:
    """One of the choices, the first of which is meant when nothing is said."""
    text = variables.get(name) or choices[0]
    if text not in choices:
        raise Misconfigured(f"{name} is {text!r}; it must be {' or '.join(choices)}. Correct or unset it.")
    return text


def _megabytes(variables: Mapping[str, str], name: str, default: float) -> float:
    return _positive(variables, name, default, "a number of megabytes")


def _range(variables: Mapping[str, str], name: str, default: tuple[int, int]) -> tuple[int, int]:
    text = variables.get(name)
    if not text:
        return default
    first, _, count = text.partition(":")
    if not (first.isdigit() and count.isdigit() and int(first) > 0 and int(count) >= IDS):
        raise Misconfigured(
            f"{name} is {text!r}; it must be the first user and how many, such as 2000000000:1048576, and at least "
            f"{IDS} of them. Correct or unset it."
        )
    return int(first), int(count)


def _positive(variables: Mapping[str, str], name: str, default: float, what: str) -> float:
    text = variables.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e9:
        raise Misconfigured(f"{name} is {text!r}; it must be {what} above 0. Correct or unset it.")
    return value
