"""What the database says after the trial about everything the officers were told."""

import json
import random
from collections import Counter
from datetime import date
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db.models import Count, Q

from core import audit, papers, secrets
from core.models import AuditEvent, ImportBatch, Job, Paper, User
from core.models.imports import BatchState
from core.models.job import JobState
from core.models.paper import PaperState
from members.models import OPEN_STATES, Membership, Person
from tests.members import invariants
from unions.models import Appointment, Union, UnionKind

VERBS = {
    "enrol": "members.enrol_membership",
    "edit": "members.change_membership",
    "transfer": "members.ask_transfer",
    "answer": "members.accept_transfer",
    "upload": "core.upload_importbatch",
    "paper": "core.ask_paper",
}


def seed(folder, officers, password):
    """Fill the database with the demo and give it `officers` cadres, each of a union of its own; their accounts."""
    settings.VAR_DIR = Path(folder)  # where the demo writes its own accounts
    call_command("seed_demo")
    places = [UnionKind.ENTERPRISE, UnionKind.INSTITUTION, UnionKind.JOINT]
    unions = list(Union.objects.filter(kind__in=places).order_by("path"))
    chosen = random.Random(1).sample(unions, officers - 2)
    chosen += [Union.objects.filter(kind=UnionKind.STREET).first(), Union.objects.get(kind=UnionKind.CITY_FED)]
    accounts = []
    for number, union in enumerate(chosen):
        user = User(username=f"trial{number}", name=f"试验{number}")
        user.set_password(password)
        user.save()
        Appointment.objects.create(user=user, union=union, role="cadre", valid_from=date(2020, 1, 1))
        accounts.append({"username": user.username, "password": password, "union": union.pk, "code": union.code})
    return {"accounts": accounts, "members": Membership.objects.count()}


def unfinished():
    """How many jobs still wait or run, and how many sheets are at work."""
    working = [BatchState.READING, BatchState.COMMITTING, BatchState.UNDOING]
    return {
        "jobs": Job.objects.unfinished().count() + ImportBatch.objects.filter(state__in=working).count(),
    }


def check(file, worker_killed_at):
    """Hold what the officers noted (JSON `file`) against the database; returns faults and figures.

    `worker_killed_at`: seconds since the epoch, or None.
    """
    writes = [write for officer in json.loads(Path(file).read_text()) for write in officer["writes"]]
    faults = []
    _events(writes, faults)
    _people(writes, faults)
    _sheets(writes, faults)
    _papers(faults)
    failed = Job.objects.filter(state=JobState.FAILED).values_list("task", "message")
    faults += [f"job failed: {task}: {message}" for task, message in failed]
    doubled = (
        AuditEvent.objects.exclude(request_id="-").values("request_id", "verb", "target_id").annotate(n=Count("id"))
    )
    faults += [f"{row['verb']} twice in one request" for row in doubled.filter(n__gt=1, verb__in=VERBS.values())]
    try:
        invariants.check_register(began=False)
    except AssertionError as error:
        faults.append(f"the register: {error or 'an invariant does not hold'}")
    faults += audit.verify().faults
    return {
        "faults": faults,
        "writes": Counter(f"{write['act']} {write['outcome']}" for write in writes),
        "jobs": Job.objects.count(),
        "taken_over": Job.objects.filter(attempts__gt=1).count(),
        "worker_recovery": _recovery(worker_killed_at),
        "papers": Paper.objects.filter(state=PaperState.VALID).count(),
        "members": Membership.objects.count(),
        "events": AuditEvent.objects.count(),
    }


def _events(writes, faults):
    """Each write has its one event, in the request in which it was made; a refused one has none."""
    found = Counter(AuditEvent.objects.filter(verb__in=VERBS.values()).values_list("request_id", "verb"))
    allowed = {"acknowledged": (1,), "unknown": (0, 1), "refused": (0,)}
    for write in writes:
        if write["act"] in VERBS:
            times = found[(write["mark"], VERBS[write["act"]])]
            if times not in allowed[write["outcome"]]:
                faults.append(f"{write['act']} {write['outcome']}, and stored {times} times ({write['mark']})")


