"""`classify_households --csv IN --out OUT`: the category of each household of a table, with its derivation."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from assistance.eligibility import EXPENSES, CannotClassify, Household, Policy, classify
from core.sheets import BROKEN_CSV, SheetRefused, open_csv

ADDED = ("per_capita_monthly", "category", "explanation")
COLUMNS = {
    "annual_income": "家庭年收入", "household_size": "家庭人口", "rigid_medical": "因病支出",
    "rigid_education": "因学支出", "rigid_disability": "因残支出", "rigid_housing": "住房支出",
    "rigid_other": "其他刚性支出", "job_cost": "必要就业成本", "dibao_monthly": "低保标准",
    "event_type": "致困事件", "event_loss_net": "致困损失", "is_migrant": "是否农民工",
    "resident_in_city": "是否城镇常住", "labour_relation_months": "劳动关系月数", "union_member": "是否会员",
    "exclusion_flags": "排除情形",
}  # fmt: skip
YES, NO = ("Y", "YES", "1", "TRUE", "是"), ("N", "NO", "0", "FALSE", "否", "")


class Command(BaseCommand):
    help = (
        "Classify each row of a CSV by the shipped policy and write it again with " + ", ".join(ADDED) + ". Columns: "
    ) + ", ".join(COLUMNS)

    def add_arguments(self, parser):
        parser.add_argument("--csv", required=True, metavar="IN")
        parser.add_argument("--out", required=True, metavar="OUT")

    def handle(self, **options):
        try:
            refused = _classify(Path(options["csv"]), Path(options["out"]))
        except SheetRefused as refusal:
            self.stderr.write(str(refusal))
            raise SystemExit(2) from None
        if refused:
            self.stderr.write(_("%(number)d rows have no category: see the last column.") % {"number": refused})


def _classify(given, out):
    """Write the table with the added columns; return how many rows were refused."""
    with open_csv(given) as text:
        rows = csv.DictReader(text)
        columns = list(rows.fieldnames or ())
        if missing := [name for name in COLUMNS if name not in columns]:
            raise SheetRefused(_("The table lacks the columns: %(names)s.") % {"names": ", ".join(missing)})
        try:
            found = [row | told(row) for row in rows]
        except csv.Error:
            raise SheetRefused(BROKEN_CSV) from None
    columns += [name for name in ADDED if name not in columns]
    try:
        with out.open("w", encoding="utf-8", newline="") as table:
            writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    except OSError:
        raise SheetRefused(_("%(name)s cannot be written.") % {"name": out.name}) from None
    return sum(not row["category"] for row in found)


def told(row):
    """Return the added columns of one row, all text; where the row makes no sense the explanation says why."""
    try:
        verdict = classify(household(row), Policy())
    except CannotClassify as refusal:
        return dict(zip(ADDED, ("", "", str(refusal)), strict=True))
    return dict(zip(ADDED, (str(verdict.shown), verdict.category, verdict.explanation), strict=True))


def household(row):
    """Return the `Household` of a row of texts. Raises CannotClassify."""
    return Household(
        income=_amount(row, "annual_income"),
        size=_whole(row, "household_size"),
        standard=_amount(row, "dibao_monthly"),
        expenses={kind: _amount(row, "job_cost" if kind == "job" else f"rigid_{kind}") for kind in EXPENSES},
        event=_text(row, "event_type"),
        loss=_amount(row, "event_loss_net"),
        migrant=_yes(row, "is_migrant"),
        resident=_yes(row, "resident_in_city"),
        labour_months=_whole(row, "labour_relation_months"),
        member=_yes(row, "union_member"),
        flags=tuple(flag.strip() for flag in _text(row, "exclusion_flags").split("|") if flag.strip()),
    )


def _text(row, name):
    return (row[name] or "").strip()


def _amount(row, name):
    try:
        return Decimal(_text(row, name) or 0)
    except InvalidOperation:
        raise CannotClassify(f"“{COLUMNS[name]}”不是数字，请核对。") from None


def _whole(row, name):
    try:
        return int(_text(row, name) or 0)
    except ValueError:
        raise CannotClassify(f"“{COLUMNS[name]}”不是整数，请核对。") from None


def _yes(row, name):
    text = _text(row, name).upper()
    if text not in (*YES, *NO):
        raise CannotClassify(f"“{COLUMNS[name]}”请填 Y 或 N。")
    return text in YES
