"""A lost update: somebody else changed the row after the form was opened."""


class Conflict(Exception):
    """Raised by an action whose `version` is not the row's. `current` is the row as it stands now."""

    def __init__(self, current):
        super().__init__(f"{current._meta.label} {current.pk} is at version {current.version}")
        self.current = current
