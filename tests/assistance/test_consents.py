"""Consents: the text is kept as it was signed, children's by the guardian, withdrawn as easily as given."""

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone, translation

from assistance import consents
from assistance.models import Consent, ConsentKind, HardshipCase
from core.models import AuditEvent, Setting
from tests.assistance.households import household


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def case(tree):
    return household(tree.enterprise)


def every(case):
    return [(person.pk, kind) for person, kind in consents.not_given(case)]


def test_what_is_signed_is_kept_with_its_text(case, enterprise):
    zhao, qian, child = case.people.all()
    assert len(every(case)) == 9  # three people, three kinds
    assert consents.give(case, by=enterprise, given=every(case), on=date(2026, 3, 1)) == 9
    assert consents.not_given(case) == []
    row = Consent.objects.get(of=qian, kind="CHECK")
    assert (row.text_version, row.by_guardian, row.recorded_by) == ("2026-1", False, enterprise)
    assert "授权工会帮扶工作机构" in row.text
    assert timezone.localdate(row.given_at) == date(2026, 3, 1)
    assert Consent.objects.filter(by_guardian=True).count() == Consent.objects.filter(of=child).count() == 3
    assert consents.give(case, by=enterprise, given=[(zhao.pk, "CHECK")], on=date(2026, 3, 1)) == 0
    assert AuditEvent.objects.filter(verb="assistance.give_consent").count() == 1


def test_a_child_signs_from_its_fourteenth_birthday(case):
    child = case.people.get(kin="CHILD")  # born 2016-03-01
    assert consents.by_guardian(child, date(2030, 2, 28))
    assert not consents.by_guardian(child, date(2030, 3, 1))
    Setting.objects.filter(key="hardship_guardian_age").update(value="10")
    assert not consents.by_guardian(child, date(2026, 3, 1))


def test_a_withdrawn_consent_is_missing_and_can_be_given_again(case, enterprise):
    consents.give(case, by=enterprise, given=every(case), on=date(2026, 3, 1))
    row = Consent.objects.get(of=case.applicant, kind="CHECK")
    consents.withdraw(case, by=enterprise, consent_pk=row.pk)
    row.refresh_from_db()
    assert row.withdrawn_at
    assert consents.not_given(case) == [(case.applicant, ConsentKind.CHECK)]
    with pytest.raises(ValidationError, match="withdrawn already"):
        consents.withdraw(case, by=enterprise, consent_pk=row.pk)
    assert consents.give(case, by=enterprise, given=every(case), on=date(2026, 3, 2)) == 1
    assert Consent.objects.filter(of=case.applicant, kind="CHECK").count() == 2


def test_a_withdrawal_is_taken_while_the_case_is_on_its_way(case, enterprise):
    consents.give(case, by=enterprise, given=every(case), on=date(2026, 3, 1))
    row = Consent.objects.first()
    HardshipCase.objects.update(state="PUBLICITY")
    consents.withdraw(case, by=enterprise, consent_pk=row.pk)
    HardshipCase.objects.update(state="CLOSED")
    with pytest.raises(ValidationError, match="This case is closed"):
        consents.give(case, by=enterprise, given=[(row.of_id, row.kind)], on=date(2026, 3, 2))


def test_refusals(case, enterprise, neighbour, auditor, tree):
    given = every(case)
    child = case.people.get(kin="CHILD")
    for on, what, words in (
        (date(9999, 1, 1), given, "future"),
        (date(2015, 1, 1), [(child.pk, "CHECK")], "before the birth"),
        (date(2026, 3, 1), [], "Tick what was signed."),
        (date(2026, 3, 1), [(10**9, "CHECK")], "not of the household any more"),
        (date(2026, 3, 1), [(child.pk, "PHOTO")], "not of the household any more"),
    ):
        with pytest.raises(ValidationError, match=words):
            consents.give(case, by=enterprise, given=what, on=on)
    Setting.objects.filter(key="hardship_consent_version").update(value="2031-1")
    with pytest.raises(ValidationError, match="no text of version «2031-1»"):
        consents.give(case, by=enterprise, given=given, on=date(2026, 3, 1))
    assert not Consent.objects.exists()
    for user in (neighbour, auditor):
        with pytest.raises(PermissionDenied):
            consents.give(case, by=user, given=given, on=date(2026, 3, 1))
        with pytest.raises(PermissionDenied):
            consents.withdraw(case, by=user, consent_pk=1)
