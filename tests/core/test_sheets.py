"""Reading sheets: headers found wherever they stand, cells as people meant them, and a sentence for every bad file."""

import tempfile
import zipfile
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as few
from hypothesis import strategies as st

from core import sheets, workbooks
from core.sheets import SheetRefused

COLUMNS = {
    "name": (True, ("姓名",)),
    "number": (True, ("身份证号", "身份证号码", "证件号码")),
    "phone": (False, ("手机号", "手机")),
    "joined_on": (False, ("入会日期", "入会时间")),
}
HEADERS = ["姓名", "身份证号", "手机号", "入会日期"]
ROW = ["张三", "210400198503070017", "13800131234", "2019-03-05"]


def workbook(tmp_path, *sheets_of_rows, name="名册.xlsx", change=None):
    """Write a workbook whose sheets have the given rows; `change(workbook)` does the rest. Returns its path."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets_of_rows:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    if change:
        change(book)
    path = tmp_path / name
    book.save(path)
    return path


def read(path, name=None):
    """Return (header row, [(row number, cells)])."""
    sheet = sheets.read(path, name or path.name, COLUMNS)
    return sheet.header_row, list(sheet.rows)


def csv_file(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "名册.csv"
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path, name=None):
    """The sentence with which the file is refused."""
    with pytest.raises(SheetRefused) as refused:
        read(path, name)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


# --- Headers and rows --------------------------------------------------------------------------------------------


def test_a_header_in_the_first_row(tmp_path):
    assert read(workbook(tmp_path, [HEADERS, ROW])) == (1, [(2, ROW)])


def test_titles_notes_and_merged_cells_stand_above(tmp_path):
    def merge(book):
        sheet = book.active
        sheet.merge_cells("A1:D1")
        sheet.merge_cells("A2:B2")

    rows = [["会员名册"], ["填报单位：（盖章）", None, None, "填报日期"], ["审核人签字"], [], HEADERS, ROW]
    assert read(workbook(tmp_path, rows, change=merge)) == (5, [(6, ROW)])


def test_rows_are_numbered_as_excel_shows_them(tmp_path):
    """The reader leaves out empty columns on the left; the first rows may be empty as well."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row, cells in {7: HEADERS, 9: ROW, 12: ROW}.items():
        for place, cell in enumerate(cells):
            sheet.cell(row, 4 + place, cell)
    path = tmp_path / "名册.xlsx"
    book.save(path)
    assert read(path) == (7, [(9, ROW), (12, ROW)])


def test_white_space_and_asterisks_in_headers_are_ignored(tmp_path):
    rows = [["*姓  名", "身份证\n号码", "手　机", " 入会时间 "], ROW]
    assert read(workbook(tmp_path, rows)) == (1, [(2, ROW)])


def test_unknown_columns_are_kept_as_headers_and_missing_ones_are_empty(tmp_path):
    path = workbook(tmp_path, [["备注", "证件号码", "血型", "姓名"], ["a", ROW[1], "O", "张三"]])
    sheet = sheets.read(path, path.name, COLUMNS)
    assert sheet.headers == ["备注", "证件号码", "血型", "姓名"]
    assert list(sheet.rows) == [(2, ["张三", ROW[1], "", ""])]


def test_blank_rows_are_skipped_and_end_words_end_the_sheet(tmp_path):
    rows = [HEADERS, ROW, [None] * 4, [" ", "\u3000", "", None], ROW, [None, "合　计：", 2], ROW]
    assert read(workbook(tmp_path, rows)) == (1, [(2, ROW), (5, ROW)])


@pytest.mark.parametrize("word", ["合计", "总计", "制表人：", "填表日期", "审核", "负责人（签字）"])
def test_each_end_word_ends_the_sheet(tmp_path, word):
    assert read(workbook(tmp_path, [HEADERS, ROW, ["", word], ROW])) == (1, [(2, ROW)])


def test_the_first_visible_sheet_with_the_header_is_read(tmp_path):
    def hide(book):
        book.worksheets[1].sheet_state = "hidden"
        book.create_chartsheet()

    hidden = [HEADERS, ["李四", *ROW[1:]]]
    path = workbook(tmp_path, [["说明"]], hidden, [["封面"], HEADERS, ROW], [HEADERS], change=hide)
    assert read(path) == (2, [(3, ROW)])


