"""Models: the learned folders that processes on this machine are set up with: one read-only folder per version, named
by the digest of its tar, complete or not there. Those unused for longest give way when they get too many."""

import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from ovd_saas.runner import archives, folders, sandbox
from ovd_saas.runner.children import Nursery
from ovd_saas.runner.commands import run
from ovd_saas.runner.starts import Order

BUILDING = ".building-"
UNPACK_SECONDS = 600.0
BOUNDS = archives.Bounds(total_bytes=8 << 30, entries=100_000)
LIMITS = sandbox.Limits(memory_mb=512, disk_mb=8 << 10)  # of the unpacking program
MOST_MODELS = 200


class ModelRefused(Exception):
    """The tar of a model is broken, or is not the one that was announced; nothing of it is kept."""


class Models:
    """The model folders of this machine."""

    def __init__(
        self,
        folder: Path,
        *,
        scratch: Path,
        nursery: Nursery,
        in_use: Callable[[], set[str]],  # digests that living processes were started with
        most_bytes: int,
    ) -> None:
        self._folder = folder
        self._scratch = scratch
        self._nursery = nursery
        self._in_use = in_use
        self._most_bytes = most_bytes
        self._sizes: dict[str, int] = {}  # by name of the folder, bytes

    def clean(self) -> None:
        """Remove what an interrupted runner left half unpacked, and count what is there."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._folder.glob(f"{BUILDING}*"):
            folders.remove(leftover)
        self._sizes = {kept.name: _size(kept) for kept in self._folder.iterdir() if kept.is_dir()}

    def find(self, digest: str) -> Path | None:
        """The folder of a model, which is in use from now on; None when this machine has not got it."""
        folder = self._folder / _name(digest)
        if folder.name not in self._sizes or not folder.is_dir():
            return None
        os.utime(folder)
        return folder

    async def keep(self, digest: str, archive: Path, actual: str) -> None:
        """Afterwards the folder is there, whole and read-only. `actual` is the digest of what arrived. Removes the
        archive. Raises ModelRefused."""
        building = self._folder / f"{BUILDING}{secrets.token_hex(8)}"
        try:
            if actual != digest:
                raise ModelRefused(f"The model that arrived has the digest {actual}, not {digest}. Send it again.")
            if self.find(digest) is not None:
                return
            await self._unpack(archive, building)
            if self.find(digest) is None:  # else somebody was faster
                self._place(building, _name(digest))
        finally:
            folders.discard(archive)
            folders.remove(building)

    def _place(self, building: Path, name: str) -> None:
        size = _size(building)
        os.utime(building)
        folders.remove(self._folder / name)  # one that somebody emptied behind our back
        building.rename(self._folder / name)
        self._sizes[name] = size
        self._make_room(spare=name)

    def _make_room(self, *, spare: str) -> None:
        used = {_name(digest) for digest in self._in_use()} | {spare}
        idle = sorted((name for name in self._sizes if name not in used), key=self._used_at)
        for name in idle:
            if sum(self._sizes.values()) <= self._most_bytes and len(self._sizes) <= MOST_MODELS:
                return
            del self._sizes[name]
            folders.remove(self._folder / name)

    def _used_at(self, name: str) -> float:
        try:
            return (self._folder / name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    async def _unpack(self, archive: Path, building: Path) -> None:
        """In a process of its own: the runner answers others meanwhile, and a hostile file takes only that."""
        said: list[str] = []
        arguments = [sys.executable, "-S", "-m", "ovd_saas.runner.model_arrivals", str(archive), str(building)]
        scratch = self._scratch / f"model-{secrets.token_hex(8)}"
        scratch.mkdir(mode=0o700)
        variables = sandbox.variables(
            scratch=scratch,
            path=[Path(sys.executable).parent],
            python_path=[Path(entry) for entry in sys.path if entry],
            cpus=1,
        )
        order = Order(arguments=arguments, variables=variables, folder=scratch, limits=LIMITS)
        try:
            outcome = await run(
                self._nursery, order, patience=UNPACK_SECONDS, on_line=lambda _, line: said.append(line)
            )
        finally:
            folders.remove(scratch)
        if not outcome.ok or not said:
            raise ModelRefused(f"The model could not be unpacked: {outcome.message or 'nothing was said'}.")
        refusal = json.loads(said[-1])["refused"]
        if refusal is not None:
            raise ModelRefused(refusal)


def _name(digest: str) -> str:
    return digest.replace(":", "-")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
