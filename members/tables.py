"""The table of members: numbers masked, age reckoned for the row."""

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from members.models import Membership, MembershipState

BADGES = {
    MembershipState.ACTIVE: "good",
    MembershipState.TRANSFER_PENDING: "soon",
}


def badge(membership):
    """Return the membership's state as a word in its colour."""
    return format_html(
        '<span class="badge {}">{}</span>', BADGES.get(membership.state, "rest"), membership.get_state_display()
    )


class MemberTable(tables.Table):
    name = tables.Column(_("name"), accessor="person__name")
    sex_and_age = tables.Column(_("sex · age"), accessor="person", attrs={"td": {"class": "desk-only"}})
    id_masked = tables.Column(_("identity number"), accessor="person__id_masked")
    phone_masked = tables.Column(
        _("mobile phone"), accessor="person__phone_masked", attrs={"td": {"class": "desk-only"}}
    )
    union = tables.Column(_("union"), accessor="union__name")
    employment = tables.Column(_("form of employment"), attrs={"td": {"class": "desk-only"}})
    joined_on = tables.Column(_("joined on"), attrs={"td": {"class": "desk-only"}})
    state = tables.Column(_("state"), attrs={"td": {"class": "lead"}})

    class Meta:
        model = Membership
        fields = ()
        caption = _("Members")

    def render_name(self, value, record):
        return format_html('<a href="{}">{}</a>', reverse("member_page", args=[record.pk]), value)

    def render_sex_and_age(self, value):
        return f"{value.get_sex_display()} · {value.age_on(timezone.localdate())}"

    def render_employment(self, record):
        """What says more: the group among the eight, or else the form of employment."""
        return record.get_occupation_group_display() or record.get_employment_display()

    def render_joined_on(self, value):
        return value.isoformat()

    def render_state(self, record):
        return badge(record)
