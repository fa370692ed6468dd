"""Rolls: papers whose rows stand in groups, with a head and figures for each group, page subtotals and a last table.

A kind of roll says which rows there are in which order and what is in their cells; here they are laid on pages, cut
into slices and, when a slice is drawn, laid again the same way. A slice holds keys and figures, no personal data.
"""

from dataclasses import dataclass

from core import drawing
from core.papers import SLICE_ROWS, Kind, Slice

HEAD_EMS = 27.0  # what a group's head holds beside its figures
NUMBER_WIDTH, CODE_WIDTH = 11, 28  # of the table of totals, in mm; the name has what they and the figures leave
CODE_EMS, PADDING, EM = 7.4, 3.0, 3.6  # what the code holds; what a cell keeps free, and one em, in mm


@dataclass
class Group:
    """Rows under one head: the group's key, name, code and figures; (key, height in mm) of each row in order."""

    key: int
    name: str
    code: str
    figures: list
    rows: list


class Roll(Kind):
    """A paper of grouped rows; its template extends `papers/roll.html`."""

    counted = ""  # what the rows are: 人, 个工会
    columns = ()  # the widths of the columns in mm, drawing.WIDTH together
    heads = ()
    figure_heads = ()  # the heads of the figures in the table of totals
    figure_width = 16  # of each of them, in mm
    totals_title = ""

    def words(self, union, params):
        """What stands at the left above the table."""
        raise NotImplementedError

    def in_words(self, figures):
        """A group's figures, or the whole paper's, in words."""
        raise NotImplementedError

    def shown(self, figures):
        """A group's figures as the table of totals shows them."""
        return figures

    def groups(self, paper, day):
        """The `Group`s in order, as of the date `day`; groups without rows count in the totals only."""
        raise NotImplementedError

    def named(self, keys):
        """{key: (name, code)} of the groups with `keys`."""
        raise NotImplementedError

    def cells(self, paper, keys):
        """{key: what the template shows of the row, with its `height`} for the rows with `keys`, in few queries."""
        raise NotImplementedError

    # --- Planning ---

    def plan(self, paper, day):
        groups = list(self.groups(paper, day))
        headed = len(groups) > 1
        sums = [sum(column) for column in zip(*(group.figures for group in groups), strict=True)]
        pager = self._pager(paper, 0, opening=True)
        for group in groups:
            head = _head_height(group.name, group.code) if headed else 0
            for number, (key, height) in enumerate(group.rows, start=1):
                pager.place(group.key, (number, key), height=height, head=head)
        figures = {group.key: group.figures for group in groups}
        slices = []
        for parts in drawing.cut(pager.pages, SLICE_ROWS):
            listed = [
                [part.group, part.continued, figures[part.group], part.rows[0][0], [key for _number, key in part.rows]]
                for part in parts
            ]
            params = {"opening": not slices, "headed": headed, "parts": listed}
            slices.append(Slice(params, sum(len(part.rows) for part in parts)))
        if headed:
            lines = [[number, group.key, group.figures] for number, group in enumerate(groups, start=1)]
            for start in range(0, len(lines), SLICE_ROWS):
                last = start + SLICE_ROWS >= len(lines)
                slices.append(Slice({"totals": lines[start : start + SLICE_ROWS], "sums": sums if last else []}, 0))
        facts = {
            "cut_off": f"{day.year}年{day.month}月{day.day}日",
            "day": day.isoformat(),
            "union": paper.union.name,
            "union_code": paper.union.code,
            "filter": paper.params,
            "groups": len(groups),
            "figures": sums,
        }
        return facts, slices

    def _pager(self, paper, less, *, opening, going_on=None):
        first_room, room = drawing.rooms(paper.title, self.words(paper.union, paper.params), less)
        return drawing.Pager(first_room=first_room if opening else room, room=room, going_on=going_on)

    # --- Drawing ---

    def pages(self, paper, params, less):
        if "totals" in params:
            return self._totals(paper, params, less), 0
        parts = params["parts"]
        cells = self.cells(paper, [key for *_facts, keys in parts for key in keys])
        going_on = parts[0][0] if parts[0][1] else None
        pager = self._pager(paper, less, opening=params["opening"], going_on=going_on)
        names, figures = self.named([part[0] for part in parts]), {}
        for group, _continued, figures[group], first, keys in parts:
            head = _head_height(*names[group]) if params["headed"] else 0
            for number, key in enumerate(keys, start=first):
                if key in cells:
                    row = {"no": number, "tall": cells[key]["height"] > drawing.ROW, **cells[key]}
                    pager.place(group, row, height=row["height"], head=head)
        pages = []
        for laid in pager.pages:
            page = self._frame(paper, self.columns, self.heads, opening=params["opening"] and not pages)
            page["subtotal"] = f"{sum(len(part.rows) for part in laid)} {self.counted}"
            page["parts"] = [
                {
                    "head": _head_lines(*names[part.group], continued=part.continued) if params["headed"] else [],
                    "height": _head_height(*names[part.group]),
                    "tall": _head_height(*names[part.group]) > drawing.ROW,
                    "figures": self.in_words(figures[part.group]),
                    "rows": part.rows,
                }
                for part in laid
            ]
            page["rules"] = self._rules(page["parts"])
            pages.append(page)
        return pages, sum(len(part.rows) for laid in pager.pages for part in laid)

    def _rules(self, parts):
        """The rules of a page: its head, the parts with theirs, the page subtotal."""
        cells = [1] * len(self.columns)
        rows = [(drawing.HEAD, cells)]
        for part in parts:
            rows += [(part["height"], [len(cells)])] if part["head"] else []
            rows += [(row["height"], cells) for row in part["rows"]]
        return drawing.rules(self.columns, [*rows, (drawing.ROW, [2, len(cells) - 2])])

    def _totals(self, paper, params, less):
        figures = [self.figure_width] * len(self.figure_heads)
        name_width = drawing.WIDTH - NUMBER_WIDTH - CODE_WIDTH - sum(figures)
        columns, name_ems = [NUMBER_WIDTH, name_width, CODE_WIDTH, *figures], (name_width - PADDING) / EM
        names = self.named([key for _number, key, _figures in params["totals"]])
        pager = self._pager(paper, less, opening=False)
        for number, key, figures in params["totals"]:
            name, code = drawing.wrap(names[key][0], name_ems), drawing.wrap(names[key][1], CODE_EMS)
            height = drawing.row_height(name, code)
            row = {"no": number, "name": name, "code": code, "figures": self.shown(figures)}
            pager.place(None, {**row, "height": height, "tall": height > drawing.ROW}, height=height)
        heads = ["序号", self.totals_title, "工会编码", *self.figure_heads]
        pages = [{**self._frame(paper, columns, heads), "totals": laid[0].rows} for laid in pager.pages]
        pages[-1]["sums"] = self.shown(params["sums"]) if params["sums"] else []
        for page in pages:
            cells = [1] * len(columns)
            rows = [(drawing.HEAD, cells), *((row["height"], cells) for row in page["totals"])]
            rows += [(drawing.ROW, [3, *(1 for _figure in figures)])] if page["sums"] else []
            page["rules"] = drawing.rules(columns, rows)
        return pages

    def _frame(self, paper, columns, heads, *, opening=False):
        """What stands above the table of every page, and its head; on the opening one the title too."""
        return {
            "columns": columns,
            "heads": heads,
            "title_lines": drawing.wrap(paper.title, drawing.TITLE_EMS) if opening else [],
            "words": drawing.wrap(self.words(paper.union, paper.params), drawing.FACTS_EMS),
            "figures": self.in_words(paper.facts["figures"]),
            "totals": [],
            "sums": [],
        }


def _head_lines(name, code, *, continued):
    return drawing.wrap(f"{name}　{code}{'（续）' if continued else ''}", HEAD_EMS)


def _head_height(name, code):
    """The same for a head and its continuation, so that rows fall on the same pages whenever they are laid."""
    return drawing.row_height(_head_lines(name, code, continued=True))
