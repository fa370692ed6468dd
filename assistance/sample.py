"""The auditor's sample of decisions: drawn by a seed that was committed to before, and drawn alike ever after.

The seed's SHA-256 goes into the trail together with the last decision there was: what is decided afterwards is not in
the sample, and nobody can look for a seed that leaves a certain case out. Rank is SHA-256 over seed and key.
"""

import hashlib

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from assistance.models import Decision
from core import audit
from core.models import AuditEvent

VERB = "assistance.commit_sample"


def digest_of(seed):
    """The SHA-256 (hex) of a seed: what is committed to."""
    return hashlib.sha256(seed.encode()).hexdigest()


@transaction.atomic
def commit(seed, *, by):
    """Commit to `seed` with the decisions there are now; returns the AuditEvent. Raises ValidationError."""
    if not seed.strip():
        raise ValidationError(_("Give a seed."))
    if committed(seed) is not None:
        raise ValidationError(_("This seed was committed to already: draw the sample, or take another seed."))
    last = Decision.objects.aggregate(last=Max("pk"))["last"] or 0
    return audit.record(VERB, None, by=by, changes={"seed_sha256": ["", digest_of(seed)], "last": [0, last]})


def committed(seed):
    """The AuditEvent that committed to `seed`, or None."""
    wanted = digest_of(seed)
    events = AuditEvent.objects.filter(verb=VERB).order_by("id")
    return next((event for event in events if event.changes["seed_sha256"][1] == wanted), None)


def draw(seed, size):
    """Return (the committing event, how many decisions there were then, the drawn `Decision`s in their order).

    Raises ValidationError when nobody committed to the seed before.
    """
    event = committed(seed)
    if event is None:
        raise ValidationError(_("Nobody committed to this seed: do that first, then draw."))
    keys = Decision.objects.filter(pk__lte=event.changes["last"][1]).order_by().values_list("pk", flat=True)
    ranked = sorted(keys, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())
    found = Decision.objects.select_related("case__file").in_bulk(ranked[:size])
    return event, len(ranked), [found[key] for key in ranked[:size]]
