"""Papers handed in: what is taken and what is not, nothing that travelled along is kept, nothing lies readable."""

import hashlib
import io
from pathlib import Path

import pikepdf
import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import translation
from PIL import Image, ImageFile

from core import backup, rotation, uploads
from core.models import AuditEvent, Setting, Upload
from tests.builders import membership_at


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def subject(tree):
    return membership_at(tree.enterprise)


def keep(subject, content, name="x.bin", by=None):
    return uploads.keep(SimpleUploadedFile(name, content), subject=subject, union=subject.union, kind="ID_CARD", by=by)


def picture(kind="JPEG", size=(60, 40), mode="RGB", **facts):
    made = io.BytesIO()
    Image.new(mode, size, "red" if mode != "RGBA" else (255, 0, 0, 0)).save(made, kind, **facts)
    return made.getvalue()


def pdf(change=lambda pdf: None, pages=1, **facts):
    with pikepdf.new() as made:
        for _page in range(pages):
            made.add_blank_page()
        change(made)
        out = io.BytesIO()
        made.save(out, **facts)
    return out.getvalue()


def content_of(row, by=None):
    return uploads.open_file(row, by=by).read()


def refused(subject, content):
    with pytest.raises(ValidationError) as refusal:
        keep(subject, content)
    assert not Upload.objects.exists()
    return refusal.value.message_dict["file"][0]


# --- Pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")]
)
def test_a_picture_is_drawn_anew_as_jpeg(subject, kind, mode):
    row = keep(subject, picture(kind, mode=mode), "身份证.exe")
    content = content_of(row)
    made = Image.open(io.BytesIO(content))
    assert (made.format, made.mode, made.size) == ("JPEG", "RGB", (60, 40))
    assert (row.content_type, row.suffix, row.pages, row.size) == ("image/jpeg", "jpg", 1, len(content))
    assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert "身份证" not in str(vars(row))


def test_nothing_that_travelled_along_is_kept(subject):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x013B] = "GEHEIM-AUTHOR"
    exif.get_ifd(0x8825)[2] = (31.0, 14.0, 0.0)  # where it was taken
    content = picture(exif=exif, comment=b"GEHEIM-COMMENT") + b"<script>GEHEIM-TAIL</script>"
    kept = content_of(keep(subject, content))
    assert b"GEHEIM" in content
    assert b"GEHEIM" not in kept
    made = Image.open(io.BytesIO(kept))
    assert dict(made.getexif()) == {}
    assert made.size == (40, 60)  # stands upright


