"""The parts of the page that callbacks and scripts know, by name."""

TEXT = "live-text"
RUN = "live-run"
CHANGE = "live-change-run"
CANCEL = "live-cancel"
CLOCK = "live-clock"
MINE = "live-mine"
STATE = "live-state"
RESULTS = "live-results"
FIELD = "live-field"
"""The kind of the fields of a change, each of which is called as the intervention calls it."""

PERIOD = 600
"""Milliseconds between two looks at a job that runs."""
