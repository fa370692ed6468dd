"""The daily e-mail: one a day and user, on working days, claimed before it is sent, never twice."""

import threading
from datetime import date, datetime
from smtplib import SMTPServerDisconnected
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.urls import reverse

from core import deadlines, digests
from core.models import AuditEvent, Deadline, Digest, User
from core.models.deadline import DeadlineState
from core.models.desk import DigestState
from core.tasks import send_digests

SHANGHAI = ZoneInfo("Asia/Shanghai")


class BrokenBackend(BaseEmailBackend):
    """A server that takes the connection and breaks it off in the middle of a mail."""

    def send_messages(self, messages):
        raise SMTPServerDisconnected


class SilentBackend(BaseEmailBackend):
    """A server that does not answer."""

    def open(self):
        raise ConnectionRefusedError


class DyingBackend(BaseEmailBackend):
    """The worker is killed while it sends."""

    def send_messages(self, messages):
        raise SystemExit


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def open_term(union, elected, title=""):
    return deadlines.open_deadline("UNION_TERM_3Y", elected, subject=union, union=union, title=title or "—", by=None)


@pytest.fixture
def reader(tree, street):
    """The street's cadre, with an address, and a term below it that ended on 31 August 2026."""
    User.objects.filter(pk=street.pk).update(email="street@example.test")
    open_term(tree.enterprise, date(2023, 8, 31), title="程思琪 210400198503070017")
    return street


def states():
    return list(Digest.objects.order_by("day").values_list("day", "state"))


@pytest.mark.parametrize(
    "moment",
    ["2026-09-01 08:59", "2026-09-01 18:00", "2026-09-01 23:30", "2026-09-05 10:00", "2026-10-01 10:00"],
)
def test_nothing_at_night_or_on_rest_days(reader, moment):
    assert digests.send(at(moment)) == 0
    assert (mail.outbox, states()) == ([], [])


def test_make_up_working_sunday_is_a_working_day(reader):
    assert digests.send(at("2026-09-20 10:00")) == 1


def test_one_mail_a_day_lists_what_is_overdue_until_it_is_waived(reader):
    for day in ("2026-09-01", "2026-09-02", "2026-09-03"):
        for hour in ("09:10", "11:40", "17:10"):
            digests.send(at(f"{day} {hour}"))
    assert len(mail.outbox) == 3
    assert [state for _day, state in states()] == [DigestState.SENT] * 3
    duty = Deadline.objects.get()
    deadlines.close(duty, DeadlineState.WAIVED, on=date(2026, 9, 3), by=reader, reason="已并入上级工会")
    assert digests.send(at("2026-09-04 10:00")) == 0
    assert AuditEvent.objects.filter(verb="core.send_digests").count() == 3


def test_missed_run_is_made_up_for_the_same_day(reader):
    assert digests.send(at("2026-09-01 16:40")) == 1


def test_mail_holds_unions_and_dates_and_nothing_personal(tree, reader, settings):
    digests.send(at("2026-09-01 10:00"))
    (sent,) = mail.outbox
    assert sent.to == ["street@example.test"]
    assert tree.enterprise.name in sent.body
    assert "2026-08-31" in sent.body
    assert settings.PUBLIC_URL + reverse("desk") in sent.body
    assert "程思琪" not in sent.subject + sent.body
    assert "2104" not in sent.body


def test_due_soon_by_the_setting_and_not_before(tree, reader):
    open_term(tree.street, date(2023, 9, 15))
    Deadline.objects.filter(union=tree.enterprise).delete()
    assert digests.send(at("2026-08-31 10:00")) == 0  # fifteen days before
    assert digests.send(at("2026-09-01 10:00")) == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"email": ""},
        {"wants_digest": False},
        {"is_active": False},
        {"is_superuser": True},
        {"must_change_password": True},
    ],
)
def test_who_gets_none(reader, facts):
    User.objects.filter(pk=reader.pk).update(**facts)
    assert digests.send(at("2026-09-01 10:00")) == 0
    assert states() == []


