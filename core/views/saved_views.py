"""What a user does with saved views: keep one, delete one, let one open by default. All from the list itself."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from core import saved_views
from core.models import SavedView


@require_POST
def saved_view_save(request):
    """Keep the list as it is shown under a name."""
    page, query = request.POST.get("page", ""), request.POST.get("query", "")
    back = f"{reverse(page)}?{query}" if saved_views.list_at(page, request.user) else reverse("desk")
    try:
        view, left_out = saved_views.save(
            by=request.user,
            page=page,
            name=request.POST.get("name", ""),
            query=query,
            default="default" in request.POST,
        )
    except ValidationError as refusal:
        messages.error(request, refusal.messages[0])
        return redirect(back)
    messages.success(request, _("The view «%(name)s» is saved.") % {"name": view.name})
    if left_out:
        messages.info(request, _("Without the typed text: what is typed is not kept."))
    return redirect(f"{reverse(page)}?{view.query}")


def the_view(request, pk):
    return get_object_or_404(SavedView, user=request.user, pk=pk)


@require_POST
def saved_view_default(request, savedview_pk):
    """Let a view open by default, or no longer."""
    view = the_view(request, savedview_pk)
    saved_views.set_default(view, default=not view.is_default)
    return redirect(f"{reverse(view.page)}?{view.query}")


@require_POST
def saved_view_delete(request, savedview_pk):
    """Delete a view; the list stays as it is."""
    view = the_view(request, savedview_pk)
    saved_views.forget(view)
    messages.success(request, _("The view «%(name)s» is deleted.") % {"name": view.name})
    return redirect(f"{reverse(view.page)}?{view.query}")
