"""Fields: what one input or output is, said by the author in the signature of `execute` or in an `Outputs`
class."""

import dataclasses
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

KINDS = ("number", "integer", "boolean", "text", "choice", "image", "table", "series", "file")
SAMPLE_KINDS = (*KINDS, "datetime")  # what a field of a sample may be
FILE_KINDS = ("image", "file")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/tiff", "image/webp", "image/bmp")
MAX_BYTES = 20 * 1024 * 1024


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"

    def __deepcopy__(self, memo: object) -> "_Required":
        return self  # it is compared by identity


REQUIRED: Any = _Required()


@dataclasses.dataclass(frozen=True)
class Field:
    """One input, output or part of a sample. Bounds that were not given are None; lengths count characters, values or
    rows."""

    kind: str  # one of KINDS; of a sample: of SAMPLE_KINDS
    name: str = ""
    default: Any = REQUIRED
    label: str = ""
    help: str = ""
    unit: str = ""
    advanced: bool = False  # forms put it in the folded part
    optional: bool = False  # may be absent: the application gets None
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    step: Optional[float] = None  # a hint for forms
    minimum_length: Optional[int] = None
    maximum_length: Optional[int] = None
    pattern: str = ""
    multiline: bool = False
    choices: Tuple[Any, ...] = ()
    labels: Tuple[str, ...] = ()  # of the choices, in their order; empty = the choices themselves
    columns: Tuple[str, ...] = ()  # a table has at least these
    timed: bool = False  # a series must come with its times
    max_bytes: int = MAX_BYTES
    media_types: Tuple[str, ...] = ()  # empty = any
    file: str = ""  # command applications: the file the program writes for this output

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED and not self.optional

    def replace(self, **changes: Any) -> "Field":
        return dataclasses.replace(self, **changes)


def number(
    default: Any = REQUIRED,
    *,
    minimum: Optional[float] = None,
    maximum: Optional[float] = None,
    step: Optional[float] = None,
    unit: str = "",
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """A real number (never NaN or infinite) between `minimum` and `maximum`, both included."""
    return Field(
        "number",
        default=default,
        minimum=minimum,
        maximum=maximum,
        step=step,
        unit=unit,
        label=label,
        help=help,
        advanced=advanced,
    )


def integer(
    default: Any = REQUIRED,
    *,
    minimum: Optional[int] = None,
    maximum: Optional[int] = None,
    step: Optional[int] = None,
    unit: str = "",
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """A whole number between `minimum` and `maximum`, both included."""
    return Field(
        "integer",
        default=default,
        minimum=minimum,
        maximum=maximum,
        step=step,
        unit=unit,
        label=label,
        help=help,
        advanced=advanced,
    )


def boolean(default: Any = REQUIRED, *, label: str = "", help: str = "", advanced: bool = False) -> Any:
    """Yes or no."""
    return Field("boolean", default=default, label=label, help=help, advanced=advanced)


def text(
    default: Any = REQUIRED,
    *,
    minimum_length: Optional[int] = None,
    maximum_length: Optional[int] = None,
    pattern: str = "",
    multiline: bool = False,
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """Text; lengths in characters. `pattern` is a regular expression that must match somewhere in it."""
    return Field(
        "text",
        default=default,
        minimum_length=minimum_length,
        maximum_length=maximum_length,
        pattern=pattern,
        multiline=multiline,
        label=label,
        help=help,
        advanced=advanced,
    )


def choice(
    choices: Union[Sequence[Any], Mapping[Any, str]],
    default: Any = REQUIRED,
    *,
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """One of `choices`: a list of values, or a mapping from each value to what people read."""
    labels = tuple(str(value) for value in choices.values()) if isinstance(choices, Mapping) else ()
    return Field(
        "choice",
        default=default,
        choices=tuple(choices),
        labels=labels,
        label=label,
        help=help,
        advanced=advanced,
    )


def image(
    default: Any = REQUIRED,
    *,
    media_types: Sequence[str] = IMAGE_TYPES,
    max_bytes: int = MAX_BYTES,
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """A picture in a file, of one of `media_types` (recognised by its first bytes, not by its name)."""
    return Field(
        "image",
        default=default,
        media_types=tuple(media_types),
        max_bytes=max_bytes,
        label=label,
        help=help,
        advanced=advanced,
    )


def file(
    default: Any = REQUIRED,
    *,
    media_types: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """Any file; `media_types` narrows it (`text/csv`, `text/*`)."""
    return Field(
        "file",
        default=default,
        media_types=tuple(media_types),
        max_bytes=max_bytes,
        label=label,
        help=help,
        advanced=advanced,
    )


def table(
    default: Any = REQUIRED,
    *,
    columns: Sequence[str] = (),
    minimum_rows: Optional[int] = None,
    maximum_rows: Optional[int] = None,
    max_bytes: int = MAX_BYTES,
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """A table that has at least the given `columns`."""
    return Field(
        "table",
        default=default,
        columns=tuple(columns),
        minimum_length=minimum_rows,
        maximum_length=maximum_rows,
        max_bytes=max_bytes,
        label=label,
        help=help,
        advanced=advanced,
    )


def series(
    default: Any = REQUIRED,
    *,
    minimum_length: Optional[int] = None,
    maximum_length: Optional[int] = None,
    timed: bool = False,
    unit: str = "",
    max_bytes: int = MAX_BYTES,
    label: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """Values in time; a gap is None. `timed` refuses a plain list of numbers, which comes without times."""
    return Field(
        "series",
        default=default,
        minimum_length=minimum_length,
        maximum_length=maximum_length,
        timed=timed,
        unit=unit,
        max_bytes=max_bytes,
        label=label,
        help=help,
        advanced=advanced,
    )
