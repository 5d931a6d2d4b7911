"""The explorer: pages over an archive of measured models, served locally."""

from .explorer import create_app
from .server import serve

__all__ = ["create_app", "serve"]
