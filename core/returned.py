"""The returned workbook: the sheet as it was uploaded, problem rows coloured, and a last column on what to do.

A workbook is changed in place: the cells of problem rows get another style, one column is added, and every other byte
of every part stays what it was; a library that reads and writes workbooks would lose the results of formulas, for one.
A CSV file, and a sheet too long for that, become a new workbook, written row by row.
"""

import re
import shutil
import zipfile
from io import BytesIO
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import column_index_from_string, get_column_letter

from core import sheets, workbooks
from core.models.imports import Outcome

HEADER = "处理结果"
ROW_HEADER = "原表行号"
# Nobody else's tints, so that those of an earlier round can be told and taken off again.
COLOURS = {Outcome.ERROR: "FFFFC9CF", Outcome.WARNING: "FFFFECA3", Outcome.DUPLICATE: "FFDCE8F6"}
WIDTH = 70  # characters, of the added column
MOST_IN_PLACE = 128 * 1024 * 1024  # bytes of a sheet that is changed in memory

_STYLE = re.compile(rb"""\ss\s*=\s*(?:"[^"]*"|'[^']*')""")
_SPANS = re.compile(rb"""\sspans\s*=\s*(?:"[^"]*"|'[^']*')""")
_FILL = re.compile(rb"""\s(?:fillId|applyFill)\s*=\s*(?:"[^"]*"|'[^']*')""")
_COUNT = re.compile(rb"""\scount\s*=\s*(?:"[^"]*"|'[^']*')""")
_REF = re.compile(rb"""(\sref\s*=\s*["'])([^"']*)""")
_TAG = re.compile(rb"^<[^\s/>]+")


class Strange(Exception):
    """The workbook is written in a way that is not changed in place."""


def write(path, name, out, *, sheet, header_row, headers, told, whole):
    """Write the returned workbook of the file at `path`, called `name` by the person, into the binary file `out`.

    `told`: {row: (outcome, what to do)} of the problem rows; `whole`: whether all other rows stand in it too.
    """
    column = headers.index(HEADER) + 1 if HEADER in headers else None
    if whole and sheets.suffix(name) == ".xlsx":
        try:
            _mark(path, out, sheet, header_row, told, column)
        except (Strange, KeyError, ValueError, expat.ExpatError, ElementTree.ParseError):
            out.seek(0)
            out.truncate()
        else:
            return
    _write_anew(sheets.lines(path, name, sheet), out, sheet, header_row, told, whole, column)


# --- A new workbook ------------------------------------------------------------------------------------------------


def _write_anew(lines, out, title, header_row, told, whole, column):
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(title or HEADER)
    sheet.freeze_panes = f"A{header_row + 1 if whole else 2}"
    fills = {outcome: PatternFill("solid", fgColor=colour) for outcome, colour in COLOURS.items()}
    width = 0
    for number, cells in lines:
        outcome, words = told.get(number, ("", ""))
        if number == header_row:
            outcome, words = "", HEADER
            width = len(cells)
            for place in range(1, width + 2):
                sheet.column_dimensions[get_column_letter(place)].width = 18
            sheet.column_dimensions[get_column_letter(column or width + (1 if whole else 2))].width = WIDTH
        if column and number > header_row:
            cells = [*cells[: column - 1], words, *cells[column:]]
        elif words and not column:
            number_too = [] if whole else [ROW_HEADER if number == header_row else number]
            cells = [*cells, *[""] * (width - len(cells)), *number_too, words]
        if whole or words:
            written = [_cell(sheet, value, fills.get(outcome)) for value in cells]
            if number == header_row:
                for cell in written:
                    cell.font = Font(bold=True)
            sheet.append(written)
    workbook.save(out)


def _cell(sheet, value, fill):
    """A cell of a new workbook: text stays text, whatever it begins with and however many digits it has."""
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value) or None)
        if value:
            cell.data_type, cell.number_format = "s", "@"
    else:
        cell = WriteOnlyCell(sheet, value)
    if fill:
        cell.fill = fill
    return cell


# --- The same workbook ---------------------------------------------------------------------------------------------


def _mark(path, out, title, header_row, told, column):
    """Copy the workbook at `path` with its problem rows marked. Raises Strange."""
    with zipfile.ZipFile(path) as archive:
        sheet_part, styles_part = workbooks.parts_of(archive, title)
        if not sheet_part or not styles_part:
            raise Strange
        if archive.getinfo(sheet_part).file_size > MOST_IN_PLACE:
            raise Strange
        styles = _Styles(archive.read(styles_part))
        changed = {sheet_part: _marked(archive.read(sheet_part), styles, header_row, told, column)}
        changed[styles_part] = styles.content()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as result:
            for info in archive.infolist():
                content = changed.get(info.filename)
                with archive.open(info) as old, result.open(info.filename, "w") as new:
                    shutil.copyfileobj(old if content is None else BytesIO(content), new)


