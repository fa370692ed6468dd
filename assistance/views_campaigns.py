"""Pages of campaigns: the list, a new one, its progress, places for unions, and entering recipients."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from assistance import campaigns
from assistance.forms_campaigns import CampaignForm, PlacesForm
from assistance.grants import GrantState
from assistance.models import Campaign, PayMethod, Quota
from assistance.tables_money import CampaignTable
from assistance.views_money import refused
from core.cases import MoveRefused
from core.forms import add_refusal
from core.pages import ListPage
from core.scope import needs, reach, visible_or_404
from unions.views import my_unions

SEE = "assistance.view_campaign"
ROWS = Campaign.objects.select_related("union", "budget__source__union", "made_by")
PAGE = 100  # people offered at once


class CampaignList(ListPage):
    """The campaigns of the unions in scope, and those that give places to them, the latest first."""

    permission = SEE
    table_class = CampaignTable
    orders = {"latest": ("-pk",)}
    title = gettext_lazy("Campaigns")
    empty = gettext_lazy("No campaign yet.")
    template_name = "assistance/campaign_list.html"

    def get_queryset(self):
        def of_quotas(name):
            sums = Quota.objects.filter(campaign=OuterRef("pk")).order_by().values("campaign").annotate(s=Sum(name))
            return Coalesce(Subquery(sums.values("s")), 0)

        return ROWS.annotate(places=of_quotas("places"), taken=of_quotas("taken"))

    def get_facts(self):
        return my_unions(self.request.user, self.permission)


campaign_list = CampaignList.as_view()


@require_http_methods(["GET", "HEAD", "POST"])
@needs("assistance.keep_campaign")
def campaign_add(request):
    """Make a campaign."""
    form = CampaignForm(request.POST or None, user=request.user)
    if form.is_valid():
        try:
            campaign = campaigns.add(by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("The campaign is made. Give the unions their places now."))
            return redirect("campaign_page", campaign_pk=campaign.pk)
    return render(request, "assistance/campaign_add.html", {"form": form})


def the_campaign(request, pk, perm):
    return visible_or_404(ROWS, request.user, perm, pk=pk)


def show(request, campaign, *, bound=None):
    """Answer with the page of a campaign; `bound`: the form of places that was refused."""
    user, held = request.user, reach(request.user, SEE)
    rows = [
        (quota, counts, paid)
        for quota, counts, paid in campaigns.progress(campaign)
        if held.covers(quota.union.path) or any(top.startswith(quota.union.path) for top in held.paths)
    ]
    shown = (GrantState.ASKED, GrantState.APPROVED, GrantState.IN_BATCH, GrantState.PAID)
    context = {
        "campaign": campaign,
        "rows": [(quota, [counts[state] for state in shown], paid) for quota, counts, paid in rows],
        "states": [state.label for state in shown],
        "places": sum(quota.places for quota, _counts, _paid in rows),
        "taken": sum(quota.taken for quota, _counts, _paid in rows),
        "paid": sum(paid for _quota, _counts, paid in rows),
        "may_keep": user.has_perm(campaigns.KEEP, campaign) and not campaign.closed_on,
        "may_enter": not campaign.closed_on and campaigns.quotas_of(campaign, user).exists(),
        "form": bound or PlacesForm(campaign=campaign),
    }
    return render(request, "assistance/campaign_page.html", context)


@require_safe
@never_cache
@needs("assistance.view_campaign")
def campaign_page(request, campaign_pk):
    """One campaign: whom it is for, and how far each union is."""
    return show(request, the_campaign(request, campaign_pk, SEE))


@require_POST
@needs("assistance.keep_campaign")
def campaign_places(request, campaign_pk):
    """Give places to a union."""
    campaign = the_campaign(request, campaign_pk, campaigns.KEEP)
    form = PlacesForm(request.POST, campaign=campaign)
    if form.is_valid():
        try:
            campaigns.allocate(campaign, by=request.user, **form.cleaned_data)
        except ValidationError as refusal:
            add_refusal(form, refusal)
        else:
            messages.success(request, _("Recorded."))
            return redirect("campaign_page", campaign_pk=campaign.pk)
    return show(request, campaign, bound=form)


@require_POST
@needs("assistance.keep_campaign")
def campaign_close(request, campaign_pk):
    """End a campaign."""
    campaign = the_campaign(request, campaign_pk, campaigns.KEEP)
    try:
        campaigns.close(campaign, by=request.user)
    except MoveRefused as refusal:
        refused(request, refusal)
    else:
        messages.success(request, _("The campaign is closed."))
    return redirect("campaign_page", campaign_pk=campaign.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("assistance.enter_campaign")
def campaign_enter(request, campaign_pk):
    """Choose recipients among the members that the campaign is meant for, within the places of one union."""
    campaign = the_campaign(request, campaign_pk, campaigns.ENTER)
    quotas = list(campaigns.quotas_of(campaign, request.user))
    named = request.POST.get("quota") or request.GET.get("quota", "")
    quota = next((each for each in quotas if str(each.pk) == named), quotas[0] if quotas else None)
    chosen = {int(key) for key in request.POST.getlist("member") if key.isascii() and key.isdigit() and len(key) < 19}
    typed = {key: request.POST.get(f"account_{key}", "").strip() for key in chosen}
    faults = []
    if request.method == "POST" and quota is not None:
        try:
            made = campaigns.enter(campaign, by=request.user, quota=quota, keys=chosen, accounts=typed)
        except ValidationError as refusal:
            faults = refusal.messages
        else:
            messages.success(request, _("%(number)d recipients are entered.") % {"number": len(made)})
            return redirect("campaign_page", campaign_pk=campaign.pk)
    people = campaigns.candidates(campaign, quota.union, request.user)[:PAGE] if quota else []
    context = {
        "campaign": campaign,
        "quotas": quotas,
        "quota": quota,
        "room": quota.places - quota.taken if quota else 0,
        "rows": [(each, each.pk in chosen, typed.get(each.pk, "")) for each in people],
        "with_account": campaign.budget_id is not None and campaign.method == PayMethod.BANK,
        "faults": faults,
    }
    return render(request, "assistance/campaign_enter.html", context)
