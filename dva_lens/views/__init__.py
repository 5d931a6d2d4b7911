"""Figures of labelled data: they draw, and take every label from the data."""
