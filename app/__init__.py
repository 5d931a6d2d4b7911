"""The explorer: pages over an archive of measured models, served locally."""

from .server import create_app, serve

__all__ = ["create_app", "serve"]