def _memberships(numbers):
    """{identity number: how many open memberships of how many people}."""
    index = {secrets.blind("id_number", number): number for number in numbers}
    rows = Person.objects.filter(id_index__in=index).annotate(
        open=Count("memberships", filter=Q(memberships__state__in=OPEN_STATES))
    )
    return Counter({index[key]: times for key, times in rows.values_list("id_index", "open")})


def _people(writes, faults):
    enrolled = {write["facts"]["number"]: write["outcome"] for write in writes if write["act"] == "enrol"}
    times = _memberships(enrolled)
    for number, outcome in enrolled.items():
        if (outcome == "acknowledged" and times[number] != 1) or times[number] > 1:
            faults.append(f"enrolled ({outcome}) with {times[number]} open memberships")
    edits = [write for write in writes if write["act"] == "edit" and write["outcome"] == "acknowledged"]
    last = {write["facts"]["member"]: write["facts"]["notes"] for write in edits}
    events = AuditEvent.objects.filter(verb=VERBS["edit"]).values_list("changes", flat=True)
    told = Counter(change["notes"][1] for change in events if "notes" in change)
    faults += [f"edit stored {told[w['facts']['notes']]} times" for w in edits if told[w["facts"]["notes"]] != 1]
    gone = set(last) - set(Membership.objects.filter(pk__in=last).values_list("pk", flat=True))
    faults += [f"edited membership {key} is gone" for key in gone]


def _sheets(writes, faults):
    uploads = Counter(ImportBatch.objects.values_list("sha256", flat=True))
    faults += [f"one sheet uploaded once lies there {times} times" for times in uploads.values() if times > 1]
    stored = {w["facts"]["batch"]: w for w in writes if w["act"] == "store"}
    events = Counter(AuditEvent.objects.filter(verb="members.import_membership").values_list("target_id", flat=True))
    states = dict(ImportBatch.objects.filter(pk__in=stored).values_list("pk", "state"))
    for key, write in stored.items():
        committed = states.get(key) == BatchState.COMMITTED
        if write["outcome"] == "acknowledged" and not committed:
            faults.append(f"sheet {key} was to be stored and is {states.get(key)}")
        times = _memberships(write["facts"]["numbers"])
        rows = Membership.objects.filter(batch=key).count()
        wanted = len(write["facts"]["numbers"]) if committed else 0
        if rows != wanted or any(times[number] != (1 if committed else 0) for number in write["facts"]["numbers"]):
            faults.append(f"sheet {key}: {rows} rows stored of {wanted}")
        if events[str(key)] > 1:
            faults.append(f"sheet {key} was stored {events[str(key)]} times")


def _papers(faults):
    """One valid paper for each that was asked for, issued once, its file as issued, its number nobody else's."""
    issued = Counter(AuditEvent.objects.filter(verb="core.issue_paper").values_list("target_id", flat=True))
    numbers = Counter(Paper.objects.exclude(number=None).values_list("number", flat=True))
    faults += [f"paper number {number} given {times} times" for number, times in numbers.items() if times > 1]
    for paper in Paper.objects.all():
        if paper.state != PaperState.VALID or issued[str(paper.pk)] != 1:
            faults.append(f"paper {paper.pk} is {paper.state}, issued {issued[str(paper.pk)]} times")
        elif not default_storage.exists(paper.file.name) or papers.digest_of(paper.file.name) != paper.sha256:
            faults.append(f"the file of paper {paper.pk} is not the one that was issued")


def _recovery(killed_at):
    """Seconds from the killing of the worker until the last job that it had begun was done, or None."""
    taken_over = Job.objects.filter(attempts__gt=1, finished_at__isnull=False).order_by("-finished_at").first()
    return taken_over.finished_at.timestamp() - killed_at if taken_over and killed_at else None
