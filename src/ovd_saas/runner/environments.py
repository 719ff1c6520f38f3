"""Environments: what a release's lock asks for, installed once per machine and shared by all releases that lock the
same. A folder is either complete or not there: it is built beside and renamed."""

import hashlib
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from ovd_saas.runner import folders, locks
from ovd_saas.runner.builds import Build, OnText
from ovd_saas.runner.children import Nursery
from ovd_saas.runner.commands import OnLine, Outcome, run
from ovd_saas.runner.failures import PreparationFailed
from ovd_saas.runner.sandbox import MARK, Limits
from ovd_saas.runner.starts import Order

BUILDING = ".building-"
LIMITS = Limits(memory_mb=8192, disk_mb=16384, tasks=4096)
# What reaches uv: where packages come from is the machine's matter. Nothing else of the platform does.
PASSED = ("HOME", "PATH", "LANG", "NETRC", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "REQUESTS_CA_BUNDLE")
PASSED_PREFIXES = ("UV_", "PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
REMEMBERED = 12  # last lines of uv that go into the message of a failure
FROM_SOURCE = (
    "\nA package that is built from source would run its own code on this machine, with no wall around it. Lock a "
    "version that has wheels, or have the operator set OVD_SOURCE_PACKAGES=1."
)
# Prints what tells two interpreters apart: implementation, version, platform.
IDENTITY = "import sys, sysconfig as s; print(sys.implementation.name, sys.version.split()[0], s.get_platform())"


@dataclass(frozen=True)
class Environment:
    """A complete one."""

    digest: str
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def version(self) -> str:
        """Of its Python, "3.11.9"; empty when it does not tell."""
        lines = (self.folder / "pyvenv.cfg").read_text(errors="replace").splitlines()
        pairs = (line.partition("=") for line in lines)
        return next((value.strip() for key, _, value in pairs if key.strip() == "version_info"), "")

    def size_mb(self) -> float:
        """What its files hold; it takes a moment, as there are many."""
        sizes = (file.lstat().st_size for file in self.folder.rglob("*"))
        return round(sum(sizes) / (1 << 20), 3)


class Environments:
    """The environments of this machine."""

    def __init__(
        self,
        folder: Path,
        *,
        scratch: Path,
        uv_cache: Path,
        nursery: Nursery,
        build_seconds: float,
        may_build: bool = False,
    ) -> None:
        self._folder = folder
        self._scratch = scratch
        self._uv_cache = uv_cache
        self._nursery = nursery
        self._build_seconds = build_seconds
        self._may_build = may_build  # source packages: their build scripts are code that no wall surrounds
        self._builds: dict[str, Build[None]] = {}

    def clean(self) -> None:
        """Remove what an interrupted runner left half built."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._folder.glob(f"{BUILDING}*"):
            folders.remove(leftover)
        for environment in self._folder.iterdir():  # of a version that made them for itself alone
            if not environment.stat().st_mode & 0o005:
                folders.make_readable(environment)

    def find(self, digest: str) -> Environment | None:
        """The environment of that digest, if it is built."""
        folder = self._of(digest)
        return Environment(digest, folder) if (folder / "bin" / "python").exists() else None

    async def provide(self, lock: bytes, python: str, on_text: OnText) -> Environment:
        """The environment for a lock and a range of Python versions such as `>=3.11`; built when it is missing.
        Raises PreparationFailed."""
        text = _checked(lock)
        interpreter, identity = await self._interpreter(python)
        digest = "sha256:" + hashlib.sha256(b"\0".join([lock, identity.encode()])).hexdigest()
        found = self.find(digest)
        if found is not None:
            on_text(f"The environment {digest[7:19]} is there already.")
            return found
        build = self._builds.get(digest)
        if build is None:
            build = Build(lambda say: self._build(digest, interpreter, text, say))
            build.when_over(lambda: self._forget(digest))
            self._builds[digest] = build
        await build.follow(on_text)
        return Environment(digest, self._of(digest))

    def _of(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")

    def _forget(self, digest: str) -> None:
        del self._builds[digest]

    async def _interpreter(self, python: str) -> tuple[str, str]:
        """Path and identity of an interpreter in that range."""
        said: list[str] = []
        listen: OnLine = lambda _, line: said.append(line)  # noqa: E731
        search = ["python", "find", "--system", "--no-project", "--no-python-downloads", python]
        found = await self._uv(search, listen)
        if not found.ok:
            raise PreparationFailed(
                "environment",
                f"This machine has no Python {python}. Ask for another range in ovd.toml ([environment] python), "
                "or have the operator install one.",
            )
        interpreter, said = said[-1], []
        asked = await self._run([interpreter, "-I", "-c", IDENTITY], lambda _, line: said.append(line))
        if not asked.ok or not said:
            raise PreparationFailed("environment", f"The interpreter {interpreter} does not work: {asked.message}")
        return interpreter, said[-1]

    async def _build(self, digest: str, interpreter: str, lock: str, say: OnText) -> None:
        building = self._folder / f"{BUILDING}{digest[7:23]}-{secrets.token_hex(4)}"
        try:
            say(f"Building the environment {digest[7:19]}.")
            await self._must(["venv", "--no-project", "--relocatable", "--python", interpreter, str(building)], say)
            if not locks.is_empty(lock):
                file = building / "requirements.lock"
                file.write_text(lock)
                python = str(building / "bin" / "python")
                sync = ["pip", "sync", "--require-hashes", "--python", python, str(file)]
                if not self._may_build:
                    sync.append("--no-build")
                await self._must(sync, say)
                await self._compile(interpreter, building)
            folders.make_readable(building)
            building.rename(self._of(digest))
        finally:
            folders.remove(building)

    async def _compile(self, interpreter: str, building: Path) -> None:
        """Byte code of the packages, once. By the interpreter of the machine: that of the environment would run what
        they bring for its start."""
        compile_all = [interpreter, "-I", "-m", "compileall", "-q", "-j", "0", *_packages(building)]
        await self._run(compile_all, lambda _, __: None)

    async def _must(self, arguments: list[str], say: OnText) -> None:
        last: list[str] = []

        def on_line(_: str, line: str) -> None:
            say(line)
            last.append(line)
            del last[:-REMEMBERED]

        outcome = await self._uv(arguments, on_line)
        if not outcome.ok:
            told = "\n".join(last) or outcome.message
            told += FROM_SOURCE if "--no-build" in told else ""
            raise PreparationFailed("environment", f"`uv {' '.join(arguments[:2])}` failed:\n{told}")

    async def _uv(self, arguments: list[str], on_line: OnLine) -> Outcome:
        return await self._run([find_uv_bin(), "--color", "never", "--no-progress", *arguments], on_line)

    async def _run(self, arguments: list[str], on_line: OnLine) -> Outcome:
        mark = self._scratch / f"build-{secrets.token_hex(8)}"  # no folder: a name for the children of this command
        variables = passed(os.environ) | {"UV_CACHE_DIR": str(self._uv_cache), MARK: str(mark)}
        order = Order(arguments=arguments, variables=variables, folder=self._folder, limits=LIMITS, umask=0o022)
        return await run(self._nursery, order, patience=self._build_seconds, on_line=on_line)


def passed(variables: Mapping[str, str]) -> dict[str, str]:
    """What of the environment uv may see: where packages come from; and our own Python is found first."""
    found = {
        name: value for name, value in variables.items() if name in PASSED or name.upper().startswith(PASSED_PREFIXES)
    }
    found["PATH"] = os.pathsep.join([str(Path(sys.base_exec_prefix, "bin")), found.get("PATH", os.defpath)])
    found.setdefault("UV_PYTHON_PREFERENCE", "system")
    return found


def _packages(environment: Path) -> list[str]:
    return [str(folder) for folder in environment.glob("lib/python*/site-packages")]


def _checked(lock: bytes) -> str:
    try:
        text = lock.decode()
    except UnicodeDecodeError:
        raise PreparationFailed("environment", f"The lock is not UTF-8 text. {locks.CURE}") from None
    problem = locks.problem(text)
    if problem is not None:
        raise PreparationFailed("environment", f"The lock cannot be used: {problem}")
    return text
