"""Where a page keeps and drops the draft of its form; see core.drafts."""

import json
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.http import JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from core import drafts


@require_POST
def draft_save(request):
    """Keep {"user", "form": path, "fields": {field: [values]}}; answer {"saved": time} or {"refused": sentence}.

    `user` is whose page it is: when somebody else has signed in meanwhile, in another tab, the answer is 403.
    """
    try:
        said = json.loads(request.body)
        if said["user"] != str(request.user.pk):
            return JsonResponse({}, status=403)
        draft = drafts.keep(request.user, str(said["form"]), said["fields"])
    except (ValueError, KeyError, TypeError, RecursionError):  # the last: nested without end
        return JsonResponse({"refused": _("This draft cannot be read: it is not kept.")})
    except ValidationError as refusal:
        return JsonResponse({"refused": refusal.message})
    return JsonResponse({"saved": f"{timezone.localtime(draft.saved_at):%H:%M}"})


@require_POST
def draft_discard(request):
    """Drop the draft of the form at the address `form`, and open that form empty."""
    address = request.POST.get("form", "")
    try:
        path = urlsplit(address).path
    except ValueError:
        return redirect("desk")
    if not address.startswith("/") or address.startswith("//") or not drafts.has_form(request.user, path):
        return redirect("desk")
    drafts.drop(request.user, path)
    return redirect(address)
