"""What an export of hardship cases holds: names and masked numbers, what was decided, no statement, no address."""

from django.db.models import Count

from assistance.models import HouseholdPerson
from assistance.views_household import HardshipList
from core.exports import Column
from unions.exports import UnionScopedExport

YES_NO = {True: "是", False: "否"}


def day(value):
    return value.isoformat() if value else ""


class HardshipExport(UnionScopedExport):
    key = "hardship"
    title = HardshipList.title
    permission = "assistance.export_hardshipcase"
    page = HardshipList
    list_url = "hardship_list"
    columns = (
        Column("档案编号", lambda row: row.file.number, "number", text=True, width=20),
        Column("申请人", lambda row: row.file.person.name, "name", width=12),
        Column("身份证号", lambda row: row.file.person.id_masked, "id_masked", text=True, width=22),
        Column("工会代码", lambda row: row.union.code, "union", text=True),
        Column("所属工会", lambda row: row.union.name, "union", width=32),
        Column("申请日期", lambda row: day(row.applied_on), "applied_on", text=True),
        Column("家庭人口", lambda row: row.size, "name", width=10),
        Column("困难类别", lambda row: str(row.get_category_display()), "category"),
        Column("家庭人均月纯收入", lambda row: row.per_capita, "per_capita", width=18),
        Column("主要致困原因", lambda row: str(row.get_cause_display()), "cause"),
        Column("农民工", lambda row: YES_NO[row.migrant], width=8),
        Column("第几轮", lambda row: row.cycle, "cycle", width=8),
        Column("建档日期", lambda row: day(row.filed_on), "filed_on", text=True),
        Column("应复核日期", lambda row: day(row.review_on), "review_on", text=True),
        Column("退出方式", lambda row: str(row.get_exit_code_display()), "exit_code"),
        Column("退出日期", lambda row: day(row.ended_on), "ended_on", text=True),
        Column("状态", lambda row: str(row.get_state_display()), "state"),
    )  # fmt: skip

    def prepared(self, rows):
        people = HouseholdPerson.objects.filter(case__in=[row.pk for row in rows]).order_by()
        sizes = dict(people.values("case").annotate(people=Count("pk")).values_list("case", "people"))
        for row in rows:
            row.size = sizes.get(row.pk, 0)
        return rows
