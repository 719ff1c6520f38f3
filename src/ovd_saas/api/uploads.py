"""Uploads: parts of a multipart request that go straight into the file store. Floor 3."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from ovd_saas.appcore.refusals import Refusal
from ovd_saas.files import store

LARGEST = 512 * 1024 * 1024  # bytes of one part


class TooLarge(Refusal):
    """The part is over the limit."""

    code = "too_large"
    http = 413


class Upload(UploadedFile):  # type: ignore[type-arg]
    """A part whose bytes are in the file store under `digest`."""

    digest: str


class IntoStore(FileUploadHandler):
    """Hashes and stores while it arrives; nothing stays behind of what is interrupted."""

    _writer: store.Writer | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._writer = store.Writer()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._writer is not None
        if self._writer.size + len(raw_data) > LARGEST:
            self.upload_interrupted()
            raise TooLarge(f"Part {self.field_name!r} is larger than {LARGEST >> 20} MiB. Send less.")
        self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> Upload:
        assert self._writer is not None
        stored = self._writer.commit()
        self._writer = None
        upload = Upload(None, self.file_name, self.content_type, stored.size)
        upload.digest = stored.digest
        return upload

    def upload_interrupted(self) -> None:
        if self._writer is not None:
            self._writer.abort()
            self._writer = None


def expect(request: HttpRequest) -> None:
    """Afterwards files of this request go into the store when somebody reads them; before anything parses it."""
    if (request.content_type or "").startswith("multipart/"):
        request.upload_handlers = [IntoStore(request)]
