"""Make feed: turns feed/digits.txt into pictures with labels, to feed and to try. Standard library only.

python make_feed.py FOLDER                 all 1,797 pictures as PNG, in one folder for each label
python make_feed.py FOLDER --first 0 --count 300

uv run --no-project --with scikit-learn==1.9.1 python make_feed.py --check    is digits.txt what scikit-learn ships?
"""

import argparse
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent / "feed" / "digits.txt"
VALUES = "0123456789abcdefg"  # 0 paper, g (16) full ink; each line: the digit, a space, 64 pixels row by row
SIDE = 8


def lines() -> Iterator[tuple[str, str]]:
    """Label and pixels of each picture, in the order of scikit-learn."""
    for line in SOURCE.read_text(encoding="ascii").splitlines():
        label, _, dots = line.partition(" ")
        yield label, dots


def png(dots: str) -> bytes:
    """An 8 × 8 picture, dark ink on white, 8 bits grey. PNG: ISO/IEC 15948."""
    grey = bytes(255 - round(VALUES.index(dot) * 255 / 16) for dot in dots)
    rows = b"".join(b"\0" + grey[first : first + SIDE] for first in range(0, SIDE * SIDE, SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def make(folder: Path, first: int, count: int) -> int:
    """Writes the pictures, in the order of scikit-learn: FOLDER/LABEL/NUMBER.png; how many there are."""
    chosen = list(enumerate(lines()))[first : first + count]
    for number, (label, dots) in chosen:
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number:04}.png").write_bytes(png(dots))
    return len(chosen)


def is_current() -> bool:
    """Whether digits.txt is what scikit-learn ships."""
    from sklearn.datasets import load_digits

    data = load_digits()
    theirs = [
        (str(label), "".join(VALUES[int(value)] for value in row))
        for row, label in zip(data.data, data.target, strict=True)
    ]
    return theirs == list(lines())


def main() -> int:
    """Writes pictures, or checks their source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="where to write")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    if asked.check:
        return 0 if is_current() else 1
    if asked.folder is None:
        parser.error("name a folder, or --check")
    print(f"{make(asked.folder, asked.first, asked.count)} pictures in {asked.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
