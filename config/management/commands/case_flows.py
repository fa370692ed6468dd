"""`manage.py case_flows`: draw docs/case-flows.md from the tables of moves; `--check` fails when it is stale."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from core.cases import case_models
from unions.roles import GRANTS

PAGE = Path(settings.BASE_DIR) / "docs" / "case-flows.md"
HEAD = """# Case flows

Drawn by `manage.py case_flows` from the `MOVES` of each model; a test keeps it current. How cases work:
[decision](adr/0009-cases.md).
"""


class Command(BaseCommand):
    requires_system_checks = []
    help = "Draw docs/case-flows.md from the tables of moves."

    def add_arguments(self, parser):
        parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is stale")

    def handle(self, *, check, **options):
        text = page()
        if not check:
            PAGE.write_text(text, encoding="utf-8")
        elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            raise CommandError("docs/case-flows.md is stale: run `manage.py case_flows`.")


def page():
    """The whole page as text."""
    with translation.override("en"):
        return "\n".join([HEAD, *(_flow(model) for model in case_models())])


def _flow(model):
    meta = model._meta
    states = dict(meta.get_field("state").choices)
    moves = [(move, source, target) for move in model.MOVES for source in move.sources for target in move.targets]
    lines = [f"## {str(meta.verbose_name).capitalize()}", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {state}: {label}" for state, label in states.items()]
    lines += [f"    [*] --> {meta.get_field('state').default}"]
    lines += [f"    {source} --> {target}: {move.label}" for move, source, target in moves]
    left = {source for _move, source, _target in moves}
    lines += [f"    {state} --> [*]" for state in states if state not in left]
    lines += ["```", "", "| move | from | to | who may | reason |", "|---|---|---|---|---|"]
    lines += [_row(move, states) for move in model.MOVES]
    return "\n".join([*lines, ""])


def _row(move, states):
    sources, targets = (", ".join(str(states[state]) for state in group) for group in (move.sources, move.targets))
    roles = ", ".join(str(role.label) for role in GRANTS.values() if move.permission in role.permissions)
    place = "" if move.at == "union" else f" of the {move.at.replace('_', ' ')}"
    who = f"{roles}{place} (`{move.permission}`)" if move.permission else "no person: another action makes it"
    return f"| {move.label} | {sources} | {targets} | {who} | {'needed' if move.reason_required else '—'} |"
