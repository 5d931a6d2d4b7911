"""The statistics that need more than one pass, one family per module."""
