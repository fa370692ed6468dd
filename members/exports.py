"""What an export of members holds: the columns of the import sheet, so that it can be read back, and a few more."""

from core.exports import Column
from members.imports import EMPLOYMENTS, MemberImport
from members.models import DocumentKind
from members.views import MemberList
from unions.exports import UnionScopedExport
from unions.models import Sex

HEADERS = {field: spellings[0] for field, (_needed, spellings) in MemberImport.columns.items()}
SEX = {Sex.MALE: "男", Sex.FEMALE: "女"}
DOCUMENTS = {DocumentKind.RESIDENT_ID: "居民身份证", DocumentKind.HMT_RESIDENCE: "港澳台居民居住证"}
YES_NO = {True: "是", False: "否"}
# (form of employment, group) → the first word the import knows for it
WORDS = {said: word for word, said in reversed(EMPLOYMENTS.items())}


def employment(member):
    """Return what an import sheet says of a member's employment; "" when nothing is recorded."""
    word = WORDS.get((member.employment, member.occupation_group))
    return word or str(member.get_occupation_group_display() or member.get_employment_display())


def day(value):
    return value.isoformat() if value else ""


class MemberExport(UnionScopedExport):
    key = "members"
    title = MemberList.title
    permission = "members.export_membership"
    reveal = "members.reveal_membership"  # of those who left nobody gets more than the masks (actions.reveal)
    page = MemberList
    list_url = "member_list"
    columns = (
        Column(HEADERS["name"], lambda row: row.person.name, "name", width=12),
        Column(HEADERS["number"], lambda row: row.person.id_masked, "id_masked", text=True,
               clear=lambda row: row.person.id_number if row.is_open else row.person.id_masked, width=22),
        Column(HEADERS["union"], lambda row: row.union.code, "union", text=True),
        Column("所属工会", lambda row: row.union.name, "union", width=32),
        Column(HEADERS["sex"], lambda row: SEX[row.person.sex], "sex", width=6),
        Column("出生日期", lambda row: day(row.person.born_on), "age", text=True),
        Column(HEADERS["document"], lambda row: DOCUMENTS[row.person.document_kind]),
        Column(HEADERS["phone"], lambda row: row.phone_shown, "phone_masked", text=True,
               clear=lambda row: row.person.phone if row.is_open else ""),
        Column(HEADERS["joined_on"], lambda row: day(row.joined_on), "joined_on", text=True),
        Column(HEADERS["employment"], employment, "employment"),
        Column(HEADERS["ethnicity"], lambda row: row.person.ethnicity, "ethnicity", width=8),
        Column(HEADERS["migrant_worker"], lambda row: YES_NO[row.migrant_worker], "migrant_worker", width=10),
        Column(HEADERS["department"], lambda row: row.department, "department"),
        Column(HEADERS["post"], lambda row: row.post, "post"),
        Column(HEADERS["card_no"], lambda row: row.card_no, "card_no", text=True, width=20),
        Column(HEADERS["notes"], lambda row: row.notes, width=24),
        Column("会籍状态", lambda row: str(row.get_state_display()), "state"),
        Column("离会日期", lambda row: day(row.ended_on), "ended_on", text=True),
        Column("技能等级", lambda row: str(row.get_skill_level_display()), "skill_level"),
        Column("文化程度", lambda row: str(row.person.get_education_display()), "education"),
        Column("政治面貌", lambda row: str(row.person.get_politics_display()), "politics"),
        Column("核实日期", lambda row: day(row.person.verified_on), "verified_on", text=True),
    )  # fmt: skip
