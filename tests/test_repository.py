"""Habits the whole repository keeps: writes stand where they belong, templates and messages are complete."""

import ast
import gettext
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("core", "unions", "members", "assistance", "config")

# Modules that own set-based writes; everything else goes through their functions (design §3).
OWNERS_OF_WRITES = {
    "assistance/households.py",
    "assistance/demo.py",
    "assistance/matching.py",
    "core/audit.py",
    "core/deadlines.py",
    "core/digests.py",
    "core/drafts.py",
    "core/examination.py",
    "core/exports.py",
    "core/health.py",
    "core/ids.py",
    "core/imports.py",
    "core/jobs.py",
    "core/loader.py",
    "core/papers.py",
    "core/reminders.py",
    "core/retention.py",
    "core/saved_views.py",
    "core/signin.py",
    "core/uploads.py",
    "members/actions.py",
    "members/candidates.py",
    "members/erasure.py",
    "members/imports.py",
    "members/management/commands/seed_demo.py",
    "members/merging.py",
    "members/reorganising.py",
    "members/seeding.py",
    "members/staging.py",
    "members/suffixes.py",
    "unions/actions.py",
    "unions/imports.py",
    "unions/tree.py",
}
SET_BASED = re.compile(r"^(update|delete|update_or_create|bulk_create|bulk_update|aupdate|adelete)$")


def our_modules():
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path


def writes_in(tree):
    """Yield (line, call) of every method call that looks like a set-based write or a deletion of rows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and SET_BASED.match(node.func.attr):
            # `facts.update(...)`, `seen.update(...)` on a plain name are dicts and sets; rows are reached by a manager
            # or a chain of calls.
            if node.func.attr == "update" and isinstance(node.func.value, ast.Name | ast.Attribute):
                continue
            yield node.lineno, node.func.attr


def test_set_based_writes_stand_in_the_modules_that_own_them():
    strays = [
        f"{name}:{line} .{call}("
        for name, path in our_modules()
        if name not in OWNERS_OF_WRITES
        for line, call in writes_in(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert strays == []


@pytest.mark.parametrize(
    ("name", "path"), list(our_modules()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_module_opens_with_a_sentence_on_what_it_is_for(name, path):
    source = path.read_text(encoding="utf-8")
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), f"{name} has no docstring"


def unescaped(text):
    return ast.literal_eval(f'"{text}"')


def messages(path):
    """Return [(msgid, msgstr texts, flags)] of a .po file, the header left out."""
    entries, current, key, flags, context = [], None, None, set(), ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("#~"):
            continue
        if line.startswith("#,"):
            flags = {flag.strip() for flag in line[2:].split(",")}
        elif match := re.match(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) "(.*)"$', line):
            key, text = match.groups()
            if key == "msgid":
                current = {"flags": flags, "msgid": "", "msgstr": [], "plural": False, "context": context}
                entries.append(current)
                flags, context = set(), ""
            elif key == "msgctxt":
                context = text
            if key.startswith("msgstr"):
                current["msgstr"].append(text)
            elif key == "msgid":
                current["msgid"] = text
            elif key == "msgid_plural":
                current["plural"] = True
        elif match := re.match(r'"(.*)"$', line):
            if key and key.startswith("msgstr"):
                current["msgstr"][-1] += match.group(1)
            elif key == "msgid":
                current["msgid"] += match.group(1)
    return [entry for entry in entries if entry["msgid"]]


PO = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def test_every_message_has_a_chinese_translation():
    untranslated = [entry["msgid"] for entry in messages(PO) if not all(entry["msgstr"]) or not entry["msgstr"]]
    assert untranslated == []


def test_no_translation_is_fuzzy():
    assert [entry["msgid"] for entry in messages(PO) if "fuzzy" in entry["flags"]] == []


def placeholders(text):
    return sorted(re.findall(r"%\(\w+\)[sd]|%[sd]|\{\w*\}", text))


def test_a_translation_keeps_the_placeholders_of_its_message():
    broken = [
        entry["msgid"]
        for entry in messages(PO)
        if any(placeholders(text) != placeholders(entry["msgid"]) for text in entry["msgstr"])
        and "%(" in entry["msgid"] + "".join(entry["msgstr"])
    ]
    assert broken == []


def test_compiled_messages_are_those_of_the_source():
    """The compiled file is kept in the repository (set-up needs no gettext): it must say what the source says."""
    with PO.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        entry["msgid"]
        for entry in messages(PO)
        if not entry["plural"]
        and not entry["context"]
        and compiled.gettext(unescaped(entry["msgid"])) != unescaped(entry["msgstr"][0])
    ]
    assert stale == []
