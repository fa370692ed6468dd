"""How far a long command is: a bar on a terminal, now and then a line elsewhere."""

import time

WIDTH = 30  # characters of the bar
STEPS = 10  # lines where there is no terminal


class Progress:
    """Tells on `out` (a stream of a command) how many of `total` rows are done, how fast, and the time left."""

    def __init__(self, out, total):
        self.out, self.total = out, total
        self.terminal, self.began, self.told = out.isatty(), time.monotonic(), 0

    def __call__(self, done):
        step = done * (200 if self.terminal else STEPS) // self.total
        if step == self.told:
            return
        self.told = step
        spent = max(time.monotonic() - self.began, 0.001)
        left = round(spent / done * (self.total - done))
        told = f"{done:>12,} / {self.total:,}  {done / spent:>8,.0f} rows/s  {left // 60}:{left % 60:02d} left"
        if self.terminal:
            full = WIDTH * done // self.total
            self.out.write(f"\r[{'#' * full:<{WIDTH}}]{told}  ", ending="" if done < self.total else "\n")
            self.out.flush()
        else:
            self.out.write(told)
