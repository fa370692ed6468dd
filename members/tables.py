"""The table of members: numbers masked, age reckoned for the row."""

import django_tables2 as tables
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core.columns import DayColumn, TickColumn, badge_of, link, word
from members.models import Employment, Membership, MembershipState, OccupationGroup

BADGES = {
    MembershipState.ACTIVE: "good",
    MembershipState.TRANSFER_PENDING: "soon",
}
DESK_ONLY = {"td": {"class": "desk-only"}}


def badge(membership):
    """Return the membership's state as a word in its colour."""
    return badge_of(BADGES.get(membership.state, "rest"), word(MembershipState, membership.state))


class MemberTable(tables.Table):
    name = tables.Column(_("name"), accessor="person__name")
    sex = tables.Column(_("sex"), accessor="person__sex", attrs=DESK_ONLY)
    age = tables.Column(_("age"), accessor="person", attrs=DESK_ONLY)
    id_masked = tables.Column(_("identity number"), accessor="person__id_masked")
    phone_masked = tables.Column(_("mobile phone"), accessor="phone_shown", attrs=DESK_ONLY)
    union = tables.Column(_("union"), accessor="union__name")
    department = tables.Column(_("department or group"), attrs=DESK_ONLY)
    post = tables.Column(_("post or trade"), attrs=DESK_ONLY)
    employment = tables.Column(_("form of employment"), attrs=DESK_ONLY)
    migrant_worker = TickColumn(_("migrant worker"), empty_values=(), attrs=DESK_ONLY)
    skill_level = tables.Column(_("skill level"), attrs=DESK_ONLY)
    ethnicity = tables.Column(_("ethnicity"), accessor="person__ethnicity", attrs=DESK_ONLY)
    education = tables.Column(_("education"), accessor="person__education", attrs=DESK_ONLY)
    politics = tables.Column(_("political status"), accessor="person__politics", attrs=DESK_ONLY)
    card_no = tables.Column(_("member card"), attrs=DESK_ONLY)
    joined_on = DayColumn(_("joined on"), attrs=DESK_ONLY)
    ended_on = DayColumn(_("ended on"), attrs=DESK_ONLY)
    verified_on = DayColumn(_("verified on"), accessor="person__verified_on", attrs=DESK_ONLY)
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Membership
        fields = ()
        caption = _("Members")

    def render_name(self, value, record):
        return link("member_page", record.pk, value)

    def render_age(self, value):
        return value.age_on(self.today)

    @cached_property
    def today(self):
        return timezone.localdate()

    def render_employment(self, record):
        """What says more: the group among the eight, or else the form of employment."""
        return word(OccupationGroup, record.occupation_group) or word(Employment, record.employment)

    def render_state(self, record):
        return badge(record)
