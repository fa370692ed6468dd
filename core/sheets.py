"""Reading one sheet as people keep it, a workbook (.xlsx) or a CSV file, or refusing it with one plain sentence.

Of several sheets the first visible one that has the header row is read; hidden sheets are never read, because nobody
sees what would be imported from them. Macros are refused, not ignored. A workbook is measured (`core.workbooks`) before
the reader gets it.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from io import BytesIO
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from core import full_disk, workbooks
from core.workbooks import DAMAGED, MACROS, NO_WORKBOOK, PASSWORD, PIECE, SheetRefused

HEADER_DEPTH = 500  # rows among which the header row is looked for
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what begins so, a program may reckon
END_WORDS = ("合计", "总计", "制表", "填表", "审核", "负责人")  # they end the sheet (import contract)
END_BEGINS = {word[0] for word in END_WORDS}

MOST_OF_A_ROW = 4 * 1024 * 1024  # characters of one row of a CSV file
MOST_COLUMNS = 16_384  # as in a workbook

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = bytes.fromhex("D0CF11E0A1B11AE1")  # an encrypted workbook, or an old .xls
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")

_SPACE = re.compile(r"\s+")

OLD_FORMAT = gettext_lazy("This is a file of the old format: open it, save it as .xlsx and choose that file.")
NO_CSV = gettext_lazy("This is not a CSV file, whatever its name says: a workbook's name ends in .xlsx.")
BROKEN_CSV = gettext_lazy("The CSV file is broken: a quotation mark may be missing. Save it as .xlsx.")

csv.field_size_limit(MOST_OF_A_ROW)


@dataclass(frozen=True)
class Sheet:
    """A sheet with its header row. `rows` yields (row number as Excel shows it, cells in the order of the fields)."""

    header_row: int
    headers: list[str]  # as they stand, unknown ones too
    total: int  # rows below the header at most; 0: not known
    rows: Iterator[tuple[int, list]]
    name: str = ""  # of the sheet in its workbook
    others: Callable[[], list[str]] = list  # names of the sheets after it that have a header row; ask after `rows`


def read(path, name, columns, *, most=None):
    """Return the `Sheet` in the file at `path`, called `name` by the person. Raises SheetRefused.

    `columns`: {field: (needed, spellings)}, the first spelling is how messages call the column. A row's cells are text,
    float, bool, date, datetime, time or timedelta, "" where the sheet has no such column. Iterating `rows` raises
    SheetRefused past `most` of them, settings.IMPORT_MAX_ROWS by default.
    """
    path = Path(path)
    check(path, name)
    return _find(_sheets(path, name), columns, most or settings.IMPORT_MAX_ROWS)


def lines(path, name, sheet):
    """Yield (row number, cells) of every row as it stands, of the sheet called `sheet` or the CSV file."""
    found = next(rows for title, _height, rows in _sheets(Path(path), name) if title == sheet)
    yield from _guarded(enumerate(found, start=1))


def _sheets(path, name):
    return iter([("", 0, _csv_rows(path))]) if suffix(name) == ".csv" else _workbook_sheets(path)


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
    """Return a cell as the text a person would have typed: whole numbers without «.0», dates as 2019-03-05.

    The apostrophe that an export puts before what a program would take for a formula is taken off again.
    """
    if isinstance(cell, str):
        said = (cell.replace("\0", "") if "\0" in cell else cell).strip()
        return said[1:] if said[:1] == "'" and said[1:].startswith(FORMULA) else said
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
    """Yield (name, rows to the last filled one, iterator of the rows) of each visible sheet; one is held in memory.

    Of a long sheet only a slice is.
    """
    measured = workbooks.measure(path)
    for index, (name, is_shown) in enumerate(_names(path)):
        if not is_shown:
            continue
        if part := workbooks.long_part(path, name, measured):
            yield name, measured[part], _slices(path, part, index)
        else:
            grid = _grid(path, index)
            yield name, grid.total_height, _rows(grid)
            grid = None


def _names(path):
    """Return [(name, whether it is a sheet of cells that is shown)] of a workbook's sheets."""
    sheets = _workbook(path).sheets_metadata
    return [
        (sheet.name, sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible)
        for sheet in sheets
    ]


def _workbook(path):
    try:
        return CalamineWorkbook.from_path(str(path))
    except Exception as error:
        raise SheetRefused(DAMAGED) from error


def _grid(path, index):
    try:
        return _workbook(path).get_sheet_by_index(index)
    except Exception as error:
        raise SheetRefused(DAMAGED) from error


def _rows(grid):
    """Return an iterator of the rows, from row 1 and column A on."""
    before = [""] * grid.start[1] if grid.start else []
    return (before + row for row in grid.iter_rows()) if before else grid.iter_rows()


def _slices(path, part, index):
    """Yield the rows of a long sheet, which lies in `part` of the workbook."""
    done = 0
    for slice_path in workbooks.slices(path, part):
        grid = _grid(slice_path, index)
        for row in islice(_rows(grid), done, None):
            yield row
            done += 1
        grid = None


def _contains(path, needle):
    with path.open("rb") as file:
        kept = b""
        while piece := file.read(PIECE):
            if needle in kept + piece:
                return True
            kept = piece[-len(needle) :]
    return False


# --- Header and rows -------------------------------------------------------------------------------------------


def _find(sheets, columns, most):
    """Return the first sheet of `sheets` with a header row: a row with every column that is needed."""
    for name, height, rows in sheets:
        numbered = _guarded(enumerate(rows, start=1))
        del rows
        if found := _header(numbered, columns):
            number, headers, places = found
            return Sheet(
                number, headers, max(height - number, 0), _data(numbered, places, most), name,
                lambda: [other for other, _height, rows in sheets if _header(_guarded(enumerate(rows)), columns)],
            )  # fmt: skip
    needed = "、".join(f"「{spellings[0]}」" for needed, spellings in columns.values() if needed)
    raise SheetRefused(_("No header row was found: the sheet needs the columns %(columns)s.") % {"columns": needed})


def _header(numbered, columns):
    """Return (row number, headers as they stand, place of each of `columns` or None) of the header row, or None."""
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
            return number, headers, list(found.values())
    return None


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
        if full_disk.is_full(error):
            raise
        raise SheetRefused(DAMAGED) from error


def _data(numbered, places, most):
    """Yield (row number, cells in the order of `places`) of the rows below the header, to the end of the sheet."""
    seen = 0
    for number, cells in numbered:
        first = cells[0] if cells else ""
        if type(first) is not str or not first[:1].isalnum():  # else it is what the person typed, as most are
            first = next((said for said in map(text, cells) if said), "")
            if not first:
                continue
        if first[0] in END_BEGINS and _SPACE.sub("", first).startswith(END_WORDS):
            return
        seen += 1
        if seen > most:
            raise SheetRefused(_("The sheet has more than %(most)d rows: divide it.") % {"most": most})
        last = len(cells)
        yield number, [cells[place] if place is not None and place < last else "" for place in places]
