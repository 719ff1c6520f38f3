"""Threads: how many the numerical libraries use that are loaded already. A template loads them with one thread each, as
a fork keeps none but the thread that forks; its children set what their application may use."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Iterator

# What sets the number, by library. The suffixes are those under which wheels carry OpenBLAS.
_SETTERS = {
    "openblas": tuple(
        f"{prefix}openblas_set_num_threads{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "", "_64")
    ),
    "libgomp": ("omp_set_num_threads",),
    "libomp": ("omp_set_num_threads",),
    "libiomp": ("omp_set_num_threads",),
    "libmkl_rt": ("MKL_Set_Num_Threads",),
}


def limit(count: int) -> None:
    """Afterwards the libraries loaded so far use `count` threads; those that are loaded later obey the variables."""
    if count == 1:
        return
    for path in _loaded():
        name = path.rpartition("/")[2]
        for part, setters in _SETTERS.items():
            if part in name:
                _call_first(path, setters, count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def _loaded() -> Iterator[str]:
    """The shared libraries of this process."""
    try:
        with Path("/proc/self/maps").open(encoding="utf-8", errors="surrogateescape") as maps:
            paths = {line[line.index("/") :].rstrip("\n") for line in maps if "/" in line and ".so" in line}
    except OSError:
        return
    yield from sorted(paths)


def _call_first(path: str, names: "tuple[str, ...]", count: int) -> None:
    try:
        library = ctypes.CDLL(path, mode=getattr(os, "RTLD_NOLOAD", 0) | os.RTLD_NOW)
    except OSError:
        return
    for name in names:
        setter = getattr(library, name, None)
        if setter is not None:
            setter(ctypes.c_int(count))
            return
