"""Drawing papers: HTML to PDF with the two packaged faces only, text measured and laid on pages, slices joined.

Nothing outside is read: no network, no host fonts. WeasyPrint is imported when the first page is drawn, because it
costs a second and only workers need it. Text is broken into lines here, by the faces' own widths, so that the number of
rows on a page is reckoned before it is drawn.
"""

import gc
import io
import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

import segno
from django.conf import settings
from django.template.loader import render_to_string
from pylopdf_fonts_zh_cn import sans_path, serif_path

FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""
ATTEMPTS = 4  # to lay the rows of a slice, each with a little less room than before
TIGHTER = 8.0  # mm
STAMPED_AT_ONCE = 300  # pages whose numbers are drawn together
BLANKS = dict.fromkeys(map(ord, "\t\r\n"), " ")
GLYPH = re.compile(rb"<([0-9a-f]{4})> <([0-9a-f]+)>")  # a line of a ToUnicode map: glyph, text in UTF-16
# A digit looks otherwise by itself, among Latin letters and among Chinese characters: what a run of text may hold.
RUNS = (lambda text: not text.isalpha(), lambda text: not text.isalpha() or text < "⺀", lambda text: True)
NO_LINE_BEGINS_WITH = frozenset("，。、；：？！）〕》」』”’·…")


# --- Characters ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _widths():
    """{code point: width in em} of the serif face, and what only the sans face has."""
    from fontTools.ttLib import TTFont

    widths = {}
    for path in (sans_path(), serif_path()):
        with TTFont(path, lazy=True) as face:
            per_em, advances = face["head"].unitsPerEm, face["hmtx"]
            widths |= {code: advances[glyph][0] / per_em for code, glyph in face.getBestCmap().items()}
    return widths


def missing(text):
    """Return the characters of `text` that no face covers, sorted."""
    widths = _widths()
    return sorted(char for char in set(text) if ord(char) not in widths and char not in "\t\r\n")


def printable(text):
    """Return `text` with every character that no face covers written as its code point: 〔U+23231〕."""
    return text.translate({ord(char): _written(char) for char in missing(text)})


def wrap(text, ems):
    """Break `text` into the lines it takes in a width of `ems` em; nothing is lost, at least one line is returned.

    A character that no face covers is left in place, for `pdf` to write and to report; room is kept for that.
    """
    lines, line, used = [], "", 0.0
    for char in text.translate(BLANKS):
        width = _width(char)
        if line and used + width > ems:
            carried = _carried(line, char)
            lines.append(line.removesuffix(carried))
            line, used = carried, sum(map(_width, carried))
        line, used = line + char, used + width
    return [*lines, line]


def _carried(line, char):
    """What goes with `char` to the next line: a word begun, or the character before a mark that begins no line."""
    if char in NO_LINE_BEGINS_WITH and len(line) > 1:
        return line[-1]
    word = line.rpartition(" ")[2]
    return word if char.isascii() and char != " " and word.isascii() and word != line else ""


def _written(char):
    return f"〔U+{ord(char):04X}〕"


def _width(char):
    """The width of `char` in em, as it will be printed."""
    widths = _widths()
    if ord(char) in widths:
        return widths[ord(char)]
    return sum(widths[ord(each)] for each in _written(char))


# --- Rows on pages ---------------------------------------------------------------------------------------------


@dataclass
class Part:
    """What stands on one page of one group: its rows, and whether the group began on an earlier page."""

    group: object
    continued: bool
    rows: list = field(default_factory=list)


class Pager:
    """Lays rows under group heads on pages. All heights are millimetres.

    `first_room` and `room` are what the rows have on the first and on every other page. A head never stands alone at
    the foot of a page; a group that goes on has its head again. `going_on`: the group that began before these pages.
    """

    def __init__(self, *, first_room, room, going_on=None):
        self.room = room
        self.left = first_room
        self.pages = [[]]
        self.last_group = going_on

    def place(self, group, row, *, height, head=0.0):
        """Put `row` of `group` on the page it fits on."""
        page = self.pages[-1]
        opens = not page or page[-1].group != group
        if page and height + (head if opens else 0) > self.left:
            page, opens, self.left = [], True, self.room
            self.pages.append(page)
        if opens:
            page.append(Part(group, group == self.last_group))
            self.left -= head
        self.last_group = group
        page[-1].rows.append(row)
        self.left -= height


def cut(pages, most):
    """Cut laid `pages` into slices of whole pages with at most `most` rows; yields each slice's `Part`s.

    What stands on several pages of a slice comes as one part: laid again, it falls on the same pages.
    """
    parts, rows = [], 0
    for page in pages:
        here = sum(len(part.rows) for part in page)
        if rows and rows + here > most:
            yield parts
            parts, rows = [], 0
        for part in page:
            if parts and parts[-1].group == part.group:
                parts[-1].rows.extend(part.rows)
            else:
                parts.append(Part(part.group, part.continued, list(part.rows)))
        rows += here
    if parts:
        yield parts


