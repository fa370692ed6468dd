"""Workbooks as what they are, zip archives of XML: measured before the reader gets them, and long sheets cut in slices.

The reader keeps a sheet in memory as a full rectangle. So every part is unpacked once in small pieces and measured; and
a long sheet that is written as everybody writes it is given to the reader a slice at a time.
"""

import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from posixpath import dirname, join, normpath
from xml.etree import ElementTree
from xml.parsers import expat

from django.utils.translation import gettext_lazy

MOST_UNPACKED = 400 * 1024 * 1024  # bytes of a workbook once unpacked: 300,000 rows of 20 columns have about 250 MB
MOST_CELLS = 20_000_000  # of the rectangle that a sheet fills
MOST_TEXT = 1024 * 1024 * 1024  # bytes of all text cells, shared texts counted as often as they are used
BOMB_RATIO, BOMB_SIZE = 250, 20 * 1024 * 1024  # unpacked to packed, and the size below which it does not matter
SLICE = 1_500_000  # cells of a long sheet that are in memory at a time
PIECE = 1024 * 1024

# References beyond column Z or row 99,999.
_FAR = re.compile(rb"""r\s*=\s*["'](?:([A-Za-z]{2,3})(\d{1,7})|[A-Za-z]?(\d{6,7}))["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v>(\d{1,9})</")
_ANY_VALUE = re.compile(rb"<(?:\w+:)?v[\s>]")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_PLAIN_CELL = b'<c r="'  # as Excel and nearly everybody writes it
_PLAIN_ROW = b'<row r="'
_NOT_NEAR = re.compile(rb'r="(?![A-Z]?(?:[1-9]\d{0,4}|[12]\d{5})")')  # beyond column Z or row 299,999, or odd
_ODD_PLACE = re.compile(rb"""\sr\s*=\s*["'](?:[A-Za-z]{4}|[A-Za-z]*0|[A-Za-z]*\d{8})""")  # no sheet of people has one
_PLACE = re.compile(rb"([A-Za-z]{1,9})([0-9]{1,12})")
_ROWS_END = b"</sheetData>"

MACROS = gettext_lazy("Workbooks with macros are not accepted: save it as .xlsx and choose that file.")
PASSWORD = gettext_lazy("The workbook has a password: take the password off in Excel and save it again.")
NO_WORKBOOK = gettext_lazy("This is not a workbook, whatever its name says: open it in Excel and save it as .xlsx.")
DAMAGED = gettext_lazy("The workbook is damaged and cannot be read: open it in Excel and save it again as .xlsx.")
TOO_BIG = gettext_lazy("Unpacked, the workbook is too large: copy the register alone into a new workbook.")


class SheetRefused(ValueError):
    """The file cannot be read; the text is the sentence the person reads."""


def measure(path):
    """Refuse a workbook that is none, has a password or macros, or would unpack to more than memory should hold.

    Returns {name of the part: rows} of its long sheets, which `slices` can cut.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
                raise SheetRefused(NO_WORKBOOK)
            if any(part.flag_bits & 1 for part in parts):
                raise SheetRefused(PASSWORD)
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise SheetRefused(MACROS)
            declared, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
            if declared > MOST_UNPACKED or (declared > BOMB_SIZE and declared > BOMB_RATIO * packed):
                raise SheetRefused(TOO_BIG)
            long = _long_parts(file, parts)
            if long is None:
                raise SheetRefused(TOO_BIG)
            return long
    except SheetRefused:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError):
        raise SheetRefused(DAMAGED) from None
    except (expat.ExpatError, ValueError):  # XML that the reader may take in its own way
        raise SheetRefused(DAMAGED) from None


def _long_parts(file, parts):
    """Return what `measure` does, None when the parts, really unpacked, go beyond our bounds.

    These are bytes, cells of a rectangle, bytes of text. Cells written as everybody writes them are measured by their
    places alone; any others are parsed, by `_rectangle`.
    """
    unpacked = longest = cells = 0
    long = {}
    for part in parts:
        kept, text, sheet, strange, width, height = b"", b"", False, False, 26, 299_999
        before, rows = cells, 0
        for piece in _unpack(file, part):
            unpacked += len(piece)
            if unpacked > MOST_UNPACKED or max(len(kept), len(text)) > 16 * PIECE:
                return None
            if _is_texts(part):
                *done, text = (text + piece).split(b"</si>")
                longest = max(longest, len(text), *map(len, done))
            whole = kept + piece
            cut = max(whole.rfind(b"<"), 0)  # a tag cut in two is looked at with the next piece
            whole, kept = whole[:cut], whole[cut:]
            sheet = sheet or b"sheetData" in whole
            plain = whole.count(_PLAIN_CELL)
            rows += whole.count(_PLAIN_ROW)
            if _is_ordinary(whole, plain):
                cells += plain
                continue
            found = len(_CELL.findall(whole))
            cells += found
            strange = strange or found != plain or _ODD_PLACE.search(whole)
            for letters, below, far_below in set(_FAR.findall(whole)):
                width = max(width, _column(letters))
                height = max(height, int(below or far_below))
        if sheet and (strange or width * height > MOST_CELLS) and _rectangle(file, part) > MOST_CELLS:
            return None
        if sheet and not strange and cells - before > SLICE:
            long[part.filename] = rows
    fits = cells <= MOST_CELLS and (longest * cells <= MOST_TEXT or _text_bytes(file, parts) <= MOST_TEXT)
    return long if fits else None


def _is_ordinary(whole, plain):
    """Whether a piece holds no cells but `plain` ones, in rows and columns that every register has."""
    prefixed = whole.count(b":c") + whole.count(b":row") if b":" in whole else 0
    return (
        not prefixed
        and plain == whole.count(b"<c")
        and whole.count(_PLAIN_ROW) == whole.count(b"<row")
        and not _NOT_NEAR.search(whole)
    )


def _is_texts(part):
    """Whether a part holds the shared texts: the reader knows them by this name."""
    return part.orig_filename.lower().endswith("sharedstrings.xml")


def _rectangle(file, part):
    """The rectangle that the filled cells of a part span, in cells, each placed where the reader places it.

    Coloured empty cells do not count. Raises ExpatError, ValueError.
    """
    row = column = width = height = 0

    def begins(tag, attributes):
        nonlocal row, column, width, height
        tag, place = tag.rpartition(":")[2], attributes.get("r", "")
        if tag == "row":
            row, column = int(place) if place else row + 1, 0
        elif tag == "c" and place:
            found = _PLACE.fullmatch(place.encode())
            if not found:
                raise ValueError(place)
            column, row = _column(found[1]), int(found[2])
        elif tag == "c":
            column += 1
        elif tag in ("v", "is"):
            width, height = max(width, column), max(height, row)

    parser = expat.ParserCreate()
    parser.StartElementHandler = begins
    for piece in _unpack(file, part):
        parser.Parse(piece)
    return width * height


def _text_bytes(file, parts):
    """The bytes of all cells with shared text, each text counted as often as a cell refers to it.

    A reference that is not written as everybody writes it counts as one to the longest text. Raises ExpatError.
    """
    lengths, used = [], 0

    def begins(tag, _attributes):
        if tag.rpartition(":")[2] == "si":
            lengths.append(0)

    def says(words):
        if lengths:
            lengths[-1] += len(words.encode())

    for part in filter(_is_texts, parts):
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.CharacterDataHandler = begins, says
        for piece in _unpack(file, part):
            parser.Parse(piece)
    longest = max(lengths, default=0)
    for part in parts:
        for whole in _tags(file, part):
            numbers = [int(number) for number in _VALUE.findall(whole)]
            used += sum(lengths[number] for number in numbers if number < len(lengths))
            used += longest * (len(_ANY_VALUE.findall(whole)) - len(numbers))
    return used


def _tags(file, part):
    """Yield the content of a part in pieces that end before a cell begins."""
    kept = b""
    for piece in _unpack(file, part):
        whole = kept + piece
        cut = max(whole.rfind(b"<c"), 0)
        yield whole[:cut]
        kept = whole[cut:]
    yield kept


def _column(letters):
    """Column AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _unpack(file, part):
    """Yield the real content of a zip entry in pieces, whatever size the directory declares."""
    file.seek(part.header_offset)
    header = file.read(30)
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    file.seek(name_length + extra_length, 1)
    begin, left = file.tell(), part.compress_size
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError
    inflater = zlib.decompressobj(-15) if part.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0:
        file.seek(begin)
        packed = file.read(min(left, PIECE))
        if not packed:
            raise EOFError
        begin, left = begin + len(packed), left - len(packed)
        if inflater is None:
            yield packed
            continue
        while packed:
            yield inflater.decompress(packed, PIECE)
            packed = inflater.unconsumed_tail


# --- The parts of a workbook, and slices of a long sheet ---------------------------------------------------------


def relations(archive, part):
    """Yield (key, kind, part) of what a part of the workbook refers to; part "": the workbook itself."""
    folder, _slash, name = part.rpartition("/")
    for each in ElementTree.fromstring(archive.read(join(folder, "_rels", f"{name}.rels"))):  # noqa: S314
        yield each.get("Id"), each.get("Type", ""), normpath(join("/", dirname(part), each.get("Target", "")))[1:]


def parts_of(archive, title):
    """Return (part of the sheet called `title`, part of the styles), None for one that is not found.

    Raises KeyError, ElementTree.ParseError. The workbook was measured before.
    """
    book = next(target for _key, kind, target in relations(archive, "") if kind.endswith("/officeDocument"))
    related = list(relations(archive, book))
    styles = next((target for _key, kind, target in related if kind.endswith("/styles")), None)
    for element in ElementTree.fromstring(archive.read(book)).iter():  # noqa: S314
        if element.tag.rpartition("}")[2] == "sheet" and element.get("name") == title:
            wanted = next((value for name, value in element.items() if name.endswith("}id")), None)
            return next((target for key, _kind, target in related if key == wanted), None), styles
    return None, styles


def long_part(path, title, measured):
    """Return the part of the sheet called `title` when it is one of the long ones that `measure` found, or None."""
    if not measured:
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            part, _styles = parts_of(archive, title)
    except (KeyError, StopIteration, ElementTree.ParseError):
        return None
    return part if part in measured else None


def slices(path, part):
    """Yield the path of one workbook after the other: this one with a slice of the rows of the long sheet in `part`.

    A file is gone when the next is asked for. Raises OSError, on a full disk.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        pieces = _cut(file, archive.getinfo(part))
        head = next(pieces)
        while (first := next(pieces, None)) is not None:
            with tempfile.NamedTemporaryFile(prefix="portal-", suffix=".xlsx") as out:
                with zipfile.ZipFile(out, "w") as result:
                    for info in archive.infolist():
                        if info.filename != part:
                            with archive.open(info) as old, result.open(info.filename, "w") as new:
                                shutil.copyfileobj(old, new)
                    with result.open(part, "w") as new:
                        new.write(head + first)
                        new.writelines(iter(lambda: next(pieces, None), None))
                        new.write(_ROWS_END + b"</worksheet>")
                out.flush()
                yield Path(out.name)


def _cut(file, part):
    """Yield what stands before the rows of a long sheet, then the rows in pieces, and None between its slices."""
    head, rest, cells = None, b"", 0
    for piece in _unpack(file, part):
        rest += piece
        if head is None and (begin := rest.find(_PLAIN_ROW)) >= 0:
            head, rest = rest[:begin], rest[begin:]
            yield head
        end = rest.find(_ROWS_END)
        cut = end if end >= 0 else rest.rfind(_PLAIN_ROW)
        if cut > 0:
            yield rest[:cut]
            cells += rest.count(_PLAIN_CELL, 0, cut)
            rest = rest[cut:]
        if end >= 0:
            return
        if cells > SLICE:
            yield None
            cells = 0