def test_scope_decides_and_owned_duties_go_to_their_owner(tree, reader, neighbour, district):
    User.objects.update(email="x@example.test")
    Deadline.objects.update(owner=district)
    assert digests.send(at("2026-09-01 10:00")) == 1
    assert Digest.objects.get().user == district


def test_server_that_breaks_off_leaves_the_mail_unsure_and_the_next_one_says_so(reader, settings):
    settings.EMAIL_BACKEND = "tests.core.test_digests.BrokenBackend"
    assert digests.send(at("2026-09-01 10:00")) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert digests.send(at("2026-09-01 10:30")) == 0  # never twice
    assert digests.send(at("2026-09-02 10:00")) == 1
    assert states() == [(date(2026, 9, 1), DigestState.UNSURE), (date(2026, 9, 2), DigestState.SENT)]
    assert "9月1日" in mail.outbox[0].body
    assert digests.send(at("2026-09-03 10:00")) == 1
    assert "9月2日" not in mail.outbox[1].body


def test_worker_killed_while_sending_sends_never_twice_and_the_next_day_says_so(reader, settings):
    settings.EMAIL_BACKEND = "tests.core.test_digests.DyingBackend"
    with pytest.raises(SystemExit):
        digests.send(at("2026-09-01 10:00"))
    assert states() == [(date(2026, 9, 1), DigestState.CLAIMED)]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert digests.send(at("2026-09-01 10:30")) == 0
    assert digests.send(at("2026-09-02 09:10")) == 1
    assert states()[0][1] == DigestState.UNSURE
    assert "9月1日" in mail.outbox[0].body


def test_silent_server_claims_nothing_and_a_later_run_sends(reader, settings):
    settings.EMAIL_BACKEND = "tests.core.test_digests.SilentBackend"
    assert digests.send(at("2026-09-01 10:00")) == 0
    assert states() == []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert digests.send(at("2026-09-01 10:30")) == 1


def test_timetable_calls_it(reader, time_machine):
    time_machine.move_to(at("2026-09-01 10:10"))
    send_digests()
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_one(tree, street):
    User.objects.filter(pk=street.pk).update(email="street@example.test")
    open_term(tree.enterprise, date(2023, 8, 31))
    barrier, sent = threading.Barrier(2), []

    def work():
        barrier.wait()
        sent.append(digests.send(at("2026-09-01 10:00")))
        connection.close()

    threads = [threading.Thread(target=work) for _worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == [0, 1]
    assert len(mail.outbox) == 1


def test_user_switches_it_off(reader, client_of):
    client = client_of(reader)
    url = reverse("my_digest")
    assert client.get(url).status_code == 200
    assert client.post(url, {}).status_code == 302
    reader.refresh_from_db()
    assert not reader.wants_digest
    assert client.post(url, {"wanted": "on"}).status_code == 302
    reader.refresh_from_db()
    assert reader.wants_digest
    assert [each.verb for each in AuditEvent.objects.filter(actor_id=reader.pk)] == ["core.switch_digest"] * 2


# --- Waiving on the desk -----------------------------------------------------------------------------------


def test_duty_is_waived_with_a_reason_only(tree, reader, auditor, client_of):
    duty = Deadline.objects.get()
    url = reverse("deadline_waive", args=[duty.pk])
    client = client_of(reader)
    assert url in client.get(reverse("desk")).text
    assert url not in client_of(auditor).get(reverse("desk")).text
    assert list(client.post(url, {"reason": "  "}).context["form"].errors) == ["reason"]
    assert client.post(url, {"reason": "该工会已并入上级工会"}).status_code == 302
    duty.refresh_from_db()
    assert (duty.state, duty.reason) == (DeadlineState.WAIVED, "该工会已并入上级工会")
    assert client.post(url, {"reason": "又一次"}).status_code == 302
    assert AuditEvent.objects.filter(verb="core.close_deadline").count() == 1
