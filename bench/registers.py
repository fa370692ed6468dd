"""The register that imports are measured with: an invented workbook as people keep it, and the unions it names.

One row in a hundred has a wrong number, one in two hundred names no union, one in two hundred repeats the row before;
dates, synonyms and phones are written in every way that registers write them.
"""

import csv
import random
import shutil
import tempfile
import zipfile
from datetime import date, timedelta

from bench.ground import VAR
from core import imports
from core.models import User
from members.demo import GIVEN, SURNAMES
from members.imports import DOCUMENTS, EMPLOYMENTS
from unions.models import Union

VERSION = 2  # of what `write` writes: the files are kept
UNIONS = 400
AREAS = ("330106", "330108", "330203", "330302", "330402")  # no area of the seeded city: nobody is stored already
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
HEADERS = (
    "姓名", "性别", "身份证号", "证件类型", "手机号", "所属工会编码", "入会日期", "用工形式", "民族", "是否农民工",
    "部门", "岗位", "会员证号", "备注",
)  # fmt: skip

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_REFERS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PARTS = {  # of the workbook, beside its sheet and the shared texts
    "[Content_Types].xml": f"{XML}"
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KINDS}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KINDS}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_KINDS}.styles+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_KINDS}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f"{XML}"
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_REFERS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f"{XML}"
    f'<workbook xmlns="{MAIN}" xmlns:r="{_REFERS}"><sheets><sheet name="会员名册" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f"{XML}"
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_REFERS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_REFERS}/styles" Target="styles.xml"/>'
    f'<Relationship Id="rId3" Type="{_REFERS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    "xl/styles.xml": f"{XML}"
    f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font><sz val="11"/><name val="宋体"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs></styleSheet>',
}


def prepare(sizes):
    """Write the workbooks of these sizes, unless they are kept from before."""
    for rows in sizes:
        register(rows)
    return {}


def register(rows):
    """Return the path of the kept workbook of `rows` rows."""
    path = VAR / f"register-{VERSION}-{rows}.xlsx"
    if not path.exists():
        draft = path.with_suffix(".part")
        write(draft, rows)
        draft.rename(path)
    return path


def write(path, rows):
    """Write the workbook, the same on every machine: texts shared, as Excel and WPS write them."""
    draw, texts = random.Random(rows), {}
    with tempfile.TemporaryFile() as sheet, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as book:
        area = f"A1:{chr(64 + len(HEADERS))}{rows + 1}"
        sheet.write(f'{XML}<worksheet xmlns="{MAIN}"><dimension ref="{area}"/><sheetData>'.encode())
        before = None
        for number in range(rows + 1):
            if number == 0:
                cells = HEADERS
            elif before is None or number % 200 != 150:
                cells = before = _row(number - 1, draw)
            sheet.write(_row_xml(number + 1, cells, texts))
        sheet.write(b"</sheetData></worksheet>")
        sheet.seek(0)
        for name, content in PARTS.items():
            book.writestr(name, content)
        with book.open("xl/worksheets/sheet1.xml", "w") as part:
            shutil.copyfileobj(sheet, part)
        with book.open("xl/sharedStrings.xml", "w") as part:
            part.write(f'{XML}<sst xmlns="{MAIN}">'.encode())
            part.writelines(b"<si><t>%s</t></si>" % text.encode() for text in texts)
            part.write(b"</sst>")


def _row_xml(number, cells, texts):
    """One row; `texts`: {shared text: its number}, which grows."""
    written = b"".join(
        b'<c r="%c%d" s="1"><v>%d</v></c>' % (65 + column, number, (cell - date(1899, 12, 30)).days)
        if isinstance(cell, date)
        else b'<c r="%c%d" t="s"><v>%d</v></c>' % (65 + column, number, texts.setdefault(cell, len(texts)))
        for column, cell in enumerate(cells)
        if cell != ""
    )
    return b'<row r="%d" spans="1:%d">%s</row>' % (number, len(cells), written)


def _row(number, draw):
    born = date(1958, 1, 1) + timedelta(days=draw.randrange(365 * 47))
    body = f"{AREAS[number % len(AREAS)]}{born:%Y%m%d}{number // len(AREAS) % 1000:03d}"
    check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]
    if number % 100 == 7:
        check = "0" if check != "0" else "1"
    joined = date(2005, 1, 1) + timedelta(days=draw.randrange(365 * 20))
    written = (
        joined.isoformat(), f"{joined:%Y/%m/%d}", f"{joined.year}.{joined.month}.{joined.day}", f"{joined:%Y%m%d}",
        f"{joined.year}年{joined.month}月{joined.day}日", joined,
    )  # fmt: skip
    phone = f"1{draw.choice('3578')}{draw.randrange(10**9):09d}"
    return (
        draw.choice(SURNAMES) + "".join(draw.choice(GIVEN) for _character in range(draw.choice((1, 2, 2)))),
        "男" if int(body[16]) % 2 else "女",
        body + check,
        draw.choice(list(DOCUMENTS)[:2]),
        f"{phone[:3]} {phone[3:7]} {phone[7:]}" if number % 10 == 3 else phone,
        "B9999" if number % 200 == 50 else code(number % UNIONS),
        written[number % len(written)],
        list(EMPLOYMENTS)[number % len(EMPLOYMENTS)],
        "汉族" if number % 9 else "满族",
        "是" if number % 4 == 0 else "否",
        f"{number % 30 + 1}车间",
        draw.choice(("操作工", "电工", "质检员", "会计", "司机", "教师")),
        f"HY{number:08d}",
        "" if number % 20 else "2019年补录",
    )


def code(number):
    """The code of the bench's union with this number."""
    return f"B{number:04d}"


def plant():
    """Import the bench's unions, as a district of their own where a city stands already; return the user who may."""
    root, made = User.objects.get_or_create(username="bench", defaults={"is_superuser": True, "is_staff": True})
    if not made:
        return root
    path = VAR / "unions.csv"
    top = Union.objects.filter(parent=None).values_list("code", flat=True).first()
    head = [["B", top, "登记区总工会", "区总工会", 5]] if top else [["B", "", "登记市总工会", "市总工会", 5]]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["工会编码", "上级工会编码", "工会名称", "组织类型", "任期年限"])
        table.writerows([*head, *([code(number), "B", f"第{number}厂工会", "企业工会", 5] for number in range(UNIONS))])
    imports.run_file("unions", path, by=root, commit_it=True)
    return root
