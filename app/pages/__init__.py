"""The pages of the explorer, one question each."""
