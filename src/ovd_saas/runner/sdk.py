"""SDK: a copy of the `ovd` package for application processes, so that their environments need not install it and see
nothing else of the platform's."""

import compileall
import hashlib
import shutil
from pathlib import Path

import ovd
from ovd_saas.runner import folders

BUILDING = ".building-"
OURS = {"cli", "client", "starter"}  # for people at a terminal; never needed by a process


def provide(folder: Path) -> Path:
    """The folder to put on PYTHONPATH: `folder/<digest>`, made when it is not there."""
    for leftover in folder.glob(f"{BUILDING}*"):
        folders.remove(leftover)
    package = Path(next(iter(ovd.__path__)))
    files = _files(package)
    target = folder / _digest(package, files)
    if not target.exists():
        _copy(package, files, target)
    return target


def _files(package: Path) -> list[Path]:
    return sorted(
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not _is_ours(path.relative_to(package))
    )


def _is_ours(path: Path) -> bool:
    return path.parts[0].removesuffix(".py") in OURS


def _digest(package: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = (package / file).read_bytes()
        digest.update(f"{file.as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _copy(package: Path, files: list[Path], target: Path) -> None:
    building = target.with_name(f"{BUILDING}{target.name}")
    for file in files:
        place = building / "ovd" / file
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(package / file, place)
    compileall.compile_dir(building, quiet=2, stripdir=str(building), prependdir=str(target))
    folders.make_readable(building)
    building.rename(target)
