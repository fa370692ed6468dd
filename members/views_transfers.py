"""Pages about transfers: the inbox, one transfer with its answers, and asking from either side."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import drafts
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.forms import add_refusal
from core.models import ImportBatch
from core.pages import ListPage
from core.scope import needs, reach, visible_or_404
from members import timeline, transfers
from members.models import TRANSFER_OPEN, DuplicatePair, Transfer, TransferSide
from members.transfer_forms import AnswerForm, JoinForm, LeaveForm
from members.transfer_tables import DecidedTable, TransferTable, transfer_badge
from members.views import the_membership
from unions.views import my_unions

SEE = "members.view_membership"
ROWS = Transfer.objects.select_related(
    "membership__person", "membership__union", "from_union", "to_union", "result__union", "asked_by"
)
BOXES = {
    "answer": gettext_lazy("To answer"),
    "asked": gettext_lazy("Asked by us"),
    "decided": gettext_lazy("Decided"),
}
NOTHING = {
    "answer": gettext_lazy("No transfer waits for your answer."),
    "asked": gettext_lazy("You wait for no answer. A transfer begins on a member's page, or with the button above."),
    "decided": gettext_lazy("No transfer is decided yet."),
}


class TransferList(ListPage):
    """The inbox: what waits for an answer, the longest first; what we asked for; what is decided, the latest first."""

    permission = "members.view_transfer"
    title = gettext_lazy("Transfers")
    template_name = "members/transfer_list.html"

    def setup(self, request, *args, **kwargs):
        super().setup(request, *args, **kwargs)
        asked = request.GET.get("box", "")
        self.box = asked if asked in BOXES else "answer"
        self.orders = {"asked": ("-pk",) if self.box == "decided" else ("pk",)}
        self.empty = NOTHING[self.box]
        self.table_class = DecidedTable if self.box == "decided" else TransferTable

    def get_queryset(self):
        user = self.request.user
        held = reach(user, self.permission)
        rows = {
            "answer": ROWS.open().answered_by(held),
            "asked": ROWS.open().asked_by(held),
            "decided": ROWS.exclude(state__in=TRANSFER_OPEN),
        }[self.box]
        return rows.with_due().with_names(reach(user, "unions.view_union"))

    def get_facts(self):
        return my_unions(self.request.user, self.permission)

    def get_context(self):
        boxes = [(label, f"{self.request.path}?box={name}", name == self.box) for name, label in BOXES.items()]
        return {"boxes": boxes}


transfer_list = TransferList.as_view()


# --- One transfer ------------------------------------------------------------------------------------------


def show(request, transfer, *, bound=None, status=200):
    """Answer with the transfer's page; `bound`: the form of an answer that was refused."""
    user = request.user
    answers = []
    for offer in transfer.open_moves(user):
        own = bound if bound is not None and bound.made == offer.move else None
        form = own or AnswerForm(move=offer.move, transfer=transfer)
        answers.append((offer, form))
    person = transfer.membership.person
    pairs = DuplicatePair.objects.open().filter(Q(first=person) | Q(second=person))
    context = {
        "transfer": transfer,
        "person": person,
        "badge": transfer_badge(transfer),
        "from_name": transfer.from_union.name if transfer.names_from(user) else "",
        "answers": answers,
        "outside": transfer.to_union is None,
        "deadline": transfer.deadlines.open().select_related("rule", "union").first(),
        "timeline": timeline.of_transfer(transfer),
        "result": transfer.result if transfer.result and user.has_perm(SEE, transfer.result) else None,
        "doubtful": pairs.visible_to(user, SEE).exists(),
    }
    return render(request, "members/transfer_page.html", context, status=status)


def the_transfer(request, pk):
    return visible_or_404(ROWS, request.user, "members.view_transfer", pk=pk)


@require_safe
@needs("members.view_transfer")
def transfer_page(request, transfer_pk):
    """One transfer: who, from where to where, by when it must be answered, and the answers."""
    return show(request, the_transfer(request, transfer_pk))


@require_POST
@needs("members.view_transfer")
def transfer_move(request, transfer_pk):
    """Make one move of a transfer: accept, refuse or call off."""
    transfer = the_transfer(request, transfer_pk)
    name = request.POST.get("move", "")
    if name not in {move.name for move in Transfer.MOVES if move.permission}:
        return redirect("transfer_page", transfer_pk=transfer.pk)
    form = AnswerForm(request.POST, move=Transfer.move(name), transfer=transfer)
    try:
        transfer.check_move(name, by=request.user)
        if form.is_valid():
            version, reason = form.cleaned_data["version"], form.cleaned_data.get("reason", "")
            transfer = transfer.make_move(name, by=request.user, version=version, reason=reason)
            return made(request, transfer)
    except MoveRefused as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("transfer_page", transfer_pk=transfer.pk)
    except Conflict:
        messages.error(request, _("Somebody changed this transfer while you were here: look once more, then decide."))
        return redirect("transfer_page", transfer_pk=transfer.pk)
    except ValidationError as refusal:
        add_refusal(form, refusal)
    return show(request, transfer, bound=form)


