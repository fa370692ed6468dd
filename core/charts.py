"""Line charts as figures for an SVG that the server draws: `parts/chart.html` shows one with its table beside it."""

from dataclasses import dataclass

WIDTH, HEIGHT = 640, 180  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 28  # room for figures and days
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Tick:
    """A figure at an axis: where, and what it says."""

    at: str
    says: object


@dataclass(frozen=True)
class Line:
    """One line over days, ready to be drawn: points of the polyline, grid lines, days below."""

    points: str
    grid: list
    days: list
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def line(numbers):
    """Return the `Line` of `numbers`, [(day, number ≥ 0)] in the order of the days, or None for fewer than two."""
    if len(numbers) < 2:
        return None
    top = ceiling(max(number for _day, number in numbers))
    across = (WIDTH - LEFT - RIGHT) / (len(numbers) - 1)
    up = (HEIGHT - TOP - BOTTOM) / top
    places = [(LEFT + across * place, HEIGHT - BOTTOM - up * number) for place, (_day, number) in enumerate(numbers)]
    third = (len(numbers) - 1) // 3 or 1
    return Line(
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
        grid=[Tick(f"{HEIGHT - BOTTOM - up * number:.1f}", number) for number in (0, top // 2, top)],
        days=[Tick(f"{places[place][0]:.1f}", numbers[place][0]) for place in range(0, len(numbers), third)],
    )


def ceiling(number):
    """Return the even, round number at which an axis up to `number` ends: 2, 4, 10, 20, 40, 100, …"""
    ten = 1
    while True:
        for step in STEPS:
            if (top := 2 * step * ten) >= number:
                return top
        ten *= 10
