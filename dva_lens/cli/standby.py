"""`dva-lens standby`: a process that has everything loaded and waits for a command."""

import json
import sys


def standby() -> None:
    """Load what runs a model, and run the command that one line of standard input then names.

    The line is a JSON list of words, as they would follow `dva-lens`. Where the input ends without
    one, nothing is run.
    """
    from dva_lens.cli.entry import app

    _load()
    line = sys.stdin.readline()
    if not line.strip():
        return
    app(json.loads(line), prog_name="dva-lens")


def _load() -> None:
    """Import what opens, runs and looks into models."""
    import dva_lens.diagnostics.interventions
    import dva_lens.loading
    import dva_lens.measuring.closeup
    import dva_lens.models.pretrained
    import dva_lens.recording.adapters.pretrained  # noqa: F401 - now, so that nobody waits later
