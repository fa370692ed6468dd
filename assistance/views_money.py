"""Grants of a case and their list, sources of money with their budgets, payment batches and what banks answer."""

from datetime import date
from decimal import Decimal

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from assistance import money
from assistance.filters_money import BatchFilter, GrantFilter
from assistance.forms_money import (
    AllotForm,
    AppropriateForm,
    AskForm,
    GrantMoveForm,
    HandOutForm,
    ReturnForm,
    SettleForm,
    SourceForm,
)
from assistance.grants import PAY, GrantState
from assistance.models import (
    Budget,
    FundSource,
    Grant,
    HardshipCase,
    PaymentBatch,
    PayMethod,
    ReturnLine,
    Verdict,
)
from assistance.models.money import BatchState
from assistance.papers_money import LedgerForm
from assistance.tables_money import BatchTable, GrantTable, SourceTable, batch_badge, grant_badge
from core.cases import MoveRefused
from core.conflicts import Conflict
from core.fields import MoneyField, yuan
from core.forms import add_refusal
from core.pages import ListPage
from core.scope import needs, visible_or_404
from core.views.imports import WORKBOOK
from unions.views import my_unions

SEE_GRANT, SEE_SOURCE, SEE_BATCH = "assistance.view_grant", "assistance.view_fundsource", "assistance.view_paymentbatch"
GRANTS = Grant.objects.select_related("union", "budget__source__union", "case__file", "batch__source", "asked_by")
SOURCES = FundSource.objects.select_related("union")
BATCHES = PaymentBatch.objects.select_related("source__union", "made_by", "sent_by")
ENTRIES_SHOWN = 50


def part(request, case):
    """Return what the case page shows of the money: its grants, for those who may see them."""
    if not request.user.has_perm(SEE_GRANT, case):
        return {"sees_grants": False}
    rows = case.grants.select_related("budget__source").order_by("-pk")
    return {
        "sees_grants": True,
        "grants": [(grant, grant_badge(grant)) for grant in rows],
        "may_ask_grant": request.user.has_perm(money.ADD, case),
    }


def refused(request, refusal):
    """Say why an act was refused."""
    messages.error(request, " ".join(getattr(refusal, "messages", None) or [str(refusal)]))


# --- Grants ---------------------------------------------------------------------------------------------------------


class GrantList(ListPage):
    """All grants in scope, the latest first."""

    queryset = Grant.objects.select_related("union", "budget__source")
    permission = SEE_GRANT
    table_class = GrantTable
    filterset_class = GrantFilter
    orders = {"latest": ("-pk",), "amount": ("amount",), "on": ("on",)}
    title = gettext_lazy("Grants")
    empty = gettext_lazy("No grant yet. It is asked for on the page of a hardship case.")

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


