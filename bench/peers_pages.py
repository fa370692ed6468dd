"""The usual ways of showing pages: Django's own admin over the same table, stock and tuned, and a plain empty page.

Run under `bench.plain_settings`. Stock is what the tutorial leads to: columns, a filter by state and one by union, a
search box. Tuned is what the documentation and every article on large tables advise: related rows joined, no second
full count, no filter that lists ten thousand unions, filters by choices only, the order of the primary key, and as
many rows a page as ours. It still counts once, for its page numbers: that is Django's paginator.
"""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path

from members.models import Membership

COLUMNS = ("person", "id_masked", "phone_masked", "sex", "born_on", "union", "employment", "joined_on", "state")


class StockAdmin(admin.ModelAdmin):
    list_display = COLUMNS
    list_filter = ("state", "union")
    search_fields = ("person__name",)

    def id_masked(self, membership):
        return membership.person.id_masked

    def phone_masked(self, membership):
        return membership.person.phone_masked

    def sex(self, membership):
        return membership.person.get_sex_display()

    def born_on(self, membership):
        return membership.person.born_on


class TunedAdmin(StockAdmin):
    list_select_related = ("person", "union")
    list_filter = ("state",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ("-pk",)
    search_fields = ("person__name__startswith",)


def site(name, model_admin):
    """An admin of its own with the one table."""
    made = admin.AdminSite(name=name)
    made.register(Membership, model_admin)
    return made


EMPTY = Template("<!doctype html><title>Empty</title><p>{{ user.username }}</p>")


@login_required
def empty(request):
    """A page with nothing on it but who is signed in: session and account are read, one template is rendered."""
    return HttpResponse(EMPTY.render(Context({"user": request.user})))


urlpatterns = [
    path("stock/", site("stock", StockAdmin).urls),
    path("tuned/", site("tuned", TunedAdmin).urls),
    path("empty/", empty),
]
