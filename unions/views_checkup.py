"""Pages of the checkup: what is wrong or missing in my unions, how it went, and each record with what mends it."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, Max, OuterRef, Q, SmallIntegerField, Subquery, When
from django.http import QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import charts, findings
from core import checkup as checkups
from core.checkup import ALL, Gravity, Kind, checks
from core.exports import export_address
from core.findings import ASIDE, RUN, VIEW
from core.forms import DateField, PortalForm, add_refusal
from core.models import CheckupCount, CheckupDay, Finding, Job
from core.pages import ListPage
from core.scope import needs, reach, visible_or_404
from unions.checkup_filters import CheckupFilter, FindingFilter
from unions.checkup_tables import CheckupTable, FindingTable, gravity_badge
from unions.models import Union
from unions.views import crumbs, my_unions

BEFORE = 30  # days: what a number is compared with
SHOWN = 10  # unions directly below that are shown
TOPS = 20  # unions at the top of somebody's reach that are offered
FORTNIGHT = 14

# --- The overview ----------------------------------------------------------------------------------------------------


def my_tops(user):
    """The unions at the top of what the user reaches, the highest first."""
    held = reach(user, VIEW)
    rows = Union.objects.filter(parent__isnull=True) if held.everything else Union.objects.filter(path__in=held.paths)
    return list(rows.order_by("path")[:TOPS])


@require_safe
@needs(VIEW)
def checkup(request):
    """What each check finds at a union and below: `?union=` names it, without it the highest of mine."""
    tops, asked = my_tops(request.user), request.GET.get("union", "")
    if asked.isascii() and asked.isdigit() and len(asked) < 12:
        union = visible_or_404(Union.objects.all(), request.user, VIEW, pk=int(asked))
    elif tops:
        union = tops[0]
    else:
        return render(request, "checkup/checkup.html", {"union": None})
    today = timezone.localdate()
    counts = {count.code: count for count in CheckupCount.objects.filter(union=union)}
    lines = lines_of(counts, numbers_before(union, today))
    found = [line for line in lines if line["found"] or line["aside"]]
    total = counts[ALL].below if ALL in counts else 0
    numbers = findings.trend(union, ALL, today)
    if numbers:
        numbers[-1] = today, total  # what was mended today is not in the trend yet
    context = {
        "union": union,
        "tops": tops if len(tops) > 1 else [],
        "crumbs": crumbs(union, request.user),
        "found": found,
        "clean": [line for line in lines if line not in found],
        "unclear": [line for line in lines if line["unclear"]],
        "wrong": sum(line["found"] for line in lines if line["check"].kind == Kind.WRONG),
        "missing": sum(line["found"] for line in lines if line["check"].kind == Kind.MISSING),
        "aside": counts[ALL].aside if ALL in counts else 0,
        "members": counts["ROLL"].below if "ROLL" in counts else 0,
        "chart": charts.line(numbers),
        "fortnights": fortnights(numbers),
        "checked": bool(counts),
        "last": checkups.last_run(union),
        "running": Job.objects.unfinished().filter(task=checkups.RUN, union=union).first(),
        "below": CheckupCount.objects.filter(code=ALL, union__parent=union, below__gt=0)
        .select_related("union").order_by("-below", "union__path")[:SHOWN],
        "export_url": export_address("findings", request.user, [("union", union.pk)]),
    }  # fmt: skip
    return render(request, "checkup/checkup.html", context)


def lines_of(counts, before):
    """Return what the overview says of each check, the gravest first and then the most frequent."""
    none = CheckupCount()
    lines = []
    for code, check in checks().items():
        count, looked_at = counts.get(code, none), counts.get(check.of.code, none)
        lines.append(
            {
                "check": check,
                "badge": gravity_badge(check),
                "kind": Kind(check.kind).label,
                "found": count.below,
                "aside": count.aside,
                "unclear": count.unclear,
                "looked_at": looked_at.below - count.unclear,
                "change": count.below - before[code] if code in before else None,
            }
        )
    return sorted(lines, key=lambda line: (line["check"].gravity, -line["found"]))


def numbers_before(union, today):
    """{code: number} as it stood `BEFORE` days ago, of the checks that were run by then."""
    rows = CheckupDay.objects.filter(union=union, day__lte=today - timedelta(days=BEFORE))
    latest = rows.filter(code=OuterRef("code")).order_by().values("code").annotate(last=Max("day")).values("last")
    return dict(rows.filter(day=Subquery(latest)).values_list("code", "below"))


def fortnights(numbers):
    """[(day, number, change)] of the last day and each two weeks before it: the table beside the chart."""
    kept = numbers[::-1][::FORTNIGHT]
    return [
        (day, number, number - kept[place + 1][1] if place + 1 < len(kept) else None)
        for place, (day, number) in enumerate(kept)
    ]


@require_POST
@needs(RUN)
def union_checkup(request, union_pk):
    """Check a union and all below it now; the page of the overview says when it is done."""
    union = visible_or_404(Union.objects.all(), request.user, RUN, pk=union_pk)
    checkups.start(union, by=request.user)
    messages.success(request, _("The checkup is under way. What it finds stands here when it is done."))
    return redirect(f"{reverse('checkup')}?union={union.pk}")


# --- Lists -----------------------------------------------------------------------------------------------------------


class FoundList(ListPage):
    """A list of what was found: empty, it tells «nothing is wrong» from «nobody has looked yet»."""

    def get_context(self):
        return {"empty": self.nothing_found}  # called where it is shown, so that rows do not pay for it

    def nothing_found(self):
        looked = all(checkups.last_run(top) for top in my_tops(self.request.user))
        return self.empty if looked else _("The first checkup runs tonight.")


class CheckupUnionList(FoundList):
    """The unions in scope that have findings, those with the most of their own first."""

    queryset = CheckupCount.objects.filter(code=ALL).filter(Q(below__gt=0) | Q(aside__gt=0)).select_related("union")
    permission = VIEW
    table_class = CheckupTable
    filterset_class = CheckupFilter
    orders = {"here": ("here",), "below": ("below",), "aside": ("aside",), "union": ("union__path",)}
    title = gettext_lazy("Checkup by union")
    empty = gettext_lazy("Nothing was found at any union.")
    template_name = "checkup/list.html"

    def get_default_order(self, user, filterset):
        return "-here"

    def get_facts(self):
        return my_unions(self.request.user, VIEW)


class FindingList(FoundList):
    """The findings in scope, each with what mends it: the gravest first, or, where they are many, union by union."""

    queryset = Finding.objects.select_related("union")
    permission = VIEW
    table_class = FindingTable
    filterset_class = FindingFilter
    orders = {"code": ("gravity", "union__path"), "union": ("union__path", "code", "pk"), "since": ("since",)}
    heavy_orders = ("code", "since")
    export_kind = "findings"
    title = gettext_lazy("Findings")
    empty = gettext_lazy("Nothing is wrong or missing.")
    template_name = "checkup/list.html"

    def get_queryset(self):
        codes = {gravity: [code for code, check in checks().items() if check.gravity == gravity] for gravity in Gravity}
        ranks = [When(code__in=each, then=int(gravity)) for gravity, each in codes.items()]
        rows = super().get_queryset().filter(code__in=checks())  # of a check that is no more: gone after the night
        return rows.annotate(gravity=Case(*ranks, default=max(Gravity), output_field=SmallIntegerField()))

    def get_facts(self):
        return my_unions(self.request.user, VIEW)

    def _table(self, page, columns):
        user, today = self.request.user, timezone.localdate()
        query, token = self.request.GET.urlencode(), get_token(self.request)
        for finding in findings.with_subjects(page):
            population = finding.check.of
            seen = finding.subject is not None and population.page and user.has_perm(population.perm, finding.union)
            finding.url = population.url(finding.subject) if seen else ""
            finding.offers = findings.mends_of(finding, user)
            finding.may_aside = user.has_perm(ASIDE, finding.union)
            finding.may_look = user.has_perm(RUN, finding.union)
            finding.is_aside_today = finding.is_aside(today)
            finding.drawn = render_to_string(
                "checkup/mends.html", {"record": finding, "back": query, "csrf_token": token}
            )
        return super()._table(page, columns)


checkup_unions = CheckupUnionList.as_view()
finding_list = FindingList.as_view()


# --- One finding -----------------------------------------------------------------------------------------------------


def the_finding(request, pk, perm):
    return visible_or_404(Finding.objects.select_related("union"), request.user, perm, pk=pk)


def back_to_list(request):
    """Return to the list as it was filtered: what was sent along is read as a query and nothing else."""
    query = QueryDict(request.POST.get("back", "")).urlencode()
    return redirect(f"{reverse('finding_list')}?{query}" if query else "finding_list")


@require_POST
@needs(VIEW)
def finding_mend(request, finding_pk):
    """Do the one act that `mend` names, if it is among those this finding offers."""
    finding = the_finding(request, finding_pk, VIEW)
    try:
        mended = findings.mend(finding, request.POST.get("mend", ""), by=request.user)
    except (ValidationError, PermissionDenied) as refusal:
        messages.error(request, " ".join(getattr(refusal, "messages", [str(refusal)])))
    else:
        tell(request, mended)
    return back_to_list(request)


@require_POST
@needs(RUN)
def finding_again(request, finding_pk):
    """Compare the record with the facts once more."""
    tell(request, findings.look_again(the_finding(request, finding_pk, RUN)))
    return back_to_list(request)


def tell(request, mended):
    if mended:
        messages.success(request, _("It is in order now: the finding is gone."))
    else:
        messages.warning(request, _("It is still so: the finding stays."))


class AsideForm(PortalForm):
    """Until when a finding is set aside, and why."""

    until = DateField(label=gettext_lazy("set aside until"))
    reason = forms.CharField(label=gettext_lazy("reason"), max_length=200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(ASIDE)
def finding_aside(request, finding_pk):
    """Set a finding aside for a while, with the reason; or take it back."""
    finding = the_finding(request, finding_pk, ASIDE)
    findings.with_subjects([finding])
    today = timezone.localdate()
    taken_back = "take_back" in request.POST
    form = AsideForm(request.POST if request.method == "POST" and not taken_back else None)
    try:
        if taken_back:
            findings.take_back(finding, by=request.user)
            messages.success(request, _("The finding is to be mended again."))
            return back_to_list(request)
        if form.is_valid():
            findings.set_aside(finding, by=request.user, **form.cleaned_data)
            messages.success(request, _("The finding is set aside. Day, reason and your name are kept."))
            return back_to_list(request)
    except ValidationError as refusal:
        if taken_back:
            messages.error(request, " ".join(refusal.messages))
            return back_to_list(request)
        add_refusal(form, refusal)
    context = {
        "finding": finding,
        "form": form,
        "is_aside": finding.is_aside(today),
        "longest": findings.longest_aside(today),
        "back": QueryDict(request.POST.get("back", request.GET.urlencode())).urlencode(),
    }
    return render(request, "checkup/aside.html", context)
