"""Tags and filters of the portal's templates."""

from functools import cache

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from lucide.templatetags.lucide import lucide

from core import columns

register = template.Library()

SOON_DAYS = 7  # amber from here on

# What an icon means → its name in the package.
ICONS = {
    "add": "plus",
    "admin": "settings",
    "ascending": "arrow-up",
    "attachment": "paperclip",
    "back": "arrow-left",
    "clock": "clock",
    "close": "x",
    "descending": "arrow-down",
    "columns": "columns-3",
    "desk": "list-todo",
    "download": "download",
    "edit": "pencil",
    "empty": "inbox",
    "good": "circle-check",
    "import": "file-up",
    "info": "info",
    "job": "hourglass",
    "language": "languages",
    "mail": "mail",
    "member": "users",
    "menu": "menu",
    "next": "chevron-right",
    "open": "chevron-down",
    "paper": "file-text",
    "password": "key-round",
    "print": "printer",
    "reveal": "eye",
    "search": "search",
    "second-factor": "smartphone",
    "sign-out": "log-out",
    "term": "calendar-clock",
    "tree": "network",
    "union": "building-2",
    "view": "bookmark",
    "warning": "triangle-alert",
}


@register.simple_tag
@cache
def icon(meaning):
    """Draw the icon of a meaning, hidden from screen readers: a word always stands beside it."""
    return lucide(ICONS[meaning], size=18, **{"class": "icon", "aria-hidden": "true", "focusable": "false"})


@register.simple_tag(takes_context=True)
def can(context, perm, obj=None):
    """Whether the user may: `{% can "unions.change_union" union as may_change %}`."""
    return context["request"].user.has_perm(perm, obj)


@register.filter
def yuan(amount):
    """Write an amount of money as 1,234.50, in every language."""
    return f"{amount:,.2f}"


@register.simple_tag
def sort_of(table, column_name):
    """Return the address and direction by which a column's head sorts its list, or None."""
    return getattr(table, "sorts", {}).get(column_name)


@register.simple_tag
def rows_of(table):
    """Draw the rows of a list's table."""
    return columns.rows(table)


@register.filter
def day(value):
    """Write a date as people say it: 11月18日, with the year unless it is this one."""
    if value is None:
        return ""
    return date_format(
        value,
        pgettext("format of a day of this year", "F j") if value.year == timezone.localdate().year else "DATE_FORMAT",
    )


@register.filter
def weekday(value):
    """Write the weekday of a date."""
    return date_format(value, "l")


@register.filter
def nearness(value):
    """Return the colour word of a date to keep: late, soon (within a week) or rest."""
    days = (value - timezone.localdate()).days
    return "late" if days <= 0 else "soon" if days <= SOON_DAYS else "rest"


@register.filter
def days_left(value):
    """Say how far a date to keep is away: overdue, today, or so many days left."""
    days = (value - timezone.localdate()).days
    if days < 0:
        return ngettext("%(days)d day overdue", "%(days)d days overdue", -days) % {"days": -days}
    if days == 0:
        return _("due today")
    return ngettext("%(days)d day left", "%(days)d days left", days) % {"days": days}
