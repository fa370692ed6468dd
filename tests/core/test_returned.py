"""The returned workbook: the same bytes but for what it has to tell."""

import re
import zipfile
from io import BytesIO

import openpyxl
import pytest
from openpyxl.styles import Alignment, Font, PatternFill
from python_calamine import CalamineWorkbook

from core import returned
from core.models.imports import Outcome

TOLD = {
    4: (Outcome.ERROR, "未入库：姓名<没有>填写&"),
    6: (Outcome.WARNING, "已入库，请核对：手机号不对"),
    7: (Outcome.DUPLICATE, "已经在册：不用处理"),
}
HEADERS = ["姓名", "身份证号", "所属工会编码", "备注"]


@pytest.fixture
def workbook(tmp_path):
    """A workbook as people keep it: a title over merged cells, colours, a formula, widths, a second sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "名册"
    sheet.append(["会员名册"])
    sheet.merge_cells("A1:D1")
    sheet["A1"].font = Font(size=18, bold=True)
    sheet.append([])
    sheet.append(HEADERS)
    for place in range(4, 9):
        sheet.append([f"人{place}", "210400198503070017", None, "=1+1"])
        sheet.cell(place, 2).number_format = "@"
        sheet.cell(place, 1).fill = PatternFill("solid", fgColor="FF00FF00")
        sheet.cell(place, 4).alignment = Alignment(wrap_text=True)
    sheet.append(["合计", 5])
    sheet.column_dimensions["B"].width = 33
    book.create_sheet("别的")["C3"] = "不动"
    path = tmp_path / "名册.xlsx"
    book.save(path)
    return path


def mark(path, told=TOLD, headers=HEADERS, whole=True, sheet="名册", header_row=3):
    out = BytesIO()
    returned.write(path, path.name, out, sheet=sheet, header_row=header_row, headers=headers, told=told, whole=whole)
    again = path.with_name(f"又{path.stem}.xlsx")
    again.write_bytes(out.getvalue())
    return again


def rows_of(path, sheet="名册"):
    """{row: XML} of a sheet."""
    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet1.xml" if sheet == "名册" else "xl/worksheets/sheet2.xml").decode()
    return {int(row): text for text, row in re.findall(r'(<row r="(\d+)".*?</row>)', content)}


def colours(row):
    return {cell.fill.fgColor.rgb for cell in row}


def test_only_problem_rows_header_and_styles_change(workbook):
    result = mark(workbook)
    with zipfile.ZipFile(workbook) as old, zipfile.ZipFile(result) as new:
        assert old.namelist() == new.namelist()
        changed = [name for name in old.namelist() if old.read(name) != new.read(name)]
    assert sorted(changed) == ["xl/styles.xml", "xl/worksheets/sheet1.xml"]
    before, after = rows_of(workbook), rows_of(result)
    assert {row for row in before if before[row] != after[row]} == {3, 4, 6, 7}
    sheet, was = openpyxl.load_workbook(result)["名册"], openpyxl.load_workbook(workbook)["名册"]
    assert [sheet.cell(row, 5).value for row in range(3, 10)] == [
        "处理结果", TOLD[4][1], None, TOLD[6][1], TOLD[7][1], None, None,
    ]  # fmt: skip
    assert [colours(sheet[row]) for row in (4, 6, 7)] == [{colour} for colour in returned.COLOURS.values()]
    assert len(set(returned.COLOURS.values())) == 3
    for row in was.iter_rows(max_col=4):
        for cell in row:
            now = sheet[cell.coordinate]
            assert (now.value, now.number_format) == (cell.value, cell.number_format)
            assert (now.font.sz, now.font.b, now.alignment.wrap_text) == (
                cell.font.sz, cell.font.b, cell.alignment.wrap_text,
            )  # fmt: skip
    assert (str(sheet.merged_cells), sheet.column_dimensions["B"].width) == ("A1:D1", 33)
    assert sheet.column_dimensions["E"].width == returned.WIDTH
    assert sheet.dimensions == "A1:E9"
    assert openpyxl.load_workbook(result)["别的"]["C3"].value == "不动"


def test_a_second_round_tells_anew_and_takes_its_own_colours_off(workbook):
    first = mark(workbook)
    second = mark(first, {5: (Outcome.ERROR, "还是不对")}, [*HEADERS, returned.HEADER])
    sheet = openpyxl.load_workbook(second)["名册"]
    assert [sheet.cell(row, 5).value for row in range(3, 9)] == ["处理结果", None, "还是不对", None, None, None]
    assert sheet.max_column == 5
    assert colours(sheet[5]) == {returned.COLOURS[Outcome.ERROR]}
    ours = set(returned.COLOURS.values())
    assert not any(colours(sheet[row]) & ours for row in (4, 6, 7, 8))


def test_prefixed_tags_places_left_out_and_columns_to_the_end_are_understood(workbook, tmp_path):
    """As other programs write: a prefix, cells without places, widths and styles of all columns to the last."""
    strange = tmp_path / "别家.xlsx"
    with zipfile.ZipFile(workbook) as old, zipfile.ZipFile(strange, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode()
            if name == "xl/worksheets/sheet1.xml":
                content = re.sub(r'(<c) r="[A-Z]+\d+"', r"\1", content)
                content = re.sub(r"<cols>.*</cols>", '<cols><col min="3" max="16384" width="9"/></cols>', content)
                content = re.sub(r"<(/?)(?=[a-z])", r"<\1x:", content).replace("xmlns=", "xmlns:x=")
            new.writestr(name, content)
    result = mark(strange)
    found = CalamineWorkbook.from_path(str(result)).get_sheet_by_name("名册").to_python()
    assert [row[-1] for row in found[2:8]] == ["处理结果", TOLD[4][1], "", TOLD[6][1], TOLD[7][1], ""]
    with zipfile.ZipFile(result) as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<x:col ") == 1


def test_a_workbook_that_cannot_be_changed_in_place_is_written_anew(workbook, monkeypatch):
    monkeypatch.setattr(returned, "MOST_IN_PLACE", 10)
    sheet = openpyxl.load_workbook(mark(workbook)).active
    assert [sheet.cell(row, 5).value for row in (3, 4, 5)] == ["处理结果", TOLD[4][1], None]
    assert sheet["A1"].value == "会员名册"


def test_a_csv_file_becomes_a_workbook_in_which_text_stays_text(tmp_path):
    path = tmp_path / "名册.csv"
    lines = [
        "标题",
        "",
        ",".join(HEADERS),
        "=cmd|' /C calc'!A0,210400198503070017,T01,@SUM(1)",
        "乙,2,3,-4",
        "丙,2,3,+1",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    sheet = openpyxl.load_workbook(mark(path, sheet="")).active
    assert [cell.value for cell in sheet[4]] == [*lines[3].split(","), TOLD[4][1]]
    assert {cell.data_type for cell in sheet[4]} == {"s"}
    assert {cell.number_format for cell in sheet[4]} == {"@"}
    assert colours(sheet[4]) == {returned.COLOURS[Outcome.ERROR]}
    assert [cell.value for cell in sheet[5]][:4] == ["乙", "2", "3", "-4"]


def test_a_long_sheet_becomes_its_problem_rows_only(workbook):
    sheet = openpyxl.load_workbook(mark(workbook, whole=False)).active
    assert [[cell.value for cell in row][-3:] for row in sheet] == [
        ["备注", "原表行号", "处理结果"], [None, 4, TOLD[4][1]], [None, 6, TOLD[6][1]], [None, 7, TOLD[7][1]],
    ]  # fmt: skip
    assert sheet["B2"].value == "210400198503070017"
    assert sheet.freeze_panes == "A2"
