"""Reading one sheet as people keep it, a workbook (.xlsx) or a CSV file, or refusing it with one plain sentence.

Of several sheets the first visible one that has the header row is read; hidden sheets are never read, because nobody
sees what would be imported from them. Macros are refused, not ignored. A workbook is a zip archive: it is measured by
unpacking it once, in small pieces, before the reader (which keeps a sheet in memory as a full rectangle) gets it.
"""

import csv
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from io import BytesIO
from itertools import islice
from pathlib import Path
from xml.parsers import expat

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

HEADER_DEPTH = 500  # rows among which the header row is looked for
END_WORDS = ("合计", "总计", "制表", "填表", "审核", "负责人")  # they end the sheet (import contract)

MOST_UNPACKED = 400 * 1024 * 1024  # bytes of a workbook once unpacked: 300,000 rows of 20 columns have about 250 MB
MOST_CELLS = 20_000_000  # of the rectangle that a sheet fills
MOST_TEXT = 1024 * 1024 * 1024  # bytes of all text cells, shared texts counted as often as they are used
BOMB_RATIO, BOMB_SIZE = 250, 20 * 1024 * 1024  # unpacked to packed, and the size below which it does not matter
MOST_OF_A_ROW = 4 * 1024 * 1024  # characters of one row of a CSV file
MOST_COLUMNS = 16_384  # as in a workbook
PIECE = 1024 * 1024

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = bytes.fromhex("D0CF11E0A1B11AE1")  # an encrypted workbook, or an old .xls
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

