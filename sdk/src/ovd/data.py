"""Data: the values an application gets and gives that are more than a number or a text."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union, overload

from ovd import sniff

Where = Union[str, Path]


class File:
    """A file with a name and a media type. `path` can be opened for reading; it is gone after the
    execution."""

    def __init__(self, path: Where, name: str = "", media_type: Optional[str] = None) -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        self._media_type = media_type

    @property
    def media_type(self) -> str:
        """As declared, else recognised from the first bytes, else guessed from the name."""
        if self._media_type is None:
            self._media_type = sniff.media_type(self.name, sniff.head_of(self.path))
        return self._media_type

    @property
    def bytes(self) -> bytes:
        """The whole contents, read anew each time."""
        return self.path.read_bytes()

    @property
    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class Image(File):
    """A picture in a file. Open `path` with any library; no library is needed to pass pictures on."""

    def __init__(self, path: Where, media_type: Optional[str] = None, name: str = "") -> None:
        super().__init__(path, name, media_type)

    def save_as(self, path: Where) -> "Image":
        """Copy the picture to `path`, unchanged, and return the copy."""
        return Image(shutil.copyfile(self.path, Path(path)), self._media_type)


class Series:
    """Values in time: `times` and `values` have the same length, or `times` is empty when none were given.

    Times are moments with a time zone; a time without one is taken as UTC. A gap is None, never NaN.
    """

    def __init__(self, times: Sequence[datetime], values: Sequence[Optional[float]]) -> None:
        self.times: List[datetime] = list(times)
        self.values: List[Optional[float]] = list(values)
        if self.times and len(self.times) != len(self.values):
            raise ValueError(
                f"A series of {len(self.values)} values has {len(self.times)} times; "
                "give one time for each value, or none."
            )

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and (self.times, self.values) == (other.times, other.values)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Series({len(self.values)} values)"


class Table:
    """Rows under named columns; a cell is a text, a number, a boolean or None."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns: List[str] = list(columns)
        self.rows: List[List[Any]] = [list(row) for row in rows]
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(f"Row {number} of a table has {len(row)} cells for {len(self.columns)} columns.")

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> List[Any]:
        """The cells under `name`, from top to bottom. Raises KeyError, naming the columns there are."""
        if name not in self.columns:
            raise KeyError(f"There is no column {name!r}; there are {', '.join(self.columns)}.")
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        return (dict(zip(self.columns, row)) for row in self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and (self.columns, self.rows) == (other.columns, other.rows)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({self.columns}, {len(self.rows)} rows)"


class Samples:
    """The samples of a learning run, in the order in which they arrived; each is a dictionary.

    On the platform they stay in a file, and each is read when it is asked for: keep what you need of them. A slice is
    Samples again and costs nothing.
    """

    def __init__(self, rows: Sequence[Dict[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        return iter(self._rows)

    @overload
    def __getitem__(self, place: int) -> Dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> "Samples": ...
    def __getitem__(self, place: Union[int, slice]) -> "Union[Dict[str, Any], Samples]":
        found = self._rows[place]
        return found if isinstance(found, dict) else Samples(found)

    def column(self, name: str) -> List[Any]:
        """The field `name` of every sample, None where a sample lacks it. Raises KeyError when no sample has
        it."""
        column = getattr(self._rows, "column", None)
        if column is not None:
            found: List[Any] = column(name)
            return found
        if self._rows and not any(name in row for row in self._rows):
            known = sorted({key for row in self._rows for key in row})
            raise KeyError(f"No sample has a field {name!r}; there are {', '.join(known)}.")
        return [row.get(name) for row in self._rows]

    def __repr__(self) -> str:
        return f"Samples({len(self._rows)})"
