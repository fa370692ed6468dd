"""Every message of the source stands in the Chinese catalogue, and none there that the source no longer has.

Found without gettext's tools, so that every run of the tests looks, not only a machine that has them.
"""

import ast
import re

from django.utils.translation.template import templatize

from tests.test_repository import APPS, PO, ROOT, messages, our_modules, unescaped

NAMES = re.compile(r"(?:n|p|np)?gettext(?:_lazy|_noop)?|_")
STRING = r"""(?:u?"(?:[^"\\]|\\.)*"|u?'(?:[^'\\]|\\.)*')"""
CALL = re.compile(rf"\b(?:(n?p?)gettext|_)\(((?:\s*{STRING}\s*,?)+)")


def of_call(prefix, texts):
    """Return the msgid among the constant arguments of a call: after the context, if there is one."""
    return texts[1 if prefix.endswith("p") else 0]


def in_modules():
    """Yield each msgid of the Python modules."""
    for _name, path in our_modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and NAMES.fullmatch(ast.unparse(node.func).rpartition(".")[2]):
                texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                if texts and isinstance(texts[0], str):
                    yield of_call(ast.unparse(node.func).rpartition(".")[2].partition("gettext")[0], texts)


def in_template(source, origin=None):
    """Yield each msgid of a template, as Django's own makemessages sees it."""
    for prefix, arguments in CALL.findall(templatize(source, origin=origin)):
        yield of_call(prefix, [ast.literal_eval(text) for text in re.findall(STRING, arguments)])


def in_templates():
    """Yield each msgid of all templates."""
    for folder in (ROOT / "templates", *(ROOT / app / "templates" for app in APPS)):
        for path in sorted(folder.rglob("*.*")):
            yield from in_template(path.read_text(encoding="utf-8"), str(path))


def test_the_catalogue_holds_the_messages_of_the_source():
    catalogue = {unescaped(entry["msgid"]) for entry in messages(PO)}
    source = {*in_modules(), *in_templates()}
    assert len(source) > 100
    assert sorted(source - catalogue) == []
    assert sorted(catalogue - source) == []


def test_a_message_is_found_in_each_way_of_writing_it():
    page = (
        '{% translate "One" %}{{ _("Two") }}{% translate "Three" context "month" %}'
        "{% blocktranslate count n=3 %}a {{ n }}{% plural %}b {{ n }}{% endblocktranslate %}"
    )
    assert list(in_template(page)) == ["One", "Two", "Three", "a %(n)s"]
