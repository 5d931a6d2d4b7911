"""The command line: one command per question, heavy libraries only once a command needs them."""

from dva_lens.cli.entry import app, main

__all__ = ["app", "main"]
