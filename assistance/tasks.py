"""What workers do for hardship assistance: each task calls one action."""

from assistance import matching
from core import jobs


@jobs.job_task(matching.READ, failed=matching.answer_failed)
def read_answer(run):
    """Read the answer of civil affairs to a list."""
    matching.read_answer(run)
