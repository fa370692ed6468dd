"""The search page, reached from the box on every page, and the list under the box while somebody types."""

from django.shortcuts import redirect, render

from core.search import LIMIT, CannotSearch, find


def search(request):
    """Show what the box finds, or go to the page of the only exact hit.

    The text comes by POST and is answered at once, without a redirect: it may be an identity number, and must stand in
    no address, history or access log. A name or code stays in the box; what may be a person's number is not repeated.
    """
    text = request.POST.get("q", "")
    personal = sum(character.isdigit() for character in text) >= 10
    found, message = [], ""
    if request.method == "POST":
        try:
            found = find(request.user, text)
        except CannotSearch as refusal:
            message = str(refusal)
    exact = [hit for kind in found for hit in kind.hits if hit.exact]
    if len(exact) == 1 and not request.htmx:
        return redirect(exact[0].url)
    context = {"found": found, "message": message, "asked": request.method == "POST", "limit": LIMIT}
    template = "parts/search_list.html" if request.htmx else "search.html"
    response = render(request, template, context | {"sought": "" if personal else text})
    response["Cache-Control"] = "no-store"
    return response