# --- The sheet: A4 upright, as papers/paper.css draws it. Millimetres. ---------------------------------------------

ROW, ROW_LINE = 8.2, 4.6  # a row of one line; each further line
TOP, BODY, WIDTH = 23.0, 227.0, 168  # the upper margin; from there to the lower one; between those at the sides
TITLE_LINE, NUMBER = 9.0, 14.0
FACTS, FACTS_LINE = 7.0, 5.2
HEAD, RULE = 7.6, 0.25
TITLE_EMS, FACTS_EMS = 24.5, 27.0  # what a line of the title, and of the words left above the table, holds


def row_height(*cells):
    """The height of a row whose cells are lists of lines."""
    return round(ROW + (max(map(len, cells)) - 1) * ROW_LINE, 1)


def rooms(title, words, less=0.0):
    """(room for rows on the first page, room on every other): what title, words, head and page subtotal leave."""
    room = BODY - FACTS - (len(wrap(words, FACTS_EMS)) - 1) * FACTS_LINE - HEAD - ROW - less
    return room - len(wrap(title, TITLE_EMS)) * TITLE_LINE - NUMBER, room


def rules(columns, rows):
    """The rules of a table as one drawing: {"path": an SVG path, "height": of the table}.

    `columns` are their widths; a row is (its height, how many columns each of its cells takes). One drawing a page is
    a fifth of the time, and of the file, that two borders a cell would cost.
    """
    edges = [RULE, *accumulate(columns)]
    width, begun, y = edges[-1], {}, 0.0
    lines = [f"M0 {RULE / 2}H{width}"]
    for height, spans in rows:
        here = {0, *accumulate(spans)}
        lines += [f"M{edges[edge] - RULE / 2:g} {begun.pop(edge):g}V{y:g}" for edge in sorted(begun.keys() - here)]
        begun |= dict.fromkeys(here - begun.keys(), y)
        y += height
        lines.append(f"M0 {y - RULE / 2:g}H{width}")
    lines += [f"M{edges[edge] - RULE / 2:g} {top:g}V{y:g}" for edge, top in sorted(begun.items())]
    return {"path": "".join(lines), "height": round(y, 2)}


def number_top(title_lines):
    """How far from the top of the first sheet the line with the number stands."""
    return TOP + len(title_lines) * TITLE_LINE + 2.5


# --- HTML to PDF -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _weasyprint():
    """Import WeasyPrint with a fontconfig that knows the packaged faces only."""
    folder = settings.VAR_DIR / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "fonts.conf"
    text = FONTS_CONF.format(fonts=serif_path().parent, cache=folder / "cache")
    if not conf.exists() or conf.read_text() != text:
        draft = conf.with_suffix(f".{os.getpid()}")
        draft.write_text(text)
        draft.replace(conf)
    os.environ["FONTCONFIG_FILE"] = str(conf)
    import weasyprint

    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    return weasyprint


@lru_cache(maxsize=1)
def _paper_html():
    """WeasyPrint's HTML, with papers/agent.css in the place of its own style sheet for everything on the web.

    That one gives every cell six pseudo-elements, for notes and markers, which papers have not: a tenth of the time.
    """
    weasyprint = _weasyprint()
    sheet = weasyprint.CSS(string=render_to_string("papers/agent.css"))

    class PaperHTML(weasyprint.HTML):
        def _ua_stylesheets(self, forms=False):
            return [sheet]

    return PaperHTML


def warm():
    """Load what drawing needs, once for all children that a worker process begins afterwards: they share it.

    Where Pango is missing nothing is loaded; whoever asks for a paper is told.
    """
    try:
        _paper_html()
    except OSError:
        return
    _widths()
    gc.collect()
    gc.freeze()  # what is there now stays: no later look for garbage goes through it