def test_cells_keep_their_kind(tmp_path):
    cells = ["张三", 210400198503070017, 13800131234, date(2019, 3, 5)]
    [(_row, found)] = read(workbook(tmp_path, [HEADERS, cells]))[1]
    assert [type(cell) for cell in found] == [str, float, float, date]
    assert sheets.text(found[2]) == "13800131234"
    assert sheets.day(found[3]) == date(2019, 3, 5)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (" a\0b ", "ab"), (40020.0, "40020"), (1.5, "1.5"), (True, "TRUE"), (date(2019, 3, 5), "2019-03-05"),
        (datetime(2019, 3, 5, 1, 2, 3), "2019-03-05 01:02:03"), (time(1, 2), "01:02:00"), (None, ""),
    ],
)  # fmt: skip
def test_a_cell_as_text(cell, text):
    assert sheets.text(cell) == text


@pytest.mark.parametrize(
    "cell",
    [
        "2019-03-05", "2019/3/5", "2019.3.5", "20190305", 20190305.0, "2019年3月5日", "2019年03月05日",
        " 2019 年 3 月 5 日", "２０１９．３．５", date(2019, 3, 5), datetime(2019, 3, 5, 12, 0),
    ],
)  # fmt: skip
def test_a_date_however_it_is_written(cell):
    assert sheets.day(cell) == date(2019, 3, 5)


@pytest.mark.parametrize(
    "cell",
    [
        "2019-13-40",
        "二零一九",
        "见档案",
        "2019",
        "2019-3",
        "2019/3-5",
        "43529",
        43529.0,
        "0219-03-05",
        True,
        time(3, 5),
    ],
)
def test_what_is_no_date(cell):
    with pytest.raises(ValueError):
        sheets.day(cell)


@pytest.mark.parametrize("cell", ["", " ", "\u3000"])
def test_no_date_at_all(cell):
    assert sheets.day(cell) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_in_each_encoding(tmp_path, encoding):
    text = (
        "会员名册,,,\n\n" + ",".join(HEADERS) + "\n" + ",".join(ROW) + '\n,,,\n"䶮\n𬭎",x,,\n合计,1,,\n' + ",".join(ROW)
    )
    assert read(csv_file(tmp_path, text, encoding)) == (3, [(4, ROW), (6, ["䶮\n𬭎", "x", "", ""])])


def test_short_rows_of_a_csv_are_filled_up(tmp_path):
    assert read(csv_file(tmp_path, "姓名,身份证号,手机号\n张三\n")) == (1, [(2, ["张三", "", "", ""])])


FILLING = st.lists(st.text(alphabet="会员名册 ：(盖章)ab", max_size=8), max_size=4)


