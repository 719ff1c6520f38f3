"""Preloads: what a template imports before anybody waits, so that waking need not: named by the manifest, or suggested
by the lock. The times were taken with one thread and files in memory, to see what is worth it."""

import re
from typing import Dict, Iterable, List, Tuple

AUTO = "auto"  # in a list of modules: those that the lock suggests
PATTERN = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
SAID = f"a module such as sklearn.linear_model, or {AUTO}: those of the heavy libraries in the lock"
_NAME = re.compile(r"^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[^\]]*\])?\s*(?:==|@)", re.MULTILINE)

# Distribution → what applications import of it. What a module imports by itself is not named again; what libraries
# import only at first use (scipy's parts, Pillow's formats) is. Libraries that others build on come first. Importing
# must start no work: a library that computes, or opens a device, while it is imported has no place here.
KNOWN: Dict[str, Tuple[str, ...]] = {
    "numpy": ("numpy", "numpy.random", "numpy.ma"),  # 95 ms + 13 + 9
    "scipy": (
        "scipy.linalg",  # 145 ms
        "scipy.sparse.linalg",
        "scipy.special",  # 40 ms
        "scipy.optimize",  # 85 ms
        "scipy.stats",  # 330 ms
        "scipy.signal",  # 85 ms
        "scipy.io",
    ),
    "pyarrow": ("pyarrow", "pyarrow.compute", "pyarrow.parquet"),  # 125 ms + 40 + 20
    "pandas": ("pandas",),  # 390 ms
    "polars": ("polars",),  # 170 ms
    "xarray": ("xarray",),  # 700 ms with pandas
    "h5py": ("h5py",),  # 245 ms
    "pillow": ("PIL.Image", "PIL.ImageDraw", "PIL.PngImagePlugin", "PIL.JpegImagePlugin"),  # 30 ms + 6 + 25 + 8
    "opencv-python": ("cv2",),  # 110 ms
    "opencv-python-headless": ("cv2",),
    "opencv-contrib-python": ("cv2",),
    "opencv-contrib-python-headless": ("cv2",),
    "imageio": ("imageio.v3",),  # 180 ms
    "scikit-image": ("skimage.io", "skimage.filters", "skimage.measure", "skimage.morphology", "skimage.transform"),
    "matplotlib": ("matplotlib.pyplot", "matplotlib.backends.backend_agg"),  # 700 ms
    "networkx": ("networkx",),  # 200 ms
    "numba": ("numba",),  # 380 ms
    "sympy": ("sympy",),  # 480 ms
    "scikit-learn": (
        "sklearn",  # 100 ms after scipy, 950 ms alone
        "sklearn.linear_model",  # 70 ms
        "sklearn.ensemble",  # 75 ms
        "sklearn.cluster",
        "sklearn.datasets",
        "sklearn.neural_network",
        "sklearn.feature_extraction.text",
    ),
    "statsmodels": ("statsmodels.api",),  # 800 ms after scipy and pandas
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost",),
    "xgboost-cpu": ("xgboost",),
    "catboost": ("catboost",),
    "river": ("river.linear_model", "river.preprocessing", "river.compose", "river.metrics", "river.tree"),  # 650 ms
    "soundfile": ("soundfile",),  # 140 ms
    "librosa": ("librosa",),  # its parts come when they are used
    "onnxruntime": ("onnxruntime",),
    "torch": ("torch",),  # 1.5 s; touches no graphics processor until it is used
    "torchvision": ("torchvision",),
    "torchaudio": ("torchaudio",),
    "jax": ("jax", "jax.numpy"),
    "flax": ("flax",),
    "tensorflow": ("tensorflow",),
    "tensorflow-cpu": ("tensorflow",),
    "keras": ("keras",),
    "transformers": ("transformers",),  # its models come when they are used
    "tokenizers": ("tokenizers",),
    "sentence-transformers": ("sentence_transformers",),
    "lightning": ("lightning",),
    "pytorch-lightning": ("pytorch_lightning",),
    "spacy": ("spacy",),
}


def suggested(lock: str) -> List[str]:
    """The modules of the known heavy libraries that the text of a lock file names, each once."""
    locked = {_normal(name) for name in _NAME.findall(lock)}
    return _once(module for name, modules in KNOWN.items() if name in locked for module in modules)


def resolved(preload: Iterable[str], lock: str) -> List[str]:
    """A manifest's list of modules with what `auto` stands for in its place, each module once."""
    return _once(module for name in preload for module in (suggested(lock) if name == AUTO else [name]))


def libraries(modules: Iterable[str]) -> List[str]:
    """What people call them: the first part of each name, once."""
    return _once(module.partition(".")[0] for module in modules)


def said(modules: Iterable[str], source: str) -> str:
    """A sentence for the author; `source` is lock or manifest."""
    names = ", ".join(libraries(modules))
    where = "from the lock; [sleep] preload overrides" if source == "lock" else "from [sleep] preload"
    return f"Preloaded by the template: {names} ({where})."


def _normal(name: str) -> str:
    """As distributions are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _once(names: Iterable[str]) -> List[str]:
    return list(dict.fromkeys(names))
