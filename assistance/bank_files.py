"""The file that goes to the bank and the one that comes back: how they are written and read. Pure; no rows are changed.

The file out is CSV (UTF-8), byte for byte the same whenever it is written: its hash is kept with the batch. The same
lines are written as a workbook too, for banks that want one; its account numbers are text, so that Excel leaves them.
"""

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext_lazy as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from core import sheets
from core.sheets import FORMULA

HEADS = ("序号", "业务参考号", "户名", "账号", "开户行", "金额", "附言")
COLUMNS = {
    "reference": (True, ["业务参考号", "参考号", "业务编号", "流水号"]),
    "amount": (True, ["金额", "实付金额", "交易金额", "发放金额"]),
    "result": (True, ["处理结果", "结果", "状态", "处理状态", "交易状态"]),
    "said": (False, ["失败原因", "原因", "备注", "附言", "摘要"]),
}
DONE = {"成功", "交易成功", "处理成功", "已入账", "入账成功", "代发成功", "SUCCESS"}
FAILED = {"失败", "交易失败", "处理失败", "退票", "退回", "入账失败", "代发失败", "FAILED", "FAILURE"}
MOST_LINES = 5000
SAID = 100  # characters of what the bank says that are kept
LONG_NUMBER = re.compile(r"[0-9]{6,}[0-9Xx]?")  # an account or an identity number: not kept with what is said
REFERENCE = re.compile(r"G[0-9]{8,18}")
MEMO = "帮扶金"


@dataclass(frozen=True)
class Sent:
    """One line of the file out; `account` in clear, `amount` in yuan."""

    reference: str
    name: str
    account: str
    bank: str
    amount: Decimal


@dataclass(frozen=True)
class Answered:
    """One line that came back: `amount` None when it cannot be read, `paid` None when the result cannot."""

    row: int
    reference: str
    amount: Decimal | None
    paid: bool | None
    said: str


def plain(text):
    """Return `text` so that no spreadsheet program reckons it."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _rows(lines):
    for number, line in enumerate(lines, start=1):
        yield [number, line.reference, plain(line.name), line.account, plain(line.bank), f"{line.amount:.2f}", MEMO]


def as_csv(lines):
    """Return the file for the bank (bytes) of `Sent` lines, in their order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS)
    writer.writerows(_rows(lines))
    return out.getvalue().encode("utf-8-sig")


def as_workbook(lines):
    """Return the same as a workbook (bytes); the amounts are numbers there."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("代发")
    sheet.append(HEADS)
    for row in _rows(lines):
        cells = [WriteOnlyCell(sheet, value) for value in row]
        cells[3].number_format = "@"
        cells[5].value, cells[5].number_format = Decimal(row[5]), "0.00"
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def digest(content):
    """SHA-256 (hex) of bytes."""
    return hashlib.sha256(content).hexdigest()


def read(path, name):
    """Return the `Answered` lines of the return file at `path`, called `name`. Raises SheetRefused."""
    found = []
    for row, cells in sheets.read(path, name, COLUMNS).rows:
        reference, amount, result, said = (sheets.text(cell) for cell in cells)
        if not reference and not amount:
            continue
        if len(found) == MOST_LINES:
            raise sheets.SheetRefused(_("The file has more than %(most)d lines.") % {"most": MOST_LINES})
        reference = reference.upper()
        reference = reference if REFERENCE.fullmatch(reference) else _cleared(reference)[:40]
        found.append(Answered(row, reference, _amount(amount), _paid(result), _cleared(said)))
    return found


def _amount(text):
    try:
        amount = Decimal(text.replace(",", "").replace("，", "").removesuffix("元").removeprefix("¥").strip())
        return amount.quantize(Decimal("0.01")) if amount == amount.quantize(Decimal("0.01")) else None
    except InvalidOperation:
        return None


def _paid(text):
    word = text.strip().upper()
    return True if word in DONE else False if word in FAILED else None


def _cleared(text):
    return LONG_NUMBER.sub("…", text)[:SAID]
