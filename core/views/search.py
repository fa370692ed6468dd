"""The search page: reached from the box on every page."""

from django.shortcuts import redirect, render

from core.search import LIMIT, CannotSearch, find


def search(request):
    """Show what the box finds, or go to the page of the only exact hit.

    The text comes by POST and is answered at once, without a redirect: it may be an identity number, and must stand in
    no address, history or access log.
    """
    text = request.POST.get("q", "")
    hits, message = [], ""
    if request.method == "POST":
        try:
            hits = find(request.user, text)
        except CannotSearch as refusal:
            message = str(refusal)
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1:
        return redirect(exact[0].url)
    response = render(
        request, "search.html", {"hits": hits, "message": message, "asked": request.method == "POST", "limit": LIMIT}
    )
    response["Cache-Control"] = "no-store"
    return response
