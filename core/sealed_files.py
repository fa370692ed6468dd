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
        sealed = ContentFile(secrets.seal_bytes(content.read(), self._place(name)))
        try:
            return super()._save(name, sealed)
        except OSError:  # a full disk: what was begun is of no use, and takes the room that is wanted
            Path(self.path(name)).unlink(missing_ok=True)
            raise

    def _open(self, name, mode="rb"):
        with super()._open(name, "rb") as file:
            return ContentFile(secrets.unseal_bytes(file.read(), self._place(name)), name=name)

    def renew(self, name):
        """Seal the file again if another key than the first seals it; returns whether that was so. Raises CannotOpen.

        The new content takes the place of the old in one step: a reader finds the one or the other.
        """
        path = Path(self.path(name))
        sealed = path.read_bytes()
        if sealed.startswith(secrets.first_key().encode() + b":"):
            return False
        content = secrets.seal_bytes(secrets.unseal_bytes(sealed, self._place(name)), self._place(name))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".renewed-", delete=False) as file:
            file.write(content)  # the mode 0600 of such a file is that of ours
        Path(file.name).replace(path)
        return True

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
