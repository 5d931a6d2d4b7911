"""The explorer for many readers at once: several processes under gunicorn, on this machine."""

from pathlib import Path
from typing import Any, final

from gunicorn.app.base import BaseApplication

from .guard import HOST
from .server import create_app

THREADS = 4


@final
class ManyReaders(BaseApplication):
    """A gunicorn whose workers each open the archive for themselves."""

    def __init__(self, folder: Path | str, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn is asked for."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the explorer of this worker."""
        return create_app(self.folder, several=True).server


def serve_many(folder: Path | str, port: int, workers: int) -> None:
    """Serve the explorer of a folder from several processes until it is interrupted."""
    settings = {
        "bind": f"{HOST}:{port}",
        "workers": workers,
        "threads": THREADS,
        "worker_class": "gthread",
        "loglevel": "warning",
        "proc_name": "dva-lens",
    }
    ManyReaders(folder, settings).run()