def made(request, transfer):
    """Say what was done, and go on to where the member is now, if that is in sight."""
    messages.success(request, _("Recorded: %(move)s.") % {"move": transfer.get_state_display()})
    if transfer.result and request.user.has_perm(SEE, transfer.result):
        return redirect("member_page", membership_pk=transfer.result_id)
    return redirect("transfer_page", transfer_pk=transfer.pk)


# --- Asking ------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs("members.ask_transfer")
def transfer_ask(request):
    """Ask for a transfer: from the union left (`membership` names the member), or by the union joined with the card."""
    key = request.POST.get("membership") or request.GET.get("membership", "")
    if key:
        return leave(request, key)
    form = JoinForm(request.POST or None, user=request.user)
    asked = ask(request, form, transfers.ask_by_number)
    if asked:
        if "from_enrolment" in request.POST:
            drafts.drop(request.user, reverse("member_add"))
        return asked
    several = len(form.offered) != 1 and request.user.has_perm(Transfer.ANSWER)  # both sides may be the user's
    context = {"form": form, "membership": None, "back_url": reverse("transfer_list"), "may_answer": several}
    return render(request, "members/transfer_ask.html", context)


def leave(request, key):
    """The union left asks."""
    if not (key.isascii() and key.isdigit() and len(key) < 19):
        raise Http404
    membership = the_membership(request, int(key), "members.ask_transfer")
    form = LeaveForm(request.POST or None, initial={"membership": membership.pk})
    asked = ask(request, form, transfers.ask_transfer, membership=membership, side=TransferSide.FROM)
    if asked:
        return asked
    may_answer = request.user.has_perm(Transfer.ANSWER, membership.union.parent or membership.union)
    context = {
        "form": form,
        "membership": membership,
        "back_url": reverse("member_page", args=[membership.pk]),
        "may_answer": may_answer,
    }
    return render(request, "members/transfer_ask.html", context)


def ask(request, form, action, **facts):
    """Ask with what a sound `form` says, and return where to go on; None: show the form."""
    if not form.is_valid():
        return None
    try:
        transfer = action(by=request.user, at_once="at_once" in request.POST, **facts, **form.facts())
    except Conflict:
        form.add_error(None, _("Somebody changed this member while you were here: look once more, then decide."))
    except ValidationError as refusal:
        add_refusal(form, refusal)
    else:
        if not transfer.is_open:
            return made(request, transfer)
        messages.success(request, _("The transfer is asked for. The answer will stand in the inbox of transfers."))
        return redirect("transfer_page", transfer_pk=transfer.pk)
    return None


@require_POST
@needs("members.ask_transfer")
def transfer_from_row(request, importbatch_pk):
    """Ask for the person of one row of an uploaded register that belongs to another union."""
    batch = visible_or_404(ImportBatch.objects.all(), request.user, "members.ask_transfer", pk=importbatch_pk)
    row = request.POST.get("row", "")
    try:
        if not (row.isascii() and row.isdigit() and len(row) < 9):
            raise ValidationError(_("This row asks for no transfer."))
        transfer = transfers.ask_for_row(by=request.user, batch=batch, row=int(row))
    except (PermissionDenied, ValidationError, Conflict) as refusal:
        sentences = getattr(refusal, "messages", None) or [str(refusal)]
        messages.error(request, " ".join(sentences))
        return redirect("import_page", importbatch_pk=batch.pk)
    messages.success(request, _("The transfer is asked for. The answer will stand in the inbox of transfers."))
    return redirect("transfer_page", transfer_pk=transfer.pk)


@require_POST
@needs("members.ask_transfer")
def transfers_from_batch(request, importbatch_pk):
    """Ask for the people of all rows of an uploaded register that belong to other unions; a job does it."""
    batch = visible_or_404(ImportBatch.objects.all(), request.user, "members.ask_transfer", pk=importbatch_pk)
    try:
        job = transfers.ask_for_batch(batch, by=request.user)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return redirect("import_page", importbatch_pk=batch.pk)
    return redirect("job_page", job_pk=job.pk)
