"""What may be sent to the portal at all: judged by its announced length, before a byte of it is kept."""

from contextlib import suppress

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler


class MeasuredUpload(FileUploadHandler):
    """The first upload handler: it stores nothing, and refuses what would only fill the disk.

    Django reads a form to the end before any view runs, also for somebody who has not signed in, and its own limit
    leaves files out. A file somewhat above `IMPORT_MAX_BYTES` comes through: its page refuses it with a sentence.
    """

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):  # noqa: N803 as Django has it
        """Raise RequestDataTooBig (400) for more than the user may send."""
        known = self.request is not None and self.request.user.is_authenticated
        most = 4 * settings.IMPORT_MAX_BYTES if known else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if content_length > most:
            raise RequestDataTooBig(f"The request announces {content_length} bytes, {most} are taken.")

    def receive_data_chunk(self, raw_data, start):
        return raw_data

    def file_complete(self, file_size):
        return None


class TemporaryUpload(TemporaryFileUploadHandler):
    """Keeps a large file in a temporary one, and on a full disk takes that away at once: it holds the room wanted."""

    def receive_data_chunk(self, raw_data, start):
        try:
            return super().receive_data_chunk(raw_data, start)
        except OSError:
            with suppress(OSError):  # what was not yet written has no room either
                self.upload_interrupted()
            raise
