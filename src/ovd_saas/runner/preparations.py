"""Preparations: an archive becomes a release that can be started: unpacked, its environment built, its samples run."""

import asyncio
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from ovd_saas.runner import checks, folders, preloads, sandbox, told
from ovd_saas.runner.births import Births, NotBorn, Wanted
from ovd_saas.runner.builds import Build, OnText
from ovd_saas.runner.children import Nursery
from ovd_saas.runner.commands import OnLine, Outcome, follow, run
from ovd_saas.runner.environments import Environment, Environments
from ovd_saas.runner.failures import PreparationFailed
from ovd_saas.runner.processes import StartRefused
from ovd_saas.runner.releases import Prepared, Releases
from ovd_saas.runner.starts import Order

UNPACK_SECONDS = 300.0
COMPILE_SECONDS = 300.0
IMPORT_SECONDS = 120.0  # for import and set-up, beside the time of the samples
LONGEST_CHECK = 1800.0  # seconds
OURS = sandbox.Limits(memory_mb=512, disk_mb=4096)  # for our own programs


class Preparations:
    """The preparations of this machine; one of a release at a time, whoever asks."""

    def __init__(
        self, *, releases: Releases, environments: Environments, births: Births, scratch: Path, nursery: Nursery
    ) -> None:
        self._releases = releases
        self._environments = environments
        self._scratch = scratch
        self._births = births
        self._nursery = nursery
        self._builds: dict[str, Build[Prepared]] = {}

    def find(self, release: str) -> Prepared | None:
        """The preparation of a release, if it can be started as it is."""
        prepared = self._releases.find(release)
        if prepared is None or self._environments.find(prepared.environment) is None:
            return None
        return prepared

    async def prepare(self, release: str, archive: Path, on_text: OnText) -> Prepared:
        """Raises PreparationFailed; then nothing of the release is left. Removes the archive."""
        prepared = self.find(release)
        if prepared is not None:
            folders.discard(archive)
            on_text("The release is prepared already.")
            return prepared
        build = self._builds.get(release)
        if build is None:
            build = Build(lambda say: self._prepare(release, archive, say))
            build.when_over(lambda: self._forget(release))
            self._builds[release] = build
        else:
            folders.discard(archive)
        return await build.follow(on_text)

    async def check(self, release: str, on_text: OnText) -> dict[str, Any]:
        """Run the samples of a prepared release again: `samples`, `seconds`, and `error` (empty when all is well).
        Raises StartRefused when it is not prepared here."""
        prepared = self.find(release)
        environment = self._environments.find(prepared.environment) if prepared else None
        if prepared is None or environment is None:
            raise StartRefused("not_prepared", f"The release {release} is not prepared on this machine: prepare it.")
        began, error = time.monotonic(), ""
        report, outcome = await self._check(environment, self._releases.source(release), prepared.manifest, on_text)
        try:
            report.judge(outcome)
        except PreparationFailed as failed:
            error = str(failed)
        return {"samples": report.samples, "seconds": round(time.monotonic() - began, 3), "error": error}

    async def cancel(self) -> None:
        """Give up all that is under way."""
        for build in list(self._builds.values()):
            await build.cancel()

    def _forget(self, release: str) -> None:
        del self._builds[release]

    async def _prepare(self, release: str, archive: Path, say: OnText) -> Prepared:
        began = time.monotonic()
        building = self._releases.begin()
        source = building / "source"
        try:
            manifest = await self._unpack(archive, source, say)
            lock = _lock(source, manifest)
            environment = await self._environments.provide(lock, manifest["environment"]["python"], say)
            manifest["sleep"]["preload"] = preloads.settle(manifest, lock.decode(), environment.folder)
            await self._compile(source)
            folders.make_read_only(source)
            report, outcome = await self._check(environment, source, manifest, say)
            schema = report.judge(outcome)
            seconds = round(time.monotonic() - began, 3)
            size = await asyncio.to_thread(environment.size_mb)
            prepared = Prepared(
                environment.digest, schema, manifest, report.samples, seconds, environment.version(), size
            )
            self._releases.keep(release, building, prepared)
            return prepared
        finally:
            folders.discard(archive)
            folders.remove(building)

    async def _unpack(self, archive: Path, source: Path, say: OnText) -> dict[str, Any]:
        said: list[str] = []
        arguments = [sys.executable, "-m", "ovd_saas.runner.arrivals", str(archive), str(source)]
        path = [Path(entry) for entry in sys.path if entry]
        outcome = await self._run(arguments, OURS, path, UNPACK_SECONDS, lambda _, line: said.append(line))
        if not outcome.ok or not said:
            raise PreparationFailed("unpack", f"The archive could not be unpacked: {outcome.message}")
        arrival: dict[str, Any] = json.loads(said[-1])
        if "manifest" not in arrival:
            raise PreparationFailed(arrival["stage"], told.text(arrival["message"]))
        say(f"Unpacked {arrival['manifest']['name']}.")
        manifest: dict[str, Any] = arrival["manifest"]
        return manifest

    async def _compile(self, source: Path) -> None:
        """Byte code for the release, once, so that waking need not. Code that does not compile is told by the check.
        By our own Python: that of the environment runs code of strangers as soon as it begins."""
        arguments = [sys.executable, "-I", "-m", "compileall", "-q", str(source)]
        await self._run(arguments, OURS, [], COMPILE_SECONDS, lambda _, __: None)

    async def _check(
        self, environment: Environment, source: Path, manifest: dict[str, Any], say: OnText
    ) -> tuple[checks.Report, Outcome]:
        resources, sleep = manifest["resources"], manifest["sleep"]
        name = f"prepare-{secrets.token_hex(8)}"
        wanted = Wanted(
            process=name,
            release="",
            source=source,
            environment=environment.digest,
            python=environment.python,
            limits=sandbox.Limits(
                memory_mb=resources["memory_mb"],
                cpus=resources["cpus"],
                disk_mb=resources["disk_mb"],
                gpus=resources["gpus"],
            ),
            preload=tuple(sleep["preload"]),
            fork=sleep["wake"] == "fork",
        )
        report = checks.Report(say)
        try:
            outcome = await follow(
                lambda output: self._births.check(wanted, output),
                patience=_patience(source, manifest),
                on_line=report.take,
            )
        except NotBorn as error:
            raise PreparationFailed("import", f"The application cannot be imported: {error}") from error
        finally:
            self._births.clear(name)
        return report, outcome

    async def _run(
        self, arguments: list[str], limits: sandbox.Limits, path: list[Path], patience: float, on_line: OnLine
    ) -> Outcome:
        scratch = self._scratch / f"prepare-{secrets.token_hex(8)}"
        scratch.mkdir(mode=0o700)
        variables = sandbox.variables(
            scratch=scratch, path=[Path(arguments[0]).parent], python_path=path, cpus=limits.cpus
        )
        order = Order(arguments=arguments, variables=variables, folder=scratch, limits=limits)
        try:
            return await run(self._nursery, order, patience=patience, on_line=on_line)
        finally:
            folders.remove(scratch)


def _lock(source: Path, manifest: dict[str, Any]) -> bytes:
    file: Path = source / manifest["environment"]["lock"]
    if not file.resolve().is_relative_to(source.resolve()) or not file.is_file():
        raise PreparationFailed(
            "environment",
            f'The lock "{manifest["environment"]["lock"]}" is not in the folder. '
            "Make it with `uv pip compile`, or add an empty file when the application needs no package.",
        )
    return file.read_bytes()


def _patience(source: Path, manifest: dict[str, Any]) -> float:
    samples = len(list((source / "samples").glob("*.json")))
    return float(min(IMPORT_SECONDS + samples * manifest["execute"]["timeout"], LONGEST_CHECK))
