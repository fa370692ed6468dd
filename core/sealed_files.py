"""Files kept sealed: what lies on the disk opens only with the field keys; a reader gets a clear copy for a moment."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible

from core import secrets


@deconstructible(path="core.sealed_files.SealedStorage")
class SealedStorage(FileSystemStorage):
    """Files in MEDIA_ROOT, sealed under the key ring and bound to their name. Opening one gives its clear content."""

    def _save(self, name, content):
        return super()._save(name, ContentFile(secrets.seal_bytes(content.read(), self._place(name))))

    def _open(self, name, mode="rb"):
        with super()._open(name, "rb") as file:
            return ContentFile(secrets.unseal_bytes(file.read(), self._place(name)), name=name)

    def _place(self, name):
        return f"file:{Path(name).name}"


@contextmanager
def clear_copy(file):
    """Lay the content of `file` (anything that can be copied from) into a file that only we read; gone at the end."""
    with tempfile.NamedTemporaryFile(prefix="portal-") as copy:
        file.seek(0)
        shutil.copyfileobj(file, copy)
        copy.flush()
        yield Path(copy.name)
