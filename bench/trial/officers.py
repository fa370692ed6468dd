"""The officers of the trial: each reads and writes as officers do, and notes what became of every write."""

import csv
import io
import random
import re
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from urllib.parse import quote

from bench.trial.browser import Broken, Browser, NobodyThere, form_with, forms

PAUSE = 0.2  # seconds on average between two acts of one officer
IMPORT_ROWS = 5
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈褚卫", "建国秀英小明志强丽华海燕春生文博"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
SAID_AFTERWARDS = {"answer"}  # a colleague was quicker: refused on the page that the redirect leads to
MESSAGES = re.compile(r'<ul class="messages">.*?</ul>', re.DOTALL)
REFUSAL = 'class="notice late"'
ROWS = re.compile(r'href="/members/(\d+)/"')


@dataclass
class Write:
    """One write as its officer saw it: acknowledged by a redirect, refused with a sentence, or unknown."""

    act: str
    mark: str  # the request id, which its audit event carries
    outcome: str
    facts: dict = field(default_factory=dict)


class Refused(Exception):
    """The portal answered a write with a page instead of a redirect, or the page to write on was not to be had."""


class Officer(threading.Thread):
    """One signed-in officer, at work until `until` (monotonic seconds)."""

    def __init__(self, number, account, neighbour, ports, until):
        super().__init__(name=account["username"], daemon=True)
        self.number, self.account, self.neighbour, self.until = number, account, neighbour, until
        self.random = random.Random(number)
        self.samples, self.writes, self.defects = [], [], []
        self.browser = Browser(ports, f"10.1.0.{number + 1}", self.samples)
        self.sheets = []  # uploaded and not yet stored: (batch page, numbers in it)
        self.people = 0

    def run(self):
        acts = [
            (self.desk, 6), (self.members, 8), (self.member, 8), (self.search, 6), (self.unions, 5), (self.union, 4),
            (self.terms, 2), (self.inbox, 3), (self.enrol, 8), (self.edit, 6), (self.transfer, 3), (self.answer, 4),
            (self.upload, 2), (self.store, 4), (self.paper, 1), (self.jobs, 2),
        ]  # fmt: skip
        while time.monotonic() < self.until:
            try:
                self.sign_in()
                break
            except (Broken, NobodyThere):
                time.sleep(1)
        while time.monotonic() < self.until:
            [act] = self.random.choices([act for act, _weight in acts], [weight for _act, weight in acts])
            try:
                act()
            except NobodyThere:
                time.sleep(1)
            except (Broken, Refused):
                pass
            except Exception as error:  # the trial goes on, and the report names it
                self.defects.append(f"{act.__name__}: {error!r}")
            time.sleep(self.random.expovariate(1 / PAUSE))

    def facts(self):
        """What this officer saw, as JSON holds it."""
        return {"user": self.account["username"], "writes": [asdict(write) for write in self.writes]}

    # --- Reading ----------------------------------------------------------------------------------------------

    def sign_in(self):
        self.browser.get("sign-in page", "/accounts/login/")
        login = {"login": self.account["username"], "password": self.account["password"]}
        page = self.browser.post("sign in", "/accounts/login/", login)
        if page.status != 302:
            self.defects.append(f"cannot sign in: {page.status}")
            self.until = 0

    def desk(self):
        self.browser.get("desk", "/")

    def members(self):
        return self.browser.get("member list", "/members/")

    def member(self):
        if key := self.any_member():
            self.browser.get("member page", f"/members/{key}/")

    def search(self):
        self.browser.get("search", f"/search/?q={quote(self.random.choice(SURNAMES))}")

    def unions(self):
        self.browser.get("union list", "/unions/")

    def union(self):
        self.browser.get("union page", f"/unions/{self.account['union']}/")

    def terms(self):
        self.browser.get("term list", "/terms/")

    def inbox(self):
        self.browser.get("transfer list", "/transfers/")

    def jobs(self):
        self.browser.get("job list", "/jobs/")

    def any_member(self):
        found = ROWS.findall(self.members().text)
        return self.random.choice(found) if found else None

    # --- Writing ----------------------------------------------------------------------------------------------

    def write(self, act, path, fields, *, file=None, **facts):
        """Send a form and note what became of it; returns where the redirect leads."""
        name = f"{act} (write)"
        try:
            page = self.browser.post(name, path, fields, file=file)
        except Broken as broken:
            self.writes.append(Write(act, str(broken), "unknown", facts))
            raise
        outcome = "acknowledged" if page.status == 302 else "unknown" if page.status >= 500 else "refused"
        write = Write(act, page.mark, outcome, facts)
        self.writes.append(write)
        if page.status != 302:
            raise Refused
        if act in SAID_AFTERWARDS:
            write.outcome = "unknown"
            told = MESSAGES.search(self.browser.get(f"after {act}", page.location).text)
            write.outcome = "refused" if told and REFUSAL in told[0] else "acknowledged"
        return page.location

    def form(self, name, path, wanted):
        """Open a page and return the fields of its form that has the field `wanted`."""
        page = self.browser.get(name, path)
        if page.status != 200:
            raise Refused
        return form_with(page, wanted)

    def person(self):
        """A name and an identity number that nobody else in the trial has."""
        self.people += 1
        born = date(1970, 1, 1) + timedelta(days=self.people % 9000)
        body = f"210400{born:%Y%m%d}{self.number * 20 + self.people // 9000:03d}"
        total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True))
        name = self.random.choice(SURNAMES) + "".join(self.random.sample(GIVEN, 2))
        return name, body + "10X98765432"[total % 11]

    def enrol(self):
        fields = self.form("enrol form", f"/members/add/?union={self.account['union']}", "id_number")
        name, number = self.person()
        fields |= {"union": self.account["code"], "name": name, "id_number": number, "joined_on": "2024-03-05"}
        self.write("enrol", "/members/add/", fields, number=number)

    def edit(self):
        key = self.any_member()
        if key is None:
            return
        text = f"试验{self.number}-{len(self.writes)}"
        fields = self.form("edit form", f"/members/{key}/edit/", "notes") | {"notes": text}
        self.write("edit", f"/members/{key}/edit/", fields, member=int(key), notes=text)

    def transfer(self):
        key = self.any_member()
        if key is None:
            return
        fields = self.form("transfer form", f"/transfers/ask/?membership={key}", "to_union")
        fields |= {"to_union": self.neighbour["code"], "reason": "工作调动"}
        self.write("transfer", "/transfers/ask/", fields, member=int(key))

    def answer(self):
        found = re.findall(r'href="/transfers/(\d+)/"', self.browser.get("transfer list", "/transfers/").text)
        if not found:
            return
        key = self.random.choice(found)
        page = self.browser.get("transfer page", f"/transfers/{key}/")
        for _action, fields in forms(page):
            if fields.get("move") == ["accept"]:
                self.write("answer", f"/transfers/{key}/move/", fields, transfer=int(key))
                return

    def upload(self):
        people = [self.person() for _row in range(IMPORT_ROWS)]
        text = io.StringIO()
        csv.writer(text).writerows(
            [("姓名", "身份证号", "所属工会编码", "入会日期", "用工形式")]
            + [(name, number, self.account["code"], "2023-05-04", "劳动合同") for name, number in people]
        )
        numbers = [number for _name, number in people]
        file = ("file", f"试验{self.number}-{self.people}.csv", text.getvalue().encode())
        self.sheets.append((self.write("upload", "/imports/new/members/", {}, file=file, numbers=numbers), numbers))

    def store(self):
        if not self.sheets:
            return
        address, numbers = self.sheets[0]
        page = self.browser.get("import page", address)
        if any(action == f"{address}commit/" for action, _fields in forms(page)):
            self.write("store", f"{address}commit/", {}, batch=int(address.split("/")[2]), numbers=numbers)
            self.sheets.pop(0)

    def paper(self):
        fields = self.form("paper form", f"/papers/ask/roll/?union={self.account['union']}", "code")
        fields |= {"union": self.account["union"]}
        self.browser.get("job page", self.write("paper", "/papers/ask/roll/", fields))
