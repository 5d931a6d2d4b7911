"""Text: where it comes from, how it becomes tokens, and the evaluation texts cut from it."""
