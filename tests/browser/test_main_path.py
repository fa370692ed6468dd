"""The main path, as a cadre walks it: import the register, look at the problems, store, find a member, print the roll.

Real broker, real worker, real browser. Nobody reloads: the pages renew themselves while the worker works.
"""

import openpyxl
import pytest
from django.urls import reverse
from pypdf import PdfReader

from tests import cast
from tests.browser.conftest import axe
from tests.members.people import number
from tests.workers import broker, workers  # noqa: F401 fixtures

REGISTER = [
    ("云河市基层工会会员实名制登记名册",),
    ("填报单位：（盖章）", "", "", "填报日期：2026年11月"),
    ("序号", "姓  名", "性别", "身份证号码", "手机号码", "所属工会编码", "入会时间", "用工形式"),
    (1, "陈堃", "男", number(1), "13912345678", "T0101001", "2019年3月5日", "合同工"),
    (2, "李喆", "", number(2), "1391234", "T0101001", "2020/7/1", "劳务派遣"),
    (3, "王芳", "", "210400198503070018", "", "T0101001", "2020-07-01", ""),
    (4, "周𬭎", "", number(3), "", "T0201001", "2020-07-01", ""),
    ("合计", 4),
]


@pytest.fixture
def register(tmp_path):
    workbook = openpyxl.Workbook()
    for row in REGISTER:
        workbook.active.append(row)
    workbook.save(tmp_path / "名册.xlsx")
    return tmp_path / "名册.xlsx"


@pytest.mark.worker
def test_cadre_imports_the_register_finds_a_member_and_prints_the_roll(
    street,
    register,
    tmp_path,
    open_as,
    shoot,
    workers,  # noqa: F811
):
    workers.start()
    page = open_as(None)
    page.goto("/")
    page.fill("[name=login]", "street")
    page.fill("[name=password]", cast.PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".me").wait_for()

    page.goto(reverse("import_new", args=["members"]))
    page.set_input_files("[name=file]", register)
    page.get_by_role("button", name="读取", exact=False).click()
    store = page.get_by_role("button", name="保存", exact=False)
    store.wait_for(timeout=60_000)
    axe(page)
    shoot(page, "preview")
    shown = page.locator("main").inner_text()
    assert "校验位" in shown  # row 6: what is wrong and what to do
    assert number(1) not in page.content()
    assert "T0201001" in shown  # a union of others: not its name
    assert "东山纺织" not in shown
    store.click()
    page.get_by_text("2 行", exact=False).first.wait_for(timeout=60_000)

    page.keyboard.press("/")
    page.keyboard.type("陈堃")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="陈堃").wait_for()
    assert "周" not in page.locator("main").inner_text()

    page.goto(reverse("paper_ask", args=["roll"]))
    page.get_by_label("工会编码").fill("T0101001")
    page.get_by_role("button", name="出具", exact=True).click()
    page.get_by_role("link", name="查看结果").click(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 PDF").click()
    download.value.save_as(tmp_path / "roll.pdf")
    text = "".join(sheet.extract_text() for sheet in PdfReader(tmp_path / "roll.pdf").pages)
    squeezed = "".join(text.split())
    assert "陈堃" in squeezed
    assert "李喆" in squeezed
    assert "周" not in squeezed
