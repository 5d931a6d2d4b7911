"""Models run on a typed text, in a process of the command line, for as long as a server lives.

Nothing here imports torch, and nothing that a browser sends names a file or a model of the hub:
models are those of the archive's checkpoints and those named when the server was started.
"""

from .jobs import LiveJob, Phase
from .models import NamedModel, models_of
from .runner import BusyError, Runner
from .texts import check_text

__all__ = ["BusyError", "LiveJob", "NamedModel", "Phase", "Runner", "check_text", "models_of"]
