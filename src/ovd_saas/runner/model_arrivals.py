"""Model arrivals: unpack the tar of a model, read-only, in a process of its own:
`python -m ovd_saas.runner.model_arrivals ARCHIVE FOLDER`. Prints one line of JSON, `{"refused": text or null}`."""

import json
import sys
from pathlib import Path

from ovd_saas.runner import archives, folders, models


def arrive(archive: Path, folder: Path) -> str | None:
    """Why the model is refused; None when it is all there."""
    try:
        archives.unpack_tar(archive, folder, models.BOUNDS)
    except archives.ArchiveRefused as refusal:
        return str(refusal)
    folders.make_read_only(folder)
    return None


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"refused": arrive(Path(sys.argv[1]), Path(sys.argv[2]))}) + "\n")
