"""A browser as small as the trial needs: cookies, forms, and several addresses that serve the same portal.

What becomes of a request is told apart sharply, because it decides what the database may hold afterwards.
"""

import http.client
import itertools
import time
import uuid
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

TIMEOUT = 60  # seconds; gunicorn itself gives a request up after 30


class Broken(Exception):
    """The connection broke after the request was sent: whether it was done is not known."""


class NobodyThere(Exception):
    """No address accepted the connection: the request was never sent."""


@dataclass(frozen=True)
class Page:
    """An answer: status, where it leads if it is a redirect, its text, and the request id it was sent with."""

    status: int
    location: str
    text: str
    mark: str


@dataclass(frozen=True)
class Sample:
    """One request as it was measured: when it began and ended (monotonic seconds), what it was, what came back."""

    name: str
    began: float
    seconds: float
    kind: str  # a status, «broken», or «nobody there»
    port: int


class Browser:
    """One officer's browser; asks the addresses in turn, and the next one where nobody accepts the connection."""

    def __init__(self, ports, address, samples):
        self.ports, self.turn = ports, itertools.count(hash(address))
        self.address, self.samples = address, samples
        self.cookies = {}

    def get(self, name, path):
        return self._ask(name, "GET", path)

    def post(self, name, path, fields, *, file=None):
        """Send a form: `fields` {name: value or list}, `file` (field, file name, bytes)."""
        fields = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", ""), **fields}
        if file is None:
            return self._ask(
                name, "POST", path, urlencode(fields, doseq=True).encode(), "application/x-www-form-urlencoded"
            )
        boundary = uuid.uuid4().hex
        return self._ask(
            name, "POST", path, _multipart(boundary, fields, file), f"multipart/form-data; boundary={boundary}"
        )

    def _ask(self, name, method, path, body=None, content_type=""):
        mark = uuid.uuid4().hex
        headers = {
            "Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items()),
            "Accept-Language": "zh-hans",
            "X-Request-ID": mark,
            "X-Forwarded-For": self.address,
        }
        if content_type:
            headers["Content-Type"] = content_type
        first = next(self.turn)
        began = time.monotonic()
        for step in range(len(self.ports)):
            port = self.ports[(first + step) % len(self.ports)]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
            try:
                connection.connect()
            except OSError:
                continue
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read().decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                self._note(name, began, "broken", port)
                raise Broken(mark) from error
            finally:
                connection.close()
            self._note(name, began, str(answer.status), port)
            for line in answer.headers.get_all("Set-Cookie", []):
                self.cookies |= {key: morsel.value for key, morsel in SimpleCookie(line).items()}
            return Page(answer.status, answer.headers.get("Location", ""), text, mark)
        self._note(name, began, "nobody there", 0)
        raise NobodyThere(mark)

    def _note(self, name, began, kind, port):
        self.samples.append(Sample(name, began, time.monotonic() - began, kind, port))


def _multipart(boundary, fields, file):
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    field, name, content = file
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    parts.append(f"{head}Content-Type: text/csv\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


class _Forms(HTMLParser):
    """Collects the forms of a page: [(action, {field: [values]})], each as the browser would send it untouched."""

    def __init__(self):
        super().__init__()
        self.forms, self._fields, self._select, self._area = [], None, "", ""

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        name, value = facts.get("name") or "", facts.get("value") or ""
        if tag == "form":
            self._fields = {}
            self.forms.append((urlsplit(facts.get("action") or "").path, self._fields))
        elif self._fields is None:
            return
        elif tag == "input" and name and facts.get("type") not in ("submit", "button", "file"):
            if facts.get("type") in ("checkbox", "radio") and "checked" not in facts:
                return
            self._fields.setdefault(name, []).append(value or ("on" if facts.get("type") == "checkbox" else ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in facts or self._select not in self._fields):
            self._fields[self._select] = [value]
        elif tag == "textarea":
            self._area = name
            self._fields[name] = [""]

    def handle_endtag(self, tag):
        if tag == "form":
            self._fields = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data):
        if self._area and self._fields is not None:
            self._fields[self._area] = [self._fields[self._area][0] + data]


def forms(page):
    """Return [(action's path, {field: [values]})] of the forms on a page, in order."""
    reader = _Forms()
    reader.feed(page.text)
    return reader.forms


def form_with(page, field):
    """Return the fields of the first form of `page` that has `field`. Raises LookupError."""
    for _action, fields in forms(page):
        if field in fields:
            return fields
    raise LookupError(f"no form with {field}")