def test_a_large_picture_is_made_smaller_and_a_bomb_is_refused(subject):
    Setting.objects.filter(key="upload_image_side").update(value="30")
    assert Image.open(io.BytesIO(content_of(keep(subject, picture(size=(90, 60)))))).size == (30, 20)
    Upload.objects.all().delete()
    Setting.objects.filter(key="upload_most_megapixels").update(value="1")
    assert "more than 1 million pixels" in refused(subject, picture("PNG", size=(2000, 2000)))
    assert "damaged or too large" in refused(subject, picture("PNG", size=(20_000, 20_000), mode="1"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b"<html><script>alert(1)</script></html>", "This is no photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is no photo"),
        (b"MZ\x90\x00" + b"\0" * 100, "This is no photo"),
        (b"GIF89a" + b"\0" * 100, "This is no photo"),
        (picture()[:200], "damaged"),
        (picture("PNG", size=(300, 300))[:90], "damaged"),
        (b"  %PDF-1.7", "This is no photo"),
        (b"%PDF-1.7 nothing", "This PDF is damaged"),
    ],
)
@pytest.mark.parametrize("lenient", [False, True])
def test_what_it_is_not_is_refused(subject, content, words, lenient, monkeypatch):
    """Also where another library told Pillow to take what is cut off."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    assert words in refused(subject, content)
    assert lenient == ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_file_over_the_limit_is_refused_unread(subject):
    Setting.objects.filter(key="upload_most_mb").update(value="1")
    assert "larger than 1 MB" in refused(subject, b"\xff\xd8" + b"\0" * 1024 * 1024)


# --- PDFs ------------------------------------------------------------------------------------------------------------


def script(made):
    made.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")


def script_by_name(made):
    made.Root.Names = pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=[]))


def deep_script(made):
    action = made.make_indirect(pikepdf.Dictionary(S=pikepdf.Name.JavaScript))
    made.pages[0].AA = pikepdf.Dictionary(O=pikepdf.Dictionary(S=pikepdf.Name.GoTo, Next=pikepdf.Array([action])))


def launch(made):
    link = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 9, 9])
    link.A = pikepdf.Dictionary(S=pikepdf.Name.Launch, F="calc.exe")
    made.pages[0].Annots = pikepdf.Array([link])


def inside(made):
    made.attachments["a.exe"] = b"MZ"


def sends(made):
    field = pikepdf.Dictionary(
        FT=pikepdf.Name.Btn, T="x", A=pikepdf.Dictionary(S=pikepdf.Name.SubmitForm, F="http://x")
    )
    made.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([made.make_indirect(field)]))


def xfa(made):
    made.Root.AcroForm = pikepdf.Dictionary(Fields=[], XFA=made.make_stream(b"<xdp/>"))


def media(made):
    note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.RichMedia, Rect=[0, 0, 9, 9])
    made.pages[0].Annots = pikepdf.Array([made.make_indirect(note)])


@pytest.mark.parametrize("change", [script, script_by_name, deep_script, launch, inside, sends, xfa, media])
@pytest.mark.parametrize("facts", [{}, {"object_stream_mode": pikepdf.ObjectStreamMode.generate}], ids=["", "packed"])
def test_a_pdf_that_does_something_is_refused(subject, change, facts):
    assert "a script, a form that sends, or a file inside" in refused(subject, pdf(change, **facts))


def test_a_plain_pdf_is_written_anew_without_its_properties(subject):
    def properties(made):
        made.docinfo["/Author"] = "GEHEIM-AUTHOR"
        with made.open_metadata() as facts:
            facts["dc:title"] = "GEHEIM-TITLE"
        made.Root.OpenAction = pikepdf.Array([made.pages[0].obj, pikepdf.Name.Fit])  # where it opens: harmless

    content = pdf(properties, pages=3, compress_streams=False) + b"%<script>GEHEIM-TAIL</script>"
    row = keep(subject, content)
    kept = content_of(row)
    assert (row.pages, row.content_type, row.suffix) == (3, "application/pdf", "pdf")
    assert b"GEHEIM" not in kept
    with pikepdf.open(io.BytesIO(kept)) as made:
        assert len(made.pages) == 3
        assert "/Author" not in made.docinfo


def test_a_locked_pdf_and_one_too_long_are_refused(subject):
    for password in ("", "geheim"):
        locked = pdf(encryption=pikepdf.Encryption(owner="o", user=password))
        assert "This PDF is locked" in refused(subject, locked)
    Setting.objects.filter(key="upload_most_pages").update(value="2")
    assert "more than 2 pages" in refused(subject, pdf(pages=3))
    assert "This PDF is damaged" in refused(subject, pdf(pages=0))


# --- Kept ------------------------------------------------------------------------------------------------------------


def test_a_paper_lies_sealed_and_its_fate_is_in_the_trail(subject, city, settings, django_capture_on_commit_callbacks):
    row = keep(subject, picture(), by=city)
    path = Path(settings.MEDIA_ROOT) / row.file.name
    assert b"JFIF" not in path.read_bytes()
    assert Upload.objects.of(subject).get() == row
    content_of(row, by=city)
    with django_capture_on_commit_callbacks(execute=True):
        uploads.remove(row, by=city, reason="传错了")
    assert not path.exists()
    assert not Upload.objects.of(subject).exists()
    with pytest.raises(ValidationError, match="taken away"):
        uploads.remove(row, by=city, reason="传错了")
    with pytest.raises(ValidationError, match="taken away"):
        uploads.open_file(Upload.objects.get(), by=city)
    verbs = ["core.keep_upload", "core.download_upload", "core.remove_upload"]
    events = AuditEvent.objects.filter(verb__in=verbs).order_by("id")
    assert [(event.verb, event.union_id) for event in events] == [(verb, subject.union_id) for verb in verbs]


def test_an_altered_file_is_not_handed_out(subject):
    row = keep(subject, picture())
    other = keep(subject, picture(size=(9, 9)))
    Upload.objects.filter(pk=row.pk).update(file=other.file.name)
    row.refresh_from_db()
    with pytest.raises(ValidationError, match="altered on the disk"):
        uploads.open_file(row, by=None)
    said = f"The file of the upload {row.pk} is not the one that was handed in."
    assert backup.prove().faults == [said]
    Path(other.file.path).write_bytes(b"torn")
    assert len(backup.prove().faults) == 2
    Path(other.file.path).unlink()
    assert len(backup.prove().faults) == 2


def test_what_cannot_be_stored_leaves_no_file(subject, settings):
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Upload, "save", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            keep(subject, picture())
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_a_renewal_of_keys_reaches_the_papers(subject, settings):
    row = keep(subject, picture())
    settings.FIELD_KEYS = f"new:{'A' * 43}=,{settings.FIELD_KEYS}"
    assert rotation.rotate().faults == []
    settings.FIELD_KEYS = settings.FIELD_KEYS.split(",")[0]
    assert content_of(row).startswith(b"\xff\xd8")
