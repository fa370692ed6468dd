"""Celery's own timetable, which a clock that was set back does not stop."""

import logging
import time

from celery.beat import PersistentScheduler

logger = logging.getLogger(__name__)

SLACK = 5.0  # seconds a clock may be put back without a word, as NTP does


class SteadyScheduler(PersistentScheduler):
    """Celery's keeps its entries by wall clock: set back an hour, it would send nothing for that hour.

    An entry that ran in a time to come counts as run just now; the next runs follow at their usual intervals.
    """

    _seen = 0.0  # the latest time this process has seen

    def setup_schedule(self):
        super().setup_schedule()
        self._from_now_on()  # the schedule on disk may be from before the clock was set back

    def tick(self, *args, **kwargs):
        now = time.time()
        if now < self._seen - SLACK:
            self._from_now_on()
        self._seen = now
        return super().tick(*args, **kwargs)

    def _from_now_on(self):
        late = [entry for entry in self.schedule.values() if entry.last_run_at > entry.default_now()]
        for entry in late:
            entry.last_run_at = entry.default_now()
        if late:
            logger.warning("The clock was set back: %s entries of the timetable go on from now.", len(late))
        self._heap = None  # ordered by times that are no longer to come
