"""The parts of the page that callbacks and scripts know, by name."""

TEXT = "live-text"
RUN = "live-run"
CHANGE = "live-change-run"
LOOK = "live-look-run"
CANCEL = "live-cancel"
CLOCK = "live-clock"
MINE = "live-mine"
STATE = "live-state"
RESULTS = "live-results"
FIELD = "live-field"
"""The kind of the fields of a change, each of which is called as the intervention calls it."""
PLACE = "live-place"
"""The kind of the fields that say which pair is looked at."""

PERIOD = 600
"""Milliseconds between two looks at a job that runs."""
