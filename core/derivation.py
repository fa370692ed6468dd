"""Why a deadline falls on its day, as sentences a cadre can read aloud.

The text is stored with the deadline like a line on a printed paper: Chinese in every interface language.
"""

from core.calendar import DAY
from core.models.calendar import DayKind
from core.models.deadline import Unit
from core.models.setting import RuleStatus

WEEKDAYS = "一二三四五六日"
PERIOD = {Unit.CALENDAR_DAY: "{}日", Unit.WORKING_DAY: "{}个工作日", Unit.MONTH: "{}个月", Unit.YEAR: "{}年"}
SECOND_PERIOD = {Unit.CALENDAR_DAY: "{}个自然日"}
NATIONAL = "国家"
LOCAL = "地方"


class Story:
    """Tells dates, naming the year only where it changes."""

    def __init__(self, calendar):
        self.calendar = calendar
        self.year = None

    def short(self, day):
        """«11月3日», with the year when it is another than the one last named."""
        year = "" if day.year == self.year else f"{day.year}年"
        self.year = day.year
        return f"{year}{day.month}月{day.day}日"

    def full(self, day, *, checked=True):
        """«11月3日（星期二）»; if `checked` against the calendar, a weekend day that is worked says so."""
        listed = self.calendar.days.get(day) if checked else None
        worked = "，调休上班" if listed and listed.kind == DayKind.WORK else ""
        return f"{self.short(day)}（星期{WEEKDAYS[day.weekday()]}{worked}）"

    def span(self, first, last):
        """«10月1日至8日»."""
        text = self.short(first)
        if first == last:
            return text
        if (first.year, first.month) == (last.year, last.month):
            return f"{text}至{last.day}日"
        return f"{text}至{self.short(last)}"

    def names(self, days):
        """The holidays that `days` belong to: «国庆节、中秋节放假»; empty if none is listed."""
        listed = [self.calendar.days[day].name or "节日" for day in days if day in self.calendar.days]
        return f"{'、'.join(dict.fromkeys(listed))}放假" if listed else ""

    def rest(self, days):
        """Why `days` are rest days: «周末、国庆节放假»."""
        weekend = "周末" if any(day not in self.calendar.days for day in days) else ""
        return "、".join(filter(None, [weekend, self.names(sorted(days))]))

    def left_out(self, days):
        """The rest days among which a count passed: ["周末", "10月1日至8日国庆节、中秋节放假"]."""
        said = ["周末"] if any(day not in self.calendar.days for day in days) else []
        block = []
        for day in sorted(day for day in days if day in self.calendar.days):
            if block and block[-1] != day - DAY:
                said.append(self.span(block[0], block[-1]) + self.names(block))
                block = []
            block.append(day)
        if block:
            said.append(self.span(block[0], block[-1]) + self.names(block))
        return said

    def on_the_way(self, reading):
        """What was left out of a period of working days and what counted, in brackets; empty if neither."""
        said = [f"{'、'.join(self.left_out(reading.rested))}不计"] if reading.rested else []
        if reading.worked:
            said.append(f"{'、'.join(self.full(day) for day in sorted(reading.worked))}计入")
        return f"（{'，'.join(said)}）" if said else ""

    def end(self, reading, *, backward):
        """Where a period not in working days ends: «11月18日（星期三）期满，是工作日»."""
        natural = self.full(reading.natural, checked=reading.rolls)
        text = f"最迟{natural}办理" if backward else f"{natural}期满"
        if reading.clipped:
            text += "（到期月没有对应日，以月末为最后一日）"
        earlier = "提前" if backward else "顺延"
        if not reading.rolls:
            return f"{text}，此类期限遇休息日不{earlier}"
        if reading.natural == reading.due:
            return f"{text}，是工作日"
        return f"{text}，适逢{self.rest(reading.rested)}，{earlier}至{self.full(reading.due)}"


def tell(rule, trigger, reading, other, calendar):
    """Return the derivation of a deadline: the count, the second reading, what is unsure, the basis.

    `reading` and `other` (or None) are `core.counting.Reading`; `calendar` is the one they were counted with.
    """
    story = Story(calendar)
    sentences = [_count(rule, trigger, reading, story)]
    if other:
        sentences.append(_second(rule, reading, other, story))
    sentences += [*_unsure(rule, other), *_provisional(calendar), f"依据：{rule.legal_basis}"]
    notices = _notices([reading, other] if other else [reading], calendar)
    if notices:
        sentences.append(f"放假安排：{'、'.join(notices)}")
    return "".join(f"{sentence}。" for sentence in sentences)


def _count(rule, trigger, reading, story):
    if not reading.length:
        return f"{story.full(trigger, checked=False)}为{rule.starts}，当日届满"
    period = PERIOD[reading.unit].format(reading.length)
    begin = f"{story.full(trigger, checked=False)}{rule.starts}"
    begin += f"，此前须留足{period}" if rule.backward else f"，次日起算{period}"
    if reading.unit != Unit.WORKING_DAY:
        return f"{begin}，{story.end(reading, backward=rule.backward)}"
    begin += story.on_the_way(reading)
    return f"{begin}，最迟{story.full(reading.due)}办理" if rule.backward else f"{begin}，{story.full(reading.due)}期满"


def _second(rule, reading, other, story):
    if other.unit == Unit.WORKING_DAY:
        period = PERIOD[other.unit].format(other.length) + story.on_the_way(other)
        end = f"最迟{story.full(other.due)}办理" if rule.backward else f"{story.full(other.due)}期满"
    else:
        period = SECOND_PERIOD.get(other.unit, PERIOD[other.unit]).format(other.length)
        end = story.end(other, backward=rule.backward)
    text = f"另一种算法为{period}：{end}"
    if other.due == reading.due:
        return f"{text}，两种算法同日"
    return f"{text}。两种算法不同，按较早的{story.full(min(reading.due, other.due))}掌握"


def _unsure(rule, other):
    if rule.length_status == RuleStatus.DESIGN:
        return ["本期限为系统约定，待市总工会确认"]
    said = ["期限按工作日还是自然日计算，待法律部门确认"] if other else []
    doubts = [("长度", rule.length_status)] if other else [("长度", rule.length_status), ("单位", rule.unit_status)]
    doubtful = [what for what, status in doubts if status != RuleStatus.READ]
    if doubtful:
        said.append(f"期限的{'和'.join(doubtful)}待市总工会确认")
    if rule.jurisdiction != NATIONAL:
        place = "" if rule.jurisdiction == LOCAL else f"（{rule.jurisdiction}）"
        said.append(f"属地方规定{place}，是否适用待市总工会确认")
    return said


def _provisional(calendar):
    known = max(calendar.years, default=0)
    return [
        f"{year}年放假安排尚未公布，暂按周一至周五上班推算，公布后重新计算，本日期为暂定"
        if year > known
        else f"日历中没有{year}年的放假安排，按周一至周五上班推算，本日期为暂定"
        for year in sorted(calendar.unpublished)
    ]


def _notices(readings, calendar):
    """The notices that decided: of each listed day passed, counted or ended on."""
    decided = []
    for reading in readings:
        decided += [*reading.rested, *reading.worked, *([reading.due] if reading.rolls else [])]
    listed = [calendar.days[day] for day in sorted(decided) if day in calendar.days]
    return list(dict.fromkeys(entry.notice_no for entry in listed if entry.notice_no))