@few(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(above=st.lists(FILLING, max_size=6), order=st.permutations(range(6)), data=st.data())
def test_a_header_is_found_below_anything_and_in_any_order(tmp_path, above, order, data):
    spellings = [data.draw(st.sampled_from(names)) for _needed, names in COLUMNS.values()]
    headers = [*(" ".join(name) for name in spellings), "备注", "血型"]
    cells = [*ROW, "x", "y"]
    rows = [[*row] for row in above] + [[headers[place] for place in order], [cells[place] for place in order]]
    assert read(workbook(tmp_path, rows)) == (len(above) + 1, [(len(above) + 2, ROW)])


# --- Bad files ---------------------------------------------------------------------------------------------------


def test_no_header_row_names_the_columns_that_are_needed(tmp_path):
    assert "「姓名」、「身份证号」" in refusal(workbook(tmp_path, [["姓名", "年龄"], ["张三", 3]]))
    assert "「姓名」、「身份证号」" in refusal(workbook(tmp_path, []))
    assert "「姓名」、「身份证号」" in refusal(csv_file(tmp_path, "a,b\n1,2\n"))


def test_a_missing_file_and_a_folder(tmp_path):
    assert "none.xlsx" in refusal(tmp_path / "none.xlsx")
    (tmp_path / "folder.xlsx").mkdir()
    assert "folder.xlsx" in refusal(tmp_path / "folder.xlsx")


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_an_empty_file(tmp_path, name):
    path = tmp_path / name
    path.touch()
    assert refusal(path) == str(sheets._("The file is empty (0 bytes)."))


@pytest.mark.parametrize("name", ["a.xls", "a.et", "a.XLS"])
def test_an_old_format_is_to_be_saved_anew(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(sheets.OLE_MAGIC + bytes(1000))
    assert refusal(path) == str(sheets.OLD_FORMAT)


def test_an_old_format_under_a_new_name(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(sheets.OLE_MAGIC + bytes(1000))
    assert refusal(path) == str(sheets.OLD_FORMAT)


def test_a_password(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(sheets.OLE_MAGIC + bytes(3000) + "EncryptedPackage".encode("utf-16-le") + bytes(3000))
    assert refusal(path) == str(workbooks.PASSWORD)


@pytest.mark.parametrize(("name", "content"), [("a.pdf", b"%PDF-1.7"), ("a.docx", b"PK\x03\x04"), ("a", b"x")])
def test_another_kind_of_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert ".xlsx" in refusal(path)


def test_a_name_that_lies(tmp_path):
    text = tmp_path / "a.xlsx"
    text.write_text("姓名,身份证号\n", encoding="utf-8")
    assert refusal(text) == str(workbooks.NO_WORKBOOK)
    book = workbook(tmp_path, [HEADERS], name="b.xlsx").rename(tmp_path / "b.csv")
    assert refusal(book) == str(sheets.NO_CSV)


def test_a_zip_that_is_no_workbook(tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    assert refusal(path) == str(workbooks.NO_WORKBOOK)


@pytest.mark.parametrize("cut", [20, 300, -30, -4])
def test_a_workbook_cut_short(tmp_path, cut):
    path = workbook(tmp_path, [HEADERS, ROW])
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(path) == str(workbooks.DAMAGED)


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_a_workbook_with_broken_xml(tmp_path):
    path = workbook(tmp_path, [HEADERS, ROW])
    parts = parts_of(path)
    for broken in (b"", b"<worksheet><sheetData><row><c", parts[SHEET][:300], b"\0" * 500):
        assert refusal(pack(path, parts | {SHEET: broken})) in {
            str(workbooks.DAMAGED),
            str(sheets._("No header row was found: the sheet needs the columns %(columns)s."))
            % {"columns": "「姓名」、「身份证号」"},
        }


def test_macros(tmp_path):
    path = workbook(tmp_path, [HEADERS, ROW])
    assert refusal(path, "名册.xlsm") == str(workbooks.MACROS)
    pack(path, parts_of(path) | {"xl/vbaProject.bin": b"x"})
    assert refusal(path) == str(workbooks.MACROS)


def test_two_hundred_columns_are_read(tmp_path):
    filling = [f"列{place}" for place in range(200)]
    assert read(workbook(tmp_path, [[*filling, *HEADERS], [*filling, *ROW]])) == (1, [(2, ROW)])


def test_more_rows_than_the_limit(tmp_path, settings):
    settings.IMPORT_MAX_ROWS = 3
    assert len(read(workbook(tmp_path, [HEADERS, ROW, ROW, [], ROW]))[1]) == 3
    assert "3" in refusal(workbook(tmp_path, [HEADERS, ROW, ROW, ROW, ROW]))


def test_more_bytes_than_the_limit(tmp_path, settings):
    settings.IMPORT_MAX_BYTES = 100
    assert "MB" in refusal(workbook(tmp_path, [HEADERS, ROW]))


def test_more_columns_than_a_workbook_can_have(tmp_path):
    path = csv_file(tmp_path, ",".join(HEADERS) + "," * 20_000)
    assert "16384" in refusal(path)


@pytest.mark.parametrize("piece", [",", '\n","'])
def test_a_row_of_a_csv_that_never_ends(tmp_path, piece):
    path = csv_file(tmp_path, ",".join(HEADERS) + ',"' + piece * 5_000_000)
    assert refusal(path) == str(sheets.BROKEN_CSV)


def test_text_that_is_neither_utf8_nor_gb18030(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("姓名,身份证号".encode("utf-16"))
    assert "UTF-8" in refusal(path)


# --- Bombs: files that are small until they are opened --------------------------------------------------------------


def with_sheet(tmp_path, data):
    """A workbook whose sheet has the XML `data` as its rows."""
    path = workbook(tmp_path, [HEADERS, ROW])
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return pack(path, parts_of(path) | {SHEET: head + data + b"</sheetData></worksheet>"})


def test_a_part_that_unpacks_to_very_much(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "BOMB_SIZE", 1024 * 1024)
    path = with_sheet(tmp_path, b" " * 3_000_000)
    assert path.stat().st_size < 20_000
    assert refusal(path) == str(workbooks.TOO_BIG)


def test_a_directory_that_lies_about_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 1024 * 1024)
    path = with_sheet(tmp_path, b" " * 3_000_000)
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(SHEET).file_size
    lie = (1000).to_bytes(4, "little")
    while (place := raw.find(size.to_bytes(4, "little"))) >= 0:
        raw[place : place + 4] = lie
    path.write_bytes(raw)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(SHEET).file_size == 1000
    assert refusal(path) == str(workbooks.TOO_BIG)


@pytest.mark.parametrize("reference", [b'r="XFD1048576"', b"r = 'xfd1048576'"])
def test_two_cells_far_apart(tmp_path, reference):
    """The reader keeps the whole rectangle between them: 17,000,000,000 cells."""
    path = with_sheet(tmp_path, b'<row r="1"><c r="A1"><v>1</v></c></row><row><c ' + reference + b"><v>1</v></c></row>")
    assert refusal(path) == str(workbooks.TOO_BIG)


FIRST = b'<row r="1"><c r="A1"><v>1</v></c></row>'
FAR_BELOW = b'<row r="99999"><c r="A99999"><v>1</v></c></row>'


@pytest.mark.parametrize(
    "rows",
    [
        FIRST + b'<row r="99999"><c r="ZZZZ99999"><v>1</v></c></row>',
        FIRST + b'<row r="90000000"><c r="A90000000"><v>1</v></c></row>',
        FIRST + b'<row><c r="XFD01048576"><v>1</v></c></row>',
        FIRST + b'<row><c s=">" r="XFD1048576"><v>1</v></c></row>',
        FIRST + b"<row>" + b"<c/>" * 20_000 + b"<c><v>1</v></c></row>" + FAR_BELOW,
        FIRST + b"<row/>" * 1_000_000 + b"<row>" + b"<c/>" * 30 + b"<c><v>1</v></c></row>",
    ],
    ids=["four letters", "eight digits", "a zero in front", "a sign in quotes", "cells to count", "rows to count"],
)
def test_two_cells_far_apart_in_another_spelling(tmp_path, rows):
    """The reader would take them as they stand, and the memory of the machine with them."""
    assert refusal(with_sheet(tmp_path, rows)) == str(workbooks.TOO_BIG)


def test_cells_without_a_place_are_read(tmp_path):
    words = b"".join(b'<c t="inlineStr"><is><t>%s</t></is></c>' % text.encode() for text in (*HEADERS, *ROW))
    cut = words.index("张三".encode()) - len(b'<c t="inlineStr"><is><t>')
    path = with_sheet(tmp_path, b"<row>" + words[:cut] + b"</row><row>" + words[cut:] + b"</row>")
    assert read(path) == (1, [(2, ROW)])


def test_a_sheet_that_begins_like_shared_texts_is_measured_as_well(tmp_path):
    path = workbook(tmp_path, [HEADERS, ROW])
    parts = parts_of(path)
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    sheet = parts[SHEET].replace(b"<worksheet", b"<!-- <sst --><worksheet", 1).replace(b"</sheetData>", far)
    assert refusal(pack(path, parts | {SHEET: sheet})) == str(workbooks.TOO_BIG)


def test_coloured_empty_cells_far_apart_are_no_bomb(tmp_path):
    path = workbook(tmp_path, [HEADERS, ROW])
    parts = parts_of(path)
    far = b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'
    pack(path, parts | {SHEET: parts[SHEET].replace(b"</sheetData>", far)})
    assert read(path) == (1, [(2, ROW)])


def test_one_long_text_used_very_often(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_TEXT", 10_000_000)
    path = workbook(tmp_path, [[*HEADERS, "备注"], *([*ROW, "长" * 3000] for _row in range(2000))])
    assert path.stat().st_size < 200_000
    assert refusal(path) == str(workbooks.TOO_BIG)


TEXTS = (
    b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    b' xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>%s</t></si></sst>' % (b"x" * 100_000)
)


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (TEXTS, b"<v>0</v>"),
        (TEXTS.replace(b"<sst", b"<!--%s--><sst" % (b" " * 5000)), b"<v>0</v>"),
        (TEXTS.replace(b"si>", b"x:si>"), b"<v>0</v>"),
        (TEXTS, b'<v xml:space="preserve">0</v>'),
        (TEXTS, b"<v>0000000000</v>"),
    ],
    ids=["plain", "after a long comment", "with a prefix", "with an attribute", "with zeros in front"],
)
def test_one_shared_text_used_very_often(tmp_path, monkeypatch, texts, value):
    monkeypatch.setattr(workbooks, "MOST_TEXT", 10_000_000)
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s">%s</c></row>' % (row, row, value) for row in range(1, 1000))
    path = with_sheet(tmp_path, cells)
    pack(path, parts_of(path) | {"xl/sharedStrings.xml": texts})
    assert refusal(path) == str(workbooks.TOO_BIG)


def test_one_long_text_used_once_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_TEXT", 10_000_000)
    rows = [[*HEADERS, "备注"], [*ROW, "长" * 30_000], *([*ROW, "x"] for _row in range(200))]
    assert len(read(workbook(tmp_path, rows))[1]) == 201


def test_a_zip_entry_with_a_password(tmp_path):
    path = workbook(tmp_path, [HEADERS, ROW])
    raw = bytearray(path.read_bytes())
    place = raw.find(b"PK\x01\x02")
    raw[place + 8] |= 1
    path.write_bytes(raw)
    assert refusal(path) == str(workbooks.PASSWORD)


# --- The empty workbook --------------------------------------------------------------------------------------------


def test_the_template_is_a_sheet_we_read_and_its_numbers_are_text(tmp_path):
    path = Path(tmp_path / "t.xlsx")
    path.write_bytes(sheets.template("会员名册", COLUMNS, ("number", "joined_on")))
    assert read(path) == (2, [])
    sheet = openpyxl.load_workbook(BytesIO(path.read_bytes())).active
    assert [cell.value for cell in sheet[2]] == ["*姓名", "*身份证号", "手机号", "入会日期"]
    formats = {letter: sheet.column_dimensions[letter].number_format for letter in "ABCD"}
    assert formats == {"A": "General", "B": "@", "C": "General", "D": "@"}


# --- Long sheets -------------------------------------------------------------------------------------------------


def long_workbook(path, rows, first_column=1):
    """A workbook whose second sheet is long, with gaps, and whose first column is empty now and then."""
    workbook = openpyxl.Workbook()
    workbook.active["A1"] = "说明"
    sheet = workbook.create_sheet("名册")
    sheet.cell(2, first_column, "二〇二六年名册")
    for place, header in enumerate(["姓名", "身份证号", "所属工会编码", "入会日期"], start=first_column):
        sheet.cell(4, place, header)
    for number in range(5, rows):
        if number % 17:
            cells = [f"张{number}" if number % 3 else None, str(number), "T1", date(2020, 1, 1 + number % 28)]
            for place, cell in enumerate(cells, start=first_column):
                sheet.cell(number, place, cell)
    sheet.cell(rows + 5, first_column, "合计")
    workbook.create_sheet("另页")["A1"] = "附注"
    workbook.save(path)
    return path


LONG = {"name": (True, ("姓名",)), "number": (True, ("身份证号",)), "joined_on": (False, ("入会日期",))}


@pytest.mark.parametrize("first_column", [1, 2])
def test_a_long_sheet_read_in_slices_says_what_it_says_as_a_whole(tmp_path, monkeypatch, first_column):
    path = long_workbook(tmp_path / "名册.xlsx", 400, first_column)
    whole = list(sheets.lines(path, path.name, "名册"))
    sheet = sheets.read(path, path.name, LONG)
    meant = sheet.header_row, sheet.headers, list(sheet.rows), sheet.name
    monkeypatch.setattr(workbooks, "SLICE", 100)
    monkeypatch.setattr(workbooks, "PIECE", 2000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "drafts"))
    (tmp_path / "drafts").mkdir()
    assert list(workbooks.measure(path).values()) == [sum(any(cell != "" for cell in cells) for _row, cells in whole)]
    assert len(list(workbooks.slices(path, "xl/worksheets/sheet2.xml"))) > 5
    assert list(sheets.lines(path, path.name, "名册")) == whole
    sheet = sheets.read(path, path.name, LONG)
    assert (sheet.header_row, sheet.headers, list(sheet.rows), sheet.name) == meant
    assert len(meant[2]) > 300
    assert sheet.others() == []
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_long_sheet_that_is_written_in_another_way_is_read_as_a_whole(tmp_path, monkeypatch):
    path = long_workbook(tmp_path / "名册.xlsx", 100)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    whole = list(sheets.lines(path, path.name, "名册"))
    name = "xl/worksheets/sheet2.xml"
    other = pack(tmp_path / "别名册.xlsx", parts | {name: parts[name].replace(b'<c r="B7"', b'<c  r="B7"')})
    monkeypatch.setattr(workbooks, "SLICE", 50)
    assert workbooks.measure(other) == {}
    assert list(sheets.lines(other, other.name, "名册")) == whole
