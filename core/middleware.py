"""What every request carries: a request id and an address, for the trail and the log."""

import contextvars
import re
import uuid

from django.conf import settings

request_id = contextvars.ContextVar("request_id", default="-")
address = contextvars.ContextVar("address", default="")


class RequestIdMiddleware:
    """Give the request an id (that of our own trusted proxy, if it sent one) and answer with it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        given = request.headers.get("X-Request-ID", "") if settings.TRUSTED_PROXIES else ""
        request.id = given if re.fullmatch(r"[0-9A-Za-z-]{8,40}", given) else uuid.uuid4().hex
        tokens = request_id.set(request.id), address.set(client_address(request))
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(tokens[0])
            address.reset(tokens[1])
        response["X-Request-ID"] = request.id
        return response


def client_address(request):
    """Return the client's address: the connection's, or the one our own trusted proxies passed on."""
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= settings.TRUSTED_PROXIES:
            return hops[-settings.TRUSTED_PROXIES][:45]
    return request.META.get("REMOTE_ADDR", "")[:45]
