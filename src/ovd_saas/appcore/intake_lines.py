"""Intake, the cutting: bytes as they arrive into blocks of whole lines. Floor 2."""

from collections.abc import Iterator

from ovd.schema import FieldError
from ovd_saas.appcore.intake_check import Check
from ovd_saas.appcore.refusals import Refusal

LONGEST_LINE = 16 << 20  # bytes of one sample
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PAR1": "Parquet", b"PK": "zip"}


class NotText(Refusal):
    """The first bytes prove that these are no JSON Lines in UTF-8."""

    code = "invalid"
    http = 422


class Lines:
    """JSON Lines on their way through a check. A mark of UTF-8 at the beginning is left out; the last line may lack its
    line feed; of a line that is too long nothing is kept in memory."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._rest = bytearray()  # the line that has not ended yet
        self._is_skipping = False  # the rest of a line that is too long
        self._is_begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What of it is to be kept. Raises NotText."""
        if not self._is_begun:
            self._rest += chunk
            if len(self._rest) < 4:
                return
            chunk = self._begin()
        end = chunk.rfind(b"\n") + 1
        if self._is_skipping and end:
            start = chunk.find(b"\n") + 1
            chunk, end, self._is_skipping = chunk[start:], end - start, False
        if end:
            block = bytes(self._rest) + chunk[:end] if self._rest else chunk[:end]
            self._rest = bytearray()
            yield from self._cut(block)
            chunk = chunk[end:]
        if not self._is_skipping:
            self._rest += chunk
            if len(self._rest) > LONGEST_LINE:
                self._too_long()
                self._rest, self._is_skipping = bytearray(), True

    def end(self) -> Iterator[bytes]:
        """What is to be kept of the last line. Raises NotText."""
        if not self._is_begun:
            self._rest = bytearray(self._begin())
        if self._rest and not self._is_skipping:
            last, self._rest = bytes(self._rest), bytearray()
            yield from self._cut(last + b"\n")

    def _begin(self) -> bytes:
        self._is_begun = True
        first, self._rest = bytes(self._rest), bytearray()
        for mark, name in _MARKS.items():
            if first.startswith(mark):
                raise NotText(
                    f"This is {name}, not JSON Lines. Send lines of JSON in UTF-8, or say what it is in Content-Type."
                )
        return first.removeprefix(b"\xef\xbb\xbf")

    def _cut(self, block: bytes) -> Iterator[bytes]:
        if len(block) > LONGEST_LINE and (first := block.find(b"\n")) >= LONGEST_LINE:
            self._too_long()
            block = block[first + 1 :]
        if block:
            yield self._check.block(block)

    def _too_long(self) -> None:
        number, self._check.next = self._check.next, self._check.next + 1
        message = (
            f"has more than {LONGEST_LINE >> 20} MiB. Is a line feed missing between samples? Send large data as files."
        )
        self._check.fault(number, [FieldError("", message)])
