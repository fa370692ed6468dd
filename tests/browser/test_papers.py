"""A paper from asking to its public page, in a real browser, wide and narrow."""

import pytest
from django.urls import reverse

from core import jobs, papers
from core.models import Job, Paper
from tests.browser.conftest import SIZES, axe
from tests.core.test_papers import enrol


@pytest.mark.parametrize("width", SIZES)
def test_paper_from_asking_to_its_public_page(width, tree, city, open_as, shoot):
    enrol(tree.enterprise, 3, name="王𣈱{:04d}")
    page = open_as(city, width=width)
    page.goto(reverse("paper_ask", args=["roll"]))
    axe(page)
    shoot(page, "paper-ask")
    page.get_by_label("工会编码").fill("T0101001")
    page.get_by_role("button", name="出具", exact=True).click()

    paper = Paper.objects.get()
    assert page.url.endswith(reverse("job_page", args=[paper.job_id]))
    jobs.step_now(paper.job)
    Job.objects.filter(pk=paper.job_id).update(done=1)
    page.get_by_text("已完成 1，共 3").wait_for()  # the page renews itself
    assert page.locator("#job .badge").inner_text() == "进行中"
    axe(page)
    shoot(page, "job-running")
    papers.make_now(paper)
    page.get_by_role("link", name="查看结果").click()

    axe(page)
    shoot(page, "paper-page")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 PDF").click()
    paper.refresh_from_db()
    assert download.value.suggested_filename == f"{paper.number} {paper.title}.pdf"

    outside = open_as(None, width=width)
    outside.goto(reverse("paper_public", args=[paper.token]))
    axe(outside)
    shoot(outside, "paper-public")
    page.get_by_label("原因").fill("印错了日期")
    page.get_by_role("button", name="作废这份文书").click()
    page.get_by_text("印错了日期").wait_for()
    axe(page)
    shoot(page, "paper-revoked")
    outside.reload()
    assert outside.locator("h1").inner_text() == "这份文书已作废"
    axe(outside)
    shoot(outside, "paper-void")


def test_job_page_without_scripts_has_a_link_to_reload(tree, city, open_as):
    enrol(tree.enterprise, 3)
    paper = papers.ask("roll", union=tree.enterprise, by=city)
    page = open_as(city, scripts=False)
    page.goto(reverse("job_page", args=[paper.job_id]))
    papers.make_now(paper)
    page.get_by_role("link", name="刷新").click()
    assert page.get_by_role("link", name="查看结果").is_visible()