# References beyond column Z or row 99,999: few or none in an ordinary sheet.
_FAR = re.compile(rb"""r\s*=\s*["'](?:([A-Za-z]{2,3})(\d{1,7})|[A-Za-z]?(\d{6,7}))["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v>(\d{1,9})</")
_ANY_VALUE = re.compile(rb"<(?:\w+:)?v[\s>]")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_PLAIN_CELL = b'<c r="'  # as Excel and nearly everybody writes it
_ODD_PLACE = re.compile(rb"""\sr\s*=\s*["'](?:[A-Za-z]{4}|[A-Za-z]*0|[A-Za-z]*\d{8})""")  # no sheet of people has one
_PLACE = re.compile(rb"([A-Za-z]{1,9})([0-9]{1,12})")
_SPACE = re.compile(r"\s+")

OLD_FORMAT = gettext_lazy("This is a file of the old format: open it, save it as .xlsx and choose that file.")
MACROS = gettext_lazy("Workbooks with macros are not accepted: save it as .xlsx and choose that file.")
PASSWORD = gettext_lazy("The workbook has a password: take the password off in Excel and save it again.")
NO_WORKBOOK = gettext_lazy("This is not a workbook, whatever its name says: open it in Excel and save it as .xlsx.")
NO_CSV = gettext_lazy("This is not a CSV file, whatever its name says: a workbook's name ends in .xlsx.")
DAMAGED = gettext_lazy("The workbook is damaged and cannot be read: open it in Excel and save it again as .xlsx.")
TOO_BIG = gettext_lazy("Unpacked, the workbook is too large: copy the register alone into a new workbook.")
BROKEN_CSV = gettext_lazy("The CSV file is broken: a quotation mark may be missing. Save it as .xlsx.")

csv.field_size_limit(MOST_OF_A_ROW)


class SheetRefused(ValueError):
    """The file cannot be read; the text is the sentence the person reads."""


@dataclass(frozen=True)
class Sheet:
    """A sheet with its header row. `rows` yields (row number as Excel shows it, cells in the order of the fields)."""

    header_row: int
    headers: list[str]  # as they stand, unknown ones too
    total: int  # rows below the header at most; 0: not known
    rows: Iterator[tuple[int, list]]


def read(path, name, columns):
    """Return the `Sheet` in the file at `path`, called `name` by the person. Raises SheetRefused.

    `columns`: {field: (needed, spellings)}, the first spelling is how messages call the column. A row's cells are text,
    float, bool, date, datetime, time or timedelta, "" where the sheet has no such column. Iterating `rows` raises
    SheetRefused past settings.IMPORT_MAX_ROWS.
    """
    path = Path(path)
    check(path, name)
    if suffix(name) == ".csv":
        return _find([(0, _csv_rows(path))], columns)
    return _find(_workbook_sheets(path), columns)


def suffix(name):
    """Return the file name's ending in lower case, with its dot."""
    return Path(name.strip()).suffix.lower()


def check(path, name):
    """Refuse a file whose name or first bytes tell that it cannot be read. Raises SheetRefused."""
    path, ending = Path(path), suffix(name)
    if not path.exists():
        raise SheetRefused(_("There is no such file: %(name)s.") % {"name": name})
    if not path.is_file():
        raise SheetRefused(_("%(name)s is no file.") % {"name": name})
    if ending in (".xls", ".et"):
        raise SheetRefused(OLD_FORMAT)
    if ending in (".xlsm", ".xltm", ".xlsb"):
        raise SheetRefused(MACROS)
    if ending not in (".xlsx", ".csv"):
        raise SheetRefused(_("Only workbooks (.xlsx) and CSV files (.csv) can be read."))
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError:
        raise SheetRefused(_("%(name)s cannot be opened.") % {"name": name}) from None
    if size == 0:
        raise SheetRefused(_("The file is empty (0 bytes)."))
    if size > settings.IMPORT_MAX_BYTES:
        limit = settings.IMPORT_MAX_BYTES // (1024 * 1024)
        raise SheetRefused(_("The file is larger than %(limit)d MB: divide it.") % {"limit": limit})
    if magic == OLE_MAGIC:
        if _contains(path, ENCRYPTED):
            raise SheetRefused(PASSWORD)
        raise SheetRefused(OLD_FORMAT)
    if (ending == ".xlsx") != magic.startswith(ZIP_MAGIC):
        raise SheetRefused(NO_WORKBOOK if ending == ".xlsx" else NO_CSV)


def text(cell):
    """Return a cell as the text a person would have typed: whole numbers without «.0», dates as 2019-03-05."""
    if isinstance(cell, str):
        return cell.replace("\0", "").strip()
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if cell is not None else ""


_DATE = re.compile(
    r"([0-9]{4})(?:([-/.])([0-9]{1,2})\2([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日?|([0-9]{2})([0-9]{2}))"
)


def day(cell):
    """Return the date in a cell, None when it is empty. Raises ValueError.

    Accepted: 2019-03-05, 2019/3/5, 2019.3.5, 20190305, 2019年3月5日 and a date of Excel, from 1900 on.
    """
    if isinstance(cell, date):
        found = cell.date() if isinstance(cell, datetime) else cell
    else:  # a time of Excel is no date either: as text it does not match
        written = _SPACE.sub("", unicodedata.normalize("NFKC", text(cell)))
        if not written:
            return None
        match = _DATE.fullmatch(written)
        if not match:
            raise ValueError(written)
        year, _mark, *parts = match.groups()
        month, day_of_month = (part for part in parts if part)
        found = date(int(year), int(month), int(day_of_month))
    if found.year < 1900:
        raise ValueError(cell)
    return found


def template(title, columns, text_columns):
    """Return an empty workbook (bytes) with the headers of `columns`, an asterisk at those that are needed.

    The columns of `text_columns` are formatted as text: Excel keeps 15 digits of a number and no zero in front.
    """
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = str(title)
    sheet["A1"] = _(
        "Do not change the row of headers; columns with * must be filled in; delete columns you do not need."
    )
    for place, (field, (needed, spellings)) in enumerate(columns.items(), start=1):
        header = sheet.cell(2, place, f"*{spellings[0]}" if needed else spellings[0])
        header.font = Font(bold=True)
        column = sheet.column_dimensions[get_column_letter(place)]
        column.width = 24 if field in text_columns else 14
        if field in text_columns:
            column.number_format = "@"
    sheet.freeze_panes = "A3"
    out = BytesIO()
    workbook.save(out)
    return out.getvalue()


# --- CSV -------------------------------------------------------------------------------------------------------


def open_csv(path):
    """Return the CSV at `path` as open text: UTF-8 with or without BOM, else GB18030. Raises SheetRefused."""
    try:
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                with path.open(encoding=encoding, newline="") as whole:
                    while whole.read(PIECE):
                        pass
            except UnicodeDecodeError:
                continue
            return path.open(encoding=encoding, newline="")
    except FileNotFoundError:
        raise SheetRefused(_("There is no such file: %(name)s.") % {"name": path.name}) from None
    except OSError:
        raise SheetRefused(_("%(name)s cannot be opened.") % {"name": path.name}) from None
    raise SheetRefused(_("The file is neither UTF-8 nor GB18030 text: save it as .xlsx, or as CSV UTF-8."))


def _csv_rows(path):
    """Yield the rows; a row is held in memory, so one that never ends or has no end of columns is refused."""
    taken = 0  # characters since the last whole row

    def lines(whole):
        nonlocal taken
        while line := whole.readline(MOST_OF_A_ROW):
            taken += len(line)
            if taken >= MOST_OF_A_ROW:
                raise SheetRefused(BROKEN_CSV)
            yield line

    with open_csv(path) as whole:
        try:
            for row in csv.reader(lines(whole)):
                if len(row) > MOST_COLUMNS:
                    raise SheetRefused(_("The sheet has more than %(most)d columns.") % {"most": MOST_COLUMNS})
                taken = 0
                yield row
        except csv.Error:
            raise SheetRefused(BROKEN_CSV) from None


# --- Workbooks -------------------------------------------------------------------------------------------------


def _workbook_sheets(path):
    """Yield (rows to the last filled one, iterator of the rows) of each visible sheet."""
    _measure(path)
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = workbook.sheets_metadata
    except Exception as error:
        raise SheetRefused(DAMAGED) from error
    for index, sheet in enumerate(sheets):
        if sheet.typ != SheetTypeEnum.WorkSheet or sheet.visible != SheetVisibleEnum.Visible:
            continue
        try:
            grid = workbook.get_sheet_by_index(index)
            height, rows = grid.total_height, grid.iter_rows()
        except Exception as error:
            raise SheetRefused(DAMAGED) from error
        yield height, rows


def _contains(path, needle):
    with path.open("rb") as file:
        kept = b""
        while piece := file.read(PIECE):
            if needle in kept + piece:
                return True
            kept = piece[-len(needle) :]
    return False


def _measure(path):
    """Refuse a workbook that is none, has a password or macros, or would unpack to more than memory should hold."""
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
            if not _fits(file, parts):
                raise SheetRefused(TOO_BIG)
    except SheetRefused:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError):
        raise SheetRefused(DAMAGED) from None
    except (expat.ExpatError, ValueError):  # XML that the reader may take in its own way
        raise SheetRefused(DAMAGED) from None


