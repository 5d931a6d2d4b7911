"""The statistics that every measurement takes in one pass, one family per module."""
