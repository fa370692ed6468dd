"""Invented people for the tests: valid numbers (§2.5, reckoned here once more), and members enrolled by the action."""

from datetime import date

from members import actions

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

ZHAO = "210400198503070017"  # the rulebook's worked number: a man born 1985-03-07
QIAN = "210400199202290029"  # a woman born 1992-02-29
PHONE = "13800131234"
RESIDENCE = "滨河区青年路18号3单元402室"


def number(sequence, born="19900101", area="210400"):
    """Return a valid identity number; an even `sequence` is a woman's."""
    head = f"{area}{born}{sequence:03d}"
    return head + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(head, WEIGHTS, strict=True)) % 11]


def member(union, name="赵建国", id_number=ZHAO, **facts):
    """Enrol a person at `union` by the system and return the membership."""
    facts.setdefault("joined_on", date(2020, 5, 1))
    return actions.enrol(by=None, union=union, name=name, id_number=id_number, **facts)
