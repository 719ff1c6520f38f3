"""Lines: any line of a long text file, without the file or a place for each line in memory."""

from array import array
from bisect import bisect_right
from pathlib import Path
from typing import Iterator, List, Tuple

BLOCK = 1 << 15  # bytes read at once; a block ends with a line


class Lines:
    """The lines of a file, without their ends; the file may not change. Safe for threads, and for children after a
    fork: nothing is held open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q", [0])  # where each block begins in the file, and its end
        self._firsts = array("Q", [0])  # number of the first line of each block, from 0, and how many lines there are
        self._latest: Tuple[int, List[bytes]] = (0, [])  # number of the first line of the block read last; its lines
        with path.open("rb") as opened:
            while True:
                block = opened.read(BLOCK) + opened.readline()
                if not block:
                    break
                self._starts.append(self._starts[-1] + len(block))
                self._firsts.append(self._firsts[-1] + block.count(b"\n") + (not block.endswith(b"\n")))

    def __len__(self) -> int:
        return self._firsts[-1]

    def __getitem__(self, place: int) -> bytes:
        first, lines = self._latest
        if not first <= place < first + len(lines):
            first, lines = self._latest = self._block(place)
        return lines[place - first]

    def __iter__(self) -> Iterator[bytes]:
        return (self[place] for place in range(len(self)))

    def _block(self, place: int) -> Tuple[int, List[bytes]]:
        if not 0 <= place < len(self):
            raise IndexError(f"There is no line {place}; there are {len(self)}.")
        number = bisect_right(self._firsts, place) - 1
        start, end = self._starts[number], self._starts[number + 1]
        with self._path.open("rb", buffering=0) as opened:
            opened.seek(start)
            block = bytearray()
            while len(block) < end - start:
                more = opened.read(end - start - len(block))
                if not more:
                    raise OSError(f"{self._path.name} became shorter.")
                block += more
        if block.endswith(b"\n"):
            block.pop()
        return self._firsts[number], bytes(block).split(b"\n")
