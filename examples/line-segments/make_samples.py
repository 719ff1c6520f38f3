"""Make samples: copies the example pictures into samples/ out of the packages that bundle them.

In a folder with `ovd` and numpy installed (or on PYTHONPATH):

    uv run --no-project --with scikit-image==0.26.0 --with scikit-learn==1.9.1 python make_samples.py
"""

import json
import shutil
from importlib.resources import files
from pathlib import Path

from app import LineSegments

from ovd import Context, Image

SAMPLES = Path(__file__).parent / "samples"
PICTURES = {
    "camera": (
        "A man with a camera",
        ("skimage.data", "camera.png"),
        "Photograph by Lav Varshney, bundled in scikit-image",
        "CC0-1.0",
        {},
    ),
    "brick": (
        "A brick wall",
        ("skimage.data", "brick.png"),
        "CC0Textures Bricks25, bundled in scikit-image",
        "CC0-1.0",
        {"minimum_length": 20},
    ),
    "china": (
        "A temple in China",
        ("sklearn.datasets.images", "china.jpg"),
        "Photograph by danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035/, "
        "bundled in scikit-learn",
        "CC-BY-2.0",
        {"certainty": 2},
    ),
}  # name: title, where from, credit, licence, other inputs


def main() -> None:
    """Writes pictures and samples; what is expected is what the application finds."""
    scratch = SAMPLES / ".scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    for name, (title, (package, file), credit, licence, others) in PICTURES.items():
        path = SAMPLES / file
        path.write_bytes(files(package).joinpath(file).read_bytes())
        inputs = {"minimum_length": 10, "certainty": 0.0, **others}
        answer = LineSegments().execute(Context(scratch=lambda: scratch), Image(path), **inputs)
        content = {
            "title": title,
            "credit": credit,
            "licence": licence,
            "inputs": {"picture": {"file": file}, **others},
            "expect": {"count": answer.count, "total_length": answer.total_length},
            "tolerance": 0.02,  # another processor may round a direction to the other side
        }
        (SAMPLES / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"{name}: {answer.count} segments")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