class _Edits:
    """Changes of a text of bytes by their places, made all at once."""

    def __init__(self, content):
        self.content, self.made = content, []

    def replace(self, start, end, new):
        self.made.append((start, end, new))

    def insert(self, place, new):
        self.made.append((place, place, new))

    def restyle(self, start, attribute, new):
        """In the tag that begins at `start`, put `new` for the attribute that the pattern finds."""
        tag = self.tag(start)
        self.replace(start, start + len(tag), _TAG.sub(lambda name: name[0] + new, attribute.sub(b"", tag)))

    def tag(self, start):
        """The bytes of the tag that begins at `start`."""
        return self.content[start : self.content.index(b">", start) + 1]

    def result(self):
        pieces, at = [], 0
        for start, end, new in sorted(self.made, key=lambda edit: edit[:2]):
            pieces += [self.content[at:start], new]
            at = end
        return b"".join([*pieces, self.content[at:]])


def _parse(content, begins, ends):
    """Call `begins(tag, attributes, place)` and `ends(tag, place)`, tags without prefix, places in bytes."""
    parser = expat.ParserCreate()

    def declared(_version, encoding, _standalone):
        if encoding and encoding.lower() not in ("utf-8", "us-ascii"):
            raise Strange

    parser.XmlDeclHandler = declared
    parser.StartElementHandler = lambda tag, attributes: begins(
        tag.rpartition(":")[2], attributes, parser.CurrentByteIndex
    )
    parser.EndElementHandler = lambda tag: ends(tag.rpartition(":")[2], parser.CurrentByteIndex)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Strange
    parser.Parse(content, True)


def _after(content, began, end_tag):
    """The place after an element that began at `began`; for an empty one the parser gives no end tag."""
    head = content.index(b">", began) + 1
    return head if content[head - 2 : head] == b"/>" else content.index(b">", end_tag) + 1


class _Styles:
    """The cell styles of a workbook, to which coloured ones are added as they are asked for."""

    def __init__(self, content):
        self.edits = _Edits(content)
        self.styles = []  # bytes of each cell style
        self.filled = []  # the number of its fill
        self.fills = {}  # {our colour: number of its fill}
        self.known = {}  # {(style, outcome): style}
        self.count, self.ends, self.heads, within = 0, {}, {}, []

        def begins(tag, attributes, place):
            above = within[-1][0] if within else ""
            within.append((tag, place))
            if tag in ("fills", "cellXfs"):
                self.heads[tag] = place
            elif tag == "fill" and above == "fills":
                self.count += 1
            elif tag == "fgColor" and "fills" in self.heads and "fills" not in self.ends:
                self.fills |= {rgb: self.count - 1 for rgb in COLOURS.values() if attributes.get("rgb") == rgb}
            elif tag == "xf" and above == "cellXfs":
                self.filled.append(int(attributes.get("fillId", 0)))

        def ends(tag, place):
            _tag, began = within.pop()
            if tag in ("fills", "cellXfs"):
                self.ends[tag] = place
            elif tag == "xf" and within[-1][0] == "cellXfs":
                self.styles.append(content[began : _after(content, began, place)])

        _parse(content, begins, ends)
        if not self.styles or self.ends.keys() != {"fills", "cellXfs"} or not self.count:
            raise Strange
        self.old, self.old_fills = len(self.styles), self.count
        self.prefix = re.match(rb"<(\w+:)?", self.styles[0])[1] or b""

    def of(self, style, outcome):
        """Return the number of the style like `style` in the colour of `outcome`; without one, in none of ours."""
        if (style, outcome) not in self.known:
            if not 0 <= style < self.old:
                raise Strange
            if not outcome and self.filled[style] not in self.fills.values():
                self.known[style, outcome] = style
            else:
                fill = self._fill(COLOURS[outcome]) if outcome else 0
                new = _Edits(self.styles[style])
                new.restyle(0, _FILL, b' fillId="%d" applyFill="%d"' % (fill, bool(fill)))
                self.styles.append(new.result())
                self.filled.append(fill)
                self.known[style, outcome] = len(self.styles) - 1
        return self.known[style, outcome]

    def _fill(self, colour):
        if colour not in self.fills:
            self.fills[colour] = self.count
            self.count += 1
        return self.fills[colour]

    def content(self):
        """The styles with those that were added."""
        p = self.prefix
        fills = [
            b'<%sfill><%spatternFill patternType="solid"><%sfgColor rgb="%s"/></%spatternFill></%sfill>'
            % (p, p, p, colour.encode(), p, p)
            for colour, number in sorted(self.fills.items(), key=lambda item: item[1])
            if number >= self.old_fills
        ]
        for tag, added, count in (("fills", fills, self.count), ("cellXfs", self.styles[self.old :], len(self.styles))):
            self.edits.restyle(self.heads[tag], _COUNT, b' count="%d"' % count)
            self.edits.insert(self.ends[tag], b"".join(added))
        return self.edits.result()


