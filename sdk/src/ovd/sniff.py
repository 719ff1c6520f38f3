"""Sniffing: what a file is, told by its first bytes."""

from pathlib import Path
from typing import Optional

HEAD = 4096  # bytes that are enough to tell

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)


def recognise(head: bytes) -> Optional[str]:
    """The media type that the first bytes prove; None when they prove nothing."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:2] == b"BM" and len(head) >= 18 and head[14:18] in _BMP_HEADERS:
        return "image/bmp"
    return None


_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))


def is_text(head: bytes) -> bool:
    """True when the bytes read as UTF-8 text; a character cut off at the end does no harm."""
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and len(head) >= HEAD - 3
    return True


def media_type(name: str, head: bytes) -> str:
    """The proved media type, else the one its name suggests, else `application/octet-stream`."""
    found = recognise(head)
    if found is not None and found.startswith("image/"):
        return found
    import mimetypes

    return mimetypes.guess_type(name)[0] or found or "application/octet-stream"


def head_of(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(HEAD)
