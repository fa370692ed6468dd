"""What may be sent to the portal at all, judged by its announced length; and papers kept with an object.

A paper is a photo, a scan or a PDF, judged by its bytes and never by its name. A picture is drawn anew, so that nothing
but the picture is kept; a PDF that does anything but show pages is refused. Both lie sealed (`Upload`).
"""

import hashlib
import io
import warnings
from contextlib import suppress

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from core import audit, secrets, settings_table
from core.models import Upload

PDF, JPEG = "application/pdf", "image/jpeg"
PICTURES = ("JPEG", "PNG", "WEBP")
QUALITY = 85
# What makes a PDF more than pages: scripts, actions that leave it, files and media inside.
ACTIVE_KEYS = ("/JS", "/EF", "/XFA", "/EmbeddedFiles", "/JavaScript", "/RichMediaContent")
ACTIVE_ACTIONS = (
    "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Rendition", "/Movie",
    "/Sound", "/RichMediaExecute",
)  # fmt: skip
ACTIVE_NOTES = ("/FileAttachment", "/RichMedia", "/Screen", "/3D", "/Movie", "/Sound")


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


# --- Papers --------------------------------------------------------------------------------------------------------


def keep(upload, *, subject, union, kind, by):
    """Keep the uploaded file `upload` with the stored row `subject` and return the Upload, which names no user file.

    The caller has checked that `by` may. Raises ValidationError under `file` with the sentence why it is not taken.
    """
    content, content_type, pages = _content_of(upload)
    row = Upload(
        subject_type=subject._meta.label_lower, subject_id=subject.pk, union=union, kind=kind, pages=pages,
        content_type=content_type, size=len(content), sha256=hashlib.sha256(content).hexdigest(), uploaded_by=by,
    )  # fmt: skip
    storage = row.file.storage
    name = storage.save(f"uploads/{timezone.localdate():%Y/%m}/{row.uuid}.{row.suffix}", ContentFile(content))
    try:
        with transaction.atomic():
            row.file = name
            row.save()
            changes = {"upload": [None, row.pk], "kind": [None, kind], "sha256": ["", row.sha256]}
            audit.record("core.keep_upload", subject, by=by, union=union, changes=changes)
    except BaseException:
        storage.delete(name)
        raise
    return row


def is_intact(upload):
    """Whether the file of an Upload is there, opens, and is the one that was handed in."""
    try:
        with upload.file.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == upload.sha256
    except (OSError, secrets.CannotOpen):
        return False


def open_file(upload, *, by):
    """Return the clear content of an Upload, open for reading; the download is an event. Raises ValidationError."""
    if upload.removed_at:
        raise ValidationError(_("This paper was taken away."))
    if not is_intact(upload):
        raise ValidationError(_("This paper was altered on the disk: it is not handed out. Tell the administrator."))
    file = upload.file.storage.open(upload.file.name)
    audit.record("core.download_upload", upload, by=by, union=upload.union, changes={"kind": ["", upload.kind]})
    return file


@transaction.atomic
def remove(upload, *, by, reason):
    """Take a paper away for good: its row stays and tells who did it and why; the file goes once that is stored."""
    row = Upload.objects.select_for_update(of=("self",)).select_related("union").get(pk=upload.pk)
    if row.removed_at:
        raise ValidationError(_("This paper was taken away."))
    name, storage = row.file.name, row.file.storage
    row.removed_at, row.removed_by, row.removed_reason, row.file = timezone.now(), by, reason, ""
    row.save(update_fields=["removed_at", "removed_by", "removed_reason", "file"])
    audit.record("core.remove_upload", row, by=by, union=row.union, changes={"kind": [row.kind, ""]}, reason=reason)
    transaction.on_commit(lambda: storage.delete(name))


def _limit(key):
    return int(settings_table.value(f"upload_{key}"))


def _refuse(sentence):
    raise ValidationError({"file": sentence}) from None


def _content_of(upload):
    """Return (bytes to be kept, content type, pages) of an uploaded file. Raises ValidationError."""
    most = _limit("most_mb")
    if not upload.size:
        _refuse(_("The file is empty."))
    if upload.size > most * 1024 * 1024:
        _refuse(_("The file is larger than %(most)d MB: scan it with a lower resolution.") % {"most": most})
    content = upload.read()
    if content.startswith(b"%PDF-"):
        return _pdf(content)
    return _picture(content), JPEG, 1


def _picture(content):
    """Return the picture as a new JPEG: upright, of bounded size, without anything that travelled along."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we bound it ourselves, below
            picture = Image.open(io.BytesIO(content), formats=PICTURES)
    except UnidentifiedImageError:
        _refuse(_("This is no photo (JPEG, PNG or WebP) and no PDF, whatever its name says."))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        _refuse(_("This picture is damaged or too large: take it again."))
    most, side = _limit("most_megapixels"), _limit("image_side")
    if picture.width * picture.height > most * 1_000_000:
        _refuse(_("This picture has more than %(most)d million pixels: take it smaller.") % {"most": most})
    lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False  # WeasyPrint sets it for all
    try:
        picture.draft("RGB", (side, side))
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail((side, side))
        plain = upright.convert("RGBA")
        paper = Image.new("RGB", plain.size, "white")
        paper.paste(plain, mask=plain.getchannel("A"))
    except (OSError, ValueError, SyntaxError, EOFError):
        _refuse(_("This picture is damaged or too large: take it again."))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    made = io.BytesIO()
    paper.save(made, "JPEG", quality=QUALITY)
    return made.getvalue()


def _pdf(content):
    """Return (bytes, content type, pages) of a PDF written anew, without its author and properties."""
    import pikepdf

    damaged = _("This PDF is damaged: print it to a new PDF, or scan it.")
    try:
        with pikepdf.open(io.BytesIO(content)) as pdf:
            if pdf.is_encrypted:
                _refuse(_("This PDF is locked: save it without a password."))
            pages, most = len(pdf.pages), _limit("most_pages")
            if not pages:
                _refuse(damaged)
            if pages > most:
                _refuse(_("This PDF has more than %(most)d pages: hand it in by parts.") % {"most": most})
            if any(_is_active(each) for each in pdf.objects):
                _refuse(_("This PDF holds a script, a form that sends, or a file inside: print it to a new PDF."))
            if "/Info" in pdf.trailer:
                del pdf.trailer["/Info"]
            if "/Metadata" in pdf.Root:
                del pdf.Root["/Metadata"]
            made = io.BytesIO()
            pdf.save(made)
    except pikepdf.PasswordError:
        _refuse(_("This PDF is locked: save it without a password."))
    except (pikepdf.PdfError, RecursionError):
        _refuse(damaged)
    return made.getvalue(), PDF, pages


def _is_active(thing):
    """Whether an object of a PDF, or anything written inside it, is more than a page shows."""
    import pikepdf

    left = [thing]
    while left:
        each = left.pop()
        if isinstance(each, pikepdf.Array):
            left += [item for item in each if _holds_others(item)]
            continue
        if not isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
            continue
        if any(key in each for key in ACTIVE_KEYS):
            return True
        if str(each.get("/S", "")) in ACTIVE_ACTIONS or str(each.get("/Subtype", "")) in ACTIVE_NOTES:
            return True
        facts = each.stream_dict if isinstance(each, pikepdf.Stream) else each
        left += [value for value in facts.values() if _holds_others(value)]
    return False


def _holds_others(value):
    """Whether to look inside `value`: what is written elsewhere in the file is looked at there."""
    import pikepdf

    return isinstance(value, pikepdf.Object) and not value.is_indirect