class _Rows:
    """Where the cells of some rows of a sheet stand in its XML."""

    def __init__(self, content, wanted):
        self.rows = {}  # {row: (tag, end tag, {column: (style, begin, end)})}, all by their places
        self.width = 0  # the last column with a value in it, of all rows
        self.prefix, self.dimension, self.columns, self.columns_end, self.data = b"", None, [], None, None
        row = column = 0
        began, cells, cell = 0, {}, None

        def begins(tag, attributes, place):
            nonlocal row, column, began, cells, cell
            if tag == "row":
                row, column, began, cells = int(attributes.get("r", row + 1)), 0, place, {}
            elif tag == "c":
                column = (
                    column_index_from_string(attributes["r"].rstrip("0123456789")) if "r" in attributes else column + 1
                )
                cell = int(attributes.get("s", 0)), place
            elif tag in ("v", "is"):
                self.width = max(self.width, column)
            elif tag == "dimension":
                self.dimension = place
            elif tag == "col":
                self.columns.append((int(attributes["min"]), int(attributes["max"]), place))
            elif tag == "sheetData":
                self.data = place
                self.prefix = re.match(rb"<(\w+:)?", content[place : place + 50])[1] or b""

        def ends(tag, place):
            if tag == "c" and wanted(row):
                style, began_at = cell
                cells[column] = style, began_at, _after(content, began_at, place)
            elif tag == "row" and wanted(row):
                self.rows[row] = began, place, cells
            elif tag == "cols":
                self.columns_end = place

        _parse(content, begins, ends)


def _marked(content, styles, header_row, told, column):
    """Return the XML of a sheet with the rows `told` about coloured and told about in the last column.

    `column`: where an earlier round told about them; that is said anew, and its colours are taken off.
    """
    found = _Rows(content, lambda row: row in told or row == header_row or (column and row > header_row))
    edits, p, last = _Edits(content), found.prefix, column or found.width + 1
    for row, (start, end, cells) in found.rows.items():
        outcome, words = told.get(row, (None, ""))
        if row == header_row:
            words = HEADER
        elif not words and last not in cells:
            continue
        edits.restyle(start, _SPANS, b"")
        added = {}  # column: the cell
        if words:
            like = cells[last - 1][0] if row == header_row and last - 1 in cells else 0
            added[last] = _text_cell(p, row, last, styles.of(like, outcome), words)
        if outcome:
            blank = styles.of(0, outcome)
            for each in range(1, last):
                if each not in cells:
                    added[each] = b'<%sc r="%s%d" s="%d"/>' % (p, get_column_letter(each).encode(), row, blank)
        for each, (style, began, ended) in cells.items():
            if each == last:
                edits.replace(began, ended, added.pop(last, b""))
            elif row != header_row and styles.of(style, outcome) != style:
                edits.restyle(began, _STYLE, b' s="%d"' % styles.of(style, outcome))
        for each in sorted(added):
            following = [place for other, (_style, place, _ended) in cells.items() if other > each]
            edits.insert(min(following, default=end), added[each])
    if header_row not in found.rows or found.data is None:
        raise Strange
    _widen(edits, found, last)
    return edits.result()


def _text_cell(p, row, column, style, words):
    return b'<%sc r="%s%d" s="%d" t="inlineStr"><%sis><%st xml:space="preserve">%s</%st></%sis></%sc>' % (
        p, get_column_letter(column).encode(), row, style, p, p, escape(words).encode(), p, p, p,
    )  # fmt: skip


def _widen(edits, found, last):
    """Give the last column a width, unless the sheet says something about it, and count it in."""
    p = found.prefix
    width = b'<%scol min="%d" max="%d" width="%d" customWidth="1"/>' % (p, last, last, WIDTH)
    if found.columns_end is None:
        edits.insert(found.data, b"<%scols>%s</%scols>" % (p, width, p))
    elif not any(first <= last <= to for first, to, _place in found.columns):
        after = [place for first, _to, place in found.columns if first > last]
        edits.insert(min(after, default=found.columns_end), width)
    if found.dimension is not None:
        tag = edits.tag(found.dimension)
        if ref := _REF.search(tag):
            first, _colon, to = ref[2].decode().partition(":")
            place = re.fullmatch(r"([A-Z]+)(\d+)", to or first)
            if place and column_index_from_string(place[1]) < last:
                new = f"{first}:{get_column_letter(last)}{place[2]}".encode()
                edits.replace(found.dimension, found.dimension + len(tag), tag.replace(ref[2], new))