grant_list = GrantList.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("assistance.add_grant")
def grant_ask(request, hardshipcase_pk):
    """Ask for a grant to somebody of a household."""
    rows = HardshipCase.objects.select_related("union", "file")
    case = visible_or_404(rows, request.user, money.ADD, pk=hardshipcase_pk)
    form = AskForm(request.POST or None, case=case)
    if form.is_valid():
        try:
            grant = money.ask(by=request.user, case=case, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Asked for. Somebody else must approve it."))
            return redirect("grant_page", grant_pk=grant.pk)
    return render(request, "assistance/grant_ask.html", {"form": form, "case": case, "last4": case.bank_last4})


def the_grant(request, pk, perm):
    return visible_or_404(GRANTS, request.user, perm, pk=pk)


def show_grant(request, grant, *, bound=None, hand_out=None):
    """Answer with the page of a grant; `bound`, `hand_out`: forms that were refused."""
    offers = []
    for offer in grant.open_moves(request.user):
        own = bound if bound is not None and bound.made == offer.move else None
        offers.append((offer, own or GrantMoveForm(move=offer.move, grant=grant)))
    handed = grant.method == PayMethod.IN_KIND and grant.state == GrantState.IN_BATCH
    handed = handed and grant.batch.state == BatchState.SENT and request.user.has_perm(PAY, grant.payer)
    sees_case = grant.case_id and request.user.has_perm("assistance.view_hardshipcase", grant.case)
    context = {
        "grant": grant,
        "badge": grant_badge(grant),
        "offers": offers,
        "hand_out": (hand_out or HandOutForm()) if handed else None,
        "steps": [(step, GrantState(step.target).label) for step in grant.steps.all()],
        "entries": grant.entries.all(),
        "sees_case": sees_case,
        "sees_batch": grant.batch_id and request.user.has_perm(SEE_BATCH, grant.batch),
    }
    return render(request, "assistance/grant_page.html", context)


@require_safe
@never_cache
@needs("assistance.view_grant")
def grant_page(request, grant_pk):
    """One grant: for whom, from which money, what was decided, and what can be done next."""
    return show_grant(request, the_grant(request, grant_pk, SEE_GRANT))


@require_POST
@needs("assistance.view_grant")
def grant_move(request, grant_pk):
    """Approve, refuse or take back."""
    grant = the_grant(request, grant_pk, SEE_GRANT)
    name = request.POST.get("move", "")
    if name not in {move.name for move in Grant.MOVES if move.permission}:
        return redirect("grant_page", grant_pk=grant.pk)
    form = GrantMoveForm(request.POST, move=Grant.move(name), grant=grant)
    try:
        grant.check_move(name, by=request.user)
        if form.is_valid():
            version, reason = form.cleaned_data["version"], form.cleaned_data["reason"]
            grant = grant.make_move(name, by=request.user, version=version, reason=reason)
            messages.success(request, _("Recorded: %(move)s.") % {"move": grant.get_state_display()})
            return redirect("grant_page", grant_pk=grant.pk)
    except MoveRefused as refusal:
        refused(request, refusal)
        return redirect("grant_page", grant_pk=grant.pk)
    except Conflict:
        messages.error(request, _("Somebody changed this grant while you were here: look once more, then decide."))
        return redirect("grant_page", grant_pk=grant.pk)
    except ValidationError as refusal:
        add_refusal(form, refusal)
    return show_grant(request, grant, bound=form)


@require_POST
@needs("assistance.pay_grant")
def grant_sign(request, grant_pk):
    """Record who signed for a thing, or why it was not handed out."""
    grant = the_grant(request, grant_pk, PAY)
    form = HandOutForm(request.POST)
    if form.is_valid():
        try:
            money.hand_out(grant, by=request.user, **form.cleaned_data)
        except MoveRefused as refusal:
            refused(request, refusal)
            return redirect("grant_page", grant_pk=grant.pk)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Recorded."))
            return redirect("grant_page", grant_pk=grant.pk)
    return show_grant(request, grant, hand_out=form)


# --- Sources and budgets --------------------------------------------------------------------------------------------


def with_balance(sources):
    """The sources with `given` and `left` in yuan, and `low`: whether what is left is little of what was given."""
    zero = yuan(Decimal(0))

    def of_budgets(name):
        sums = Budget.objects.filter(source=OuterRef("pk")).order_by().values("source").annotate(s=Sum(name))
        return Coalesce(Subquery(sums.values("s"), output_field=MoneyField()), zero)

    return sources.annotate(
        given=F("unallotted") + of_budgets("amount"), left=F("unallotted") + of_budgets("left")
    )  # fmt: skip


class SourceList(ListPage):
    """The sources of money in scope with what is left, the latest year first."""

    permission = SEE_SOURCE
    table_class = SourceTable
    orders = {"latest": ("-year", "-pk")}
    title = gettext_lazy("Sources of money")
    empty = gettext_lazy("No source of money yet.")
    template_name = "assistance/fundsource_list.html"

    def get_queryset(self):
        return with_balance(SOURCES.all())

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


fundsource_list = SourceList.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@needs("assistance.keep_fundsource")
def fundsource_add(request):
    """Enter a source of money with its first amount."""
    form = SourceForm(request.POST or None, user=request.user)
    if form.is_valid():
        try:
            source = money.add_source(by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The source of money is entered. Divide it into budgets now."))
            return redirect("fundsource_page", fundsource_pk=source.pk)
    return render(request, "assistance/fundsource_add.html", {"form": form})


def the_source(request, pk, perm):
    return visible_or_404(SOURCES, request.user, perm, pk=pk)


def show_source(request, source, *, appropriate=None, allot=None):
    """Answer with the page of a source of money; the forms: those that were refused."""
    share = money.low_share(timezone.localdate())
    budgets = [(each, money.is_low(each.amount, each.left, share)) for each in source.budgets.all()]
    sums = source.entries.aggregate(left=Sum("amount", default=Decimal(0)))
    ready = Grant.objects.filter(budget__source=source, state=GrantState.APPROVED)
    ready = ready.order_by("method").values("method").annotate(count=Count("pk"), sum=Sum("amount"))
    context = {
        "source": source,
        "budgets": budgets,
        "left": sums["left"],
        "entries": source.entries.select_related("budget", "grant", "by").order_by("-pk")[:ENTRIES_SHOWN],
        "ready": [(PayMethod(row["method"]), row["count"], row["sum"]) for row in ready],
        "may_keep": request.user.has_perm(money.KEEP, source),
        "may_pay": request.user.has_perm(PAY, source),
        "period": LedgerForm(initial={"since": date(source.year, 1, 1), "until": timezone.localdate()}),
        "appropriate": appropriate or AppropriateForm(auto_id="id_more_%s"),
        "allot": allot or AllotForm(auto_id="id_allot_%s"),
    }
    return render(request, "assistance/fundsource_page.html", context)


@require_safe
@never_cache
@needs("assistance.view_fundsource")
def fundsource_page(request, fundsource_pk):
    """One source of money: its budgets, what is left of each, and its ledger."""
    return show_source(request, the_source(request, fundsource_pk, SEE_SOURCE))


@require_POST
@needs("assistance.keep_fundsource")
def fundsource_appropriate(request, fundsource_pk):
    """Add money to a source, or take it back."""
    source = the_source(request, fundsource_pk, money.KEEP)
    form = AppropriateForm(request.POST, auto_id="id_more_%s")
    return _moved(request, source, form, money.appropriate, "appropriate")


@require_POST
@needs("assistance.keep_fundsource")
def fundsource_allot(request, fundsource_pk):
    """Move money of a source into a budget, or back."""
    source = the_source(request, fundsource_pk, money.KEEP)
    form = AllotForm(request.POST, auto_id="id_allot_%s")
    return _moved(request, source, form, money.allot, "allot")


def _moved(request, source, form, act, name):
    if form.is_valid():
        try:
            act(source, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Recorded."))
            return redirect("fundsource_page", fundsource_pk=source.pk)
    source.refresh_from_db()
    return show_source(request, source, **{name: form})


# --- Batches --------------------------------------------------------------------------------------------------------


class BatchList(ListPage):
    """The payment batches in scope, the latest first."""

    permission = SEE_BATCH
    table_class = BatchTable
    filterset_class = BatchFilter
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Payment batches")
    empty = gettext_lazy("No payment batch yet. The cashier makes one on the page of a source of money.")

    def get_queryset(self):
        waits = ReturnLine.objects.filter(batch=OuterRef("pk"), settled_at=None).exclude(verdict=Verdict.PAID)
        waits = waits.order_by().values("batch").annotate(n=Count("pk")).values("n")
        return BATCHES.annotate(
            count=Count("grants"), amount=Sum("grants__amount", default=Decimal(0)), queued=Coalesce(Subquery(waits), 0)
        )  # fmt: skip

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


batch_list = BatchList.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("assistance.pay_grant")
def batch_make(request, fundsource_pk):
    """Choose the approved grants of a source that are paid together."""
    source = the_source(request, fundsource_pk, PAY)
    asked = request.POST.get("method") or request.GET.get("method")
    method = asked if asked in PayMethod.values else PayMethod.BANK
    rows = money.payable(source, method).select_related("union", "budget")[: money.MOST_OF_A_BATCH]
    chosen = {int(key) for key in request.POST.getlist("grant") if key.isascii() and key.isdigit() and len(key) < 19}
    faults = []
    if request.method == "POST":
        try:
            batch = money.make_batch(by=request.user, source=source, method=method, keys=chosen)
        except ValidationError as refusal:
            faults = refusal.messages
        else:
            messages.success(request, _("The batch is made. Look at it, then send it."))
            return redirect("batch_page", paymentbatch_pk=batch.pk)
    context = {
        "source": source,
        "method": PayMethod(method),
        "rows": [(grant, request.method != "POST" or grant.pk in chosen) for grant in rows],
        "faults": faults,
    }
    return render(request, "assistance/batch_make.html", context)


def the_batch(request, pk, perm):
    return visible_or_404(BATCHES, request.user, perm, pk=pk)


def show_batch(request, batch, *, upload=None, bound=None):
    """Answer with the page of a batch; `upload`, `bound`: forms that were refused."""
    grants = list(batch.grants.select_related("union", "budget").order_by("pk"))
    may_pay = request.user.has_perm(PAY, batch)
    queue = []
    for line in money.queue(batch).select_related("grant"):
        own = bound if bound is not None and bound.initial["line"] == line.pk else None
        queue.append((line, (own or SettleForm(line=line)) if may_pay else None))
    counts = batch.lines.order_by().aggregate(
        lines=Count("pk"), paid=Count("pk", filter=Q(verdict=Verdict.PAID)), sum=Sum("amount", default=Decimal(0))
    )  # fmt: skip
    total = sum((grant.amount for grant in grants), Decimal(0))
    bank = batch.method == PayMethod.BANK
    context = {
        "batch": batch,
        "badge": batch_badge(batch),
        "grants": [(grant, grant_badge(grant)) for grant in grants],
        "total": total,
        "queue": queue,
        "counts": counts,
        "more_than_sent": counts["sum"] > total,
        "bank": bank,
        "may_send": may_pay and batch.state == BatchState.OPEN,
        "may_fetch": may_pay and bank and bool(batch.file_sha256),
        "upload": (upload or ReturnForm()) if may_pay and bank and batch.state == BatchState.SENT else None,
        "settled": batch.lines.exclude(settled_at=None).select_related("settled_by", "grant"),
    }
    return render(request, "assistance/batch_page.html", context)


@require_safe
@never_cache
@needs("assistance.view_paymentbatch")
def batch_page(request, paymentbatch_pk):
    """One payment batch: its grants, its file, what came back and what waits for somebody."""
    return show_batch(request, the_batch(request, paymentbatch_pk, SEE_BATCH))


@require_POST
@needs("assistance.pay_grant")
def batch_send(request, paymentbatch_pk):
    """Close a batch for payment."""
    batch = the_batch(request, paymentbatch_pk, PAY)
    try:
        money.send(batch, by=request.user)
    except (MoveRefused, PermissionDenied) as refusal:
        refused(request, refusal)
    else:
        messages.success(request, _("The batch is closed for payment."))
    return redirect("batch_page", paymentbatch_pk=batch.pk)


@require_POST
@needs("assistance.pay_grant")
def batch_file(request, paymentbatch_pk):
    """Hand out the bank's file: a POST, for it shows account numbers and is an event."""
    batch = the_batch(request, paymentbatch_pk, PAY)
    workbook = request.POST.get("format") == "xlsx"
    try:
        content = money.bank_file(batch, by=request.user, workbook=workbook)
    except ValidationError as refusal:
        refused(request, refusal)
        return redirect("batch_page", paymentbatch_pk=batch.pk)
    response = HttpResponse(content, content_type=WORKBOOK if workbook else "text/csv; charset=utf-8")
    ending = "xlsx" if workbook else "csv"
    response["Content-Disposition"] = f'attachment; filename="{batch.number}.{ending}"'
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@needs("assistance.pay_grant")
def batch_return(request, paymentbatch_pk):
    """Read the bank's answer."""
    batch = the_batch(request, paymentbatch_pk, PAY)
    form = ReturnForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            waits = money.read_return(batch, form.cleaned_data["file"], by=request.user)
        except MoveRefused as refusal:
            refused(request, refusal)
            return redirect("batch_page", paymentbatch_pk=batch.pk)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            done = _("Every line is matched.") if not waits else _("%(number)d lines wait for you.") % {"number": waits}
            (messages.warning if waits else messages.success)(request, done)
            return redirect("batch_page", paymentbatch_pk=batch.pk)
    return show_batch(request, batch, upload=form)


@require_POST
@needs("assistance.pay_grant")
def batch_settle(request, paymentbatch_pk):
    """Settle one line that waits."""
    batch = the_batch(request, paymentbatch_pk, PAY)
    key = request.POST.get("line", "")
    known = key.isascii() and key.isdigit() and len(key) < 19
    line = batch.lines.filter(pk=key).select_related("batch__source__union").first() if known else None
    if line is None:
        return redirect("batch_page", paymentbatch_pk=batch.pk)
    form = SettleForm(request.POST, line=line)
    if form.is_valid():
        facts = {name: form.cleaned_data[name] for name in ("outcome", "reason")}
        try:
            money.settle(line, by=request.user, **facts)
        except MoveRefused as refusal:
            refused(request, refusal)
            return redirect("batch_page", paymentbatch_pk=batch.pk)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Recorded."))
            return redirect("batch_page", paymentbatch_pk=batch.pk)
    return show_batch(request, batch, bound=form)
