"""`dva-lens measure`."""


def measure() -> None:
    """Measure one model on a text."""
