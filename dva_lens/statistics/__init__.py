"""Definitions and inference on records: numpy and scipy only, no model in sight."""