@contextmanager
def _collecting_once():
    """Look for garbage at the end only: the objects of a drawing live until then, and are many."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
        gc.collect()


def refuse(url, *args, **kwargs):
    """The fetcher of papers: everything a page needs lies in its HTML."""
    raise ValueError(f"A paper reads nothing from outside: {url[:80]}")


def pdf(template, context):
    """Draw `template` with `context`. Returns (PDF as bytes, number of pages, characters that no face covers)."""
    html = render_to_string(template, context)
    document = _paper_html()(string=printable(html), url_fetcher=refuse).render()
    return document.write_pdf(), len(document.pages), missing(html)


def fitting_pdf(template, lay):
    """Draw the pages that `lay(less)` returns as the context of `template`; returns as `pdf`.

    Should a page not hold its rows after all, they are laid again with less room: `less` is that, in mm. If nothing
    helps, the row that is higher than a page runs on to the next.
    """
    for attempt in range(ATTEMPTS):
        context = lay(attempt * TIGHTER)
        with _collecting_once():
            content, pages, uncovered = pdf(template, context)
        if pages == len(context["pages"]):
            break
    return content, pages, uncovered


def qr_code(address):
    """Return a QR code as inline SVG without a border."""
    return segno.make(address, error="m", micro=False).svg_inline(
        border=0, omitsize=True, svgclass=None, lineclass=None
    )


# --- The slices of a paper become one --------------------------------------------------------------------------


@_collecting_once()
def join(slices, target, *, title, stamp):
    """Write the PDFs at the paths `slices` as one to the open binary file `target`, stamped; returns its pages' number.

    `stamp` is the context of `papers/stamp.html`, which draws what stands on every page (the first page's own, then the
    other pages'). The page numbers «第 x 页　共 y 页» are drawn here, when the total is known. The subsets of the faces
    that the slices have are exchanged for one that serves them all.
    """
    import pikepdf

    with pikepdf.new() as whole:
        for path in slices:
            with pikepdf.open(path) as part:
                whole.pages.extend(part.pages)
        total, fonts = len(whole.pages), _fonts(whole)
        batches = [
            range(start, min(start + STAMPED_AT_ONCE, total + 1)) for start in range(1, total + 1, STAMPED_AT_ONCE)
        ]
        context = {**stamp, "total": total, "numbers": batches[0], "faces": _faces(fonts)}
        with _drawn("papers/stamp.html", context) as stamps:
            _share_faces(whole, fonts, stamps)
            first, rest, *numbers = (
                whole.copy_foreign(page.as_form_xobject()) for page in stamps.pages[: 2 + len(batches[0])]
            )
        for number, page in enumerate(whole.pages):
            page.contents_add(b"q\n", prepend=True)
            _lay_over(page, rest if number else first, before=b"Q\n")
        for page, form in zip(whole.pages[: len(numbers)], numbers, strict=True):
            _lay_over(page, form)
        for batch in batches[1:]:
            with _drawn("papers/page_numbers.html", {"numbers": batch, "total": total}) as stamps:
                for number, page in zip(batch, stamps.pages, strict=True):
                    _lay_over(whole.pages[number - 1], whole.copy_foreign(page.as_form_xobject()))
        with whole.open_metadata(set_pikepdf_as_editor=False) as metadata:
            metadata["dc:title"] = title
            metadata["dc:language"] = ["zh-CN"]
        whole.Root.Lang = pikepdf.String("zh-CN")
        whole.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True)
        whole.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return total


@contextmanager
def _drawn(template, context):
    """The PDF that `template` draws, opened with pikepdf."""
    import pikepdf

    with pikepdf.open(io.BytesIO(pdf(template, context)[0])) as drawn:
        yield drawn


# --- One subset of each face ---------------------------------------------------------------------------------------


def _fonts(whole):
    """(dictionary, key) of every font that the PDF `whole` prints with; the pages of a slice share theirs."""
    shared = {page.obj.Resources.objgen: page.obj.Resources.get("/Font", {}) for page in whole.pages}
    return [(fonts, key) for fonts in shared.values() for key in fonts]


def _faces(fonts):
    """(face, all that `fonts` print with it, as a run of text of one kind) for each face and kind of run."""
    texts = {}
    for font in (fonts_of[key] for fonts_of, key in fonts):
        family = str(font.DescendantFonts[0].FontDescriptor.FontFamily)
        texts[family] = texts.get(family, set()) | set(_glyphs(font).values())
    return [(family, "　".join(sorted(filter(run, text)))) for family, text in texts.items() for run in RUNS]


def _share_faces(whole, fonts, drawn):
    """Let `fonts` of the PDF `whole` be those of the PDF `drawn`, whose last page holds `_faces` of them.

    A glyph has the same number in every subset: its own in the face. Where numbers and texts of a font are not all in
    the common subset, it is left as it is.
    """
    for common in drawn.pages[-1].Resources.Font.values():
        shared, glyphs = whole.copy_foreign(common), _glyphs(common).items()
        for fonts_of, key in fonts:
            if fonts_of[key].BaseFont == common.BaseFont and _glyphs(fonts_of[key]).items() <= glyphs:
                fonts_of[key] = shared


def _glyphs(font):
    """{number: text} of the glyphs in a PDF font."""
    _head, _begin, lines = font.ToUnicode.read_bytes().partition(b"beginbfchar")
    return {int(glyph, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for glyph, text in GLYPH.findall(lines)}


def _lay_over(page, form, before=b""):
    import pikepdf

    name = page.add_resource(form, pikepdf.Name.XObject)
    page.contents_add(before + f"q {name} Do Q\n".encode())
