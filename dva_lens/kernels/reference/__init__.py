"""The specification of attention, the backend that follows it word for word, and its limits."""
