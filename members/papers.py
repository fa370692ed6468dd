"""工会会员名册: the members of a union, or of it and all below it by union, with masked numbers and totals."""

from itertools import groupby

from django import forms
from django.utils.translation import gettext_lazy as _

from core import drawing
from core.rolls import Group
from members.models import Employment, Membership, MembershipState
from members.pinyin import sort_key, spread
from unions.models import Sex, Union
from unions.papers import UnionRoll

OWN, SUBTREE = "own", "subtree"
NAME_EMS, NOTES_EMS = 6.6, 6.5  # what the columns hold (papers/members.html)
SEX = {Sex.MALE: "男", Sex.FEMALE: "女"}
EMPLOYMENT = {
    Employment.CONTRACT: "劳动合同",
    Employment.DISPATCH: "劳务派遣",
    Employment.PLATFORM: "新就业形态",
    Employment.OTHER: "其他",
}
STATE = {MembershipState.RETAINED: "保留会籍", MembershipState.TRANSFER_PENDING: "接转中"}
READ_AT_ONCE = 2000
GROUP_FACTS = ("union_id", "union__name", "union__code")
CELL_FACTS = (
    "person__name", "person__sex", "person__born_on", "person__id_masked", "employment", "joined_on", "state", "notes",
)  # fmt: skip


class RollForm(forms.Form):
    """What the roll covers."""

    scope = forms.ChoiceField(
        label=_("Whose members"),
        choices=[(SUBTREE, _("of the union and all below it")), (OWN, _("of this union only"))],
        initial=SUBTREE,
        widget=forms.RadioSelect,
    )


class MemberRoll(UnionRoll):
    """One row a member on the roll, sorted by pinyin within each union."""

    title = "工会会员名册"
    letter = "册"
    permission = "members.view_membership"
    template = "papers/members.html"
    form = RollForm
    counted = "人"
    columns = (11, 27, 11, 18, 37, 20, 21, 23)
    heads = ("序号", "姓　名", "性别", "出生年月", "身份证号", "用工形式", "入会日期", "备注")
    figure_heads = ("在册", "其中女", "保留会籍")
    totals_title = "工会名称"

    def heading(self, union, params):
        return f"{union.name}会员名册"

    def count(self, union, params):
        return _on_the_roll(union, params).count()

    def words(self, union, params):
        return f"工会：{union.name}" if params.get("scope") == OWN else f"范围：{union.name}及所属工会"

    def in_words(self, figures):
        total, women, retained = figures
        return f"在册 {total} 人　其中女 {women} 人" + (f"　保留会籍 {retained} 人" if retained else "")

    def groups(self, paper, day):
        rows = (
            _on_the_roll(paper.union, paper.params)
            .order_by("path")
            .values_list(*GROUP_FACTS, "pk", "person__name", "person__sex", "state", "notes")
        )
        for (key, name, code), members in groupby(rows.iterator(chunk_size=READ_AT_ONCE), key=lambda row: row[:3]):
            members = sorted((row[3:] for row in members), key=lambda row: (sort_key(row[1]), row[0]))
            yield Group(
                key,
                name,
                code,
                [
                    len(members),
                    sum(sex == Sex.FEMALE for _pk, _name, sex, _state, _notes in members),
                    sum(state == MembershipState.RETAINED for _pk, _name, _sex, state, _notes in members),
                ],
                [(pk, drawing.row_height(*_lines(name, state, notes))) for pk, name, _sex, state, notes in members],
            )

    def cells(self, paper, keys):
        rows = Membership.objects.filter(pk__in=keys).values_list("pk", *CELL_FACTS)
        return {pk: _cells(*facts) for pk, *facts in rows}


def _on_the_roll(union, params):
    """Open memberships of the union, and of all below it unless told otherwise; retained members are on the roll."""
    rows = Membership.objects.open()
    if params.get("scope") == OWN:
        return rows.filter(union=union)
    return rows.filter(union__in=Union.objects.below(union))


def _lines(name, state, notes):
    """The lines of the cells that may take more than one: name, remarks."""
    remarks = "；".join(filter(None, [STATE.get(state, ""), notes]))
    return drawing.wrap(spread(name), NAME_EMS), drawing.wrap(remarks, NOTES_EMS)


def _cells(name, sex, born_on, id_masked, employment, joined_on, state, notes):
    lines = _lines(name, state, notes)
    return {
        "name": lines[0],
        "notes": lines[1],
        "sex": SEX[sex],
        "born": f"{born_on:%Y.%m}",
        "id_masked": id_masked,
        "employment": EMPLOYMENT.get(employment, ""),
        "joined": joined_on.isoformat() if joined_on else "",
        "height": drawing.row_height(*lines),
    }
