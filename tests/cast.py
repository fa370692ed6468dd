"""The cast: a small tree of unions and named people at named places, written straight into the database.

city 云河市总工会
├── district 滨河区总工会 ── street 一道街道工会 ── enterprise 恒达机械工会
│                                             └─ sibling 恒通电子工会
└── other_district 东山区总工会 ── other_street 二道街道工会 ── neighbour_enterprise 东山纺织工会
"""

from datetime import date
from types import SimpleNamespace

from core.models import User
from unions.models import Appointment, Union, UnionKind, UnionPlacement
from unions.tree import path_of

PASSWORD = "Gonghui-2026"

TREE = [
    # key, parent, code, name, kind
    ("city", None, "T00", "云河市总工会", UnionKind.CITY_FED),
    ("district", "city", "T01", "云河市滨河区总工会", UnionKind.DISTRICT_FED),
    ("street", "district", "T0101", "滨河区一道街道工会", UnionKind.STREET),
    ("enterprise", "street", "T0101001", "云河恒达机械有限公司工会", UnionKind.ENTERPRISE),
    ("sibling", "street", "T0101002", "云河恒通电子有限公司工会", UnionKind.ENTERPRISE),
    ("other_district", "city", "T02", "云河市东山区总工会", UnionKind.DISTRICT_FED),
    ("other_street", "other_district", "T0201", "东山区二道街道工会", UnionKind.STREET),
    ("neighbour_enterprise", "other_street", "T0201001", "云河东山纺织有限公司工会", UnionKind.ENTERPRISE),
]

PEOPLE = {
    # fixture: (name, [(role, where)], in the admin)
    "city": ("周慧敏", [("cadre", "city"), ("standards_keeper", "city")], True),
    "approver": ("林建国", [("city_approver", "city")], False),
    "district": ("孟平", [("cadre", "district"), ("district_reviewer", "district")], False),
    "street": ("侯明超", [("cadre", "street")], False),
    "enterprise": ("程思琪", [("cadre", "enterprise")], False),
    "neighbour": ("邓军云", [("cadre", "neighbour_enterprise")], False),
    "auditor": ("段嘉怡", [("auditor", "city")], False),
    "sysadmin": ("傅强", [("sysadmin", "city")], True),
    "secadmin": ("郭宇", [("secadmin", "city")], True),
    "auditadmin": ("韩静", [("auditadmin", "city")], True),
    # staff of a district: what the admin shows must end at the district's border
    "district_staff": (
        "袁芳",
        [("cadre", "district"), ("secadmin", "district"), ("standards_keeper", "district")],
        True,
    ),
    "nobody": ("黄玉珍", [], False),
}


def plant_tree():
    """Write the cast's tree and return it as a namespace of unions by key."""
    tree = SimpleNamespace()
    for key, (name, parent, code, title, kind) in enumerate(TREE, start=1):
        above = getattr(tree, parent) if parent else None
        union = Union.objects.create(
            id=key, code=code, name=title, kind=kind, parent=above, path=path_of(key, above.path if above else "")
        )
        UnionPlacement.objects.create(union=union, parent=above, valid_from=date(2020, 1, 1))
        setattr(tree, name, union)
    return tree


def invite(key, tree):
    """Write one person of the cast, with the appointments, and return the user."""
    name, roles, staff = PEOPLE[key]
    user = User.objects.create(username=key, name=name, is_staff=staff)
    user.set_password(PASSWORD)
    user.save()
    for role, where in roles:
        Appointment.objects.create(user=user, union=getattr(tree, where), role=role, valid_from=date(2020, 1, 1))
    return user
