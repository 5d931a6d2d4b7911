"""The sections of a report: one file each, which `table` lists in their order."""