def _fits(file, parts):
    """Whether the parts, really unpacked, stay within our bounds: bytes, cells of a rectangle, bytes of text.

    Cells written as everybody writes them are measured by their places alone; any others are parsed, by `_rectangle`.
    """
    unpacked = longest = cells = 0
    for part in parts:
        kept, text, sheet, strange, width, height = b"", b"", False, False, 26, 99_999
        for piece in _unpack(file, part):
            unpacked += len(piece)
            if unpacked > MOST_UNPACKED or max(len(kept), len(text)) > 16 * PIECE:
                return False
            if _is_texts(part):
                *done, text = (text + piece).split(b"</si>")
                longest = max(longest, len(text), *map(len, done))
            whole = kept + piece
            cut = max(whole.rfind(b"<"), 0)  # a tag cut in two is looked at with the next piece
            whole, kept = whole[:cut], whole[cut:]
            found = len(_CELL.findall(whole))
            cells += found
            sheet = sheet or b"sheetData" in whole
            strange = strange or found != whole.count(_PLAIN_CELL) or _ODD_PLACE.search(whole)
            for letters, below, far_below in set(_FAR.findall(whole)):
                width = max(width, _column(letters))
                height = max(height, int(below or far_below))
        if sheet and (strange or width * height > MOST_CELLS) and _rectangle(file, part) > MOST_CELLS:
            return False
    return cells <= MOST_CELLS and (longest * cells <= MOST_TEXT or _text_bytes(file, parts) <= MOST_TEXT)


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


# --- Header and rows -------------------------------------------------------------------------------------------


def _find(sheets, columns):
    """Return the first sheet of `sheets` with a header row: a row with every column that is needed."""
    for height, rows in sheets:
        numbered = _guarded(enumerate(rows, start=1))
        for number, cells in islice(numbered, HEADER_DEPTH):
            headers = [text(cell) for cell in cells]
            places = {}
            for place, header in enumerate(headers):
                places.setdefault(_spelling(header), place)
            found = {
                field: next((places[name] for name in spellings if name in places), None)
                for field, (_needed, spellings) in columns.items()
            }
            if all(found[field] is not None for field, (needed, _spellings) in columns.items() if needed):
                return Sheet(number, headers, max(height - number, 0), _data(numbered, list(found.values())))
    needed = "、".join(f"「{spellings[0]}」" for needed, spellings in columns.values() if needed)
    raise SheetRefused(_("No header row was found: the sheet needs the columns %(columns)s.") % {"columns": needed})


def _spelling(header):
    """A header without white space and the asterisk that marks what must be filled in."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", header)).strip("*")


def _guarded(rows):
    """Pass `rows` on; a reader that gives up in the middle is a damaged file, not an error of ours."""
    try:
        yield from rows
    except SheetRefused:
        raise
    except Exception as error:
        raise SheetRefused(DAMAGED) from error


def _data(numbered, places):
    """Yield (row number, cells in the order of `places`) of the rows below the header, to the end of the sheet."""
    most, seen = settings.IMPORT_MAX_ROWS, 0
    for number, cells in numbered:
        first = next((cell for cell in cells if cell != "" and not (isinstance(cell, str) and not text(cell))), None)
        if first is None:
            continue
        if isinstance(first, str) and _SPACE.sub("", first).startswith(END_WORDS):
            return
        seen += 1
        if seen > most:
            raise SheetRefused(_("The sheet has more than %(most)d rows: divide it.") % {"most": most})
        last = len(cells)
        yield number, [cells[place] if place is not None and place < last else "" for place in places]
