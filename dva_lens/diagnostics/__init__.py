"""Questions to a whole model that take passes or gradients of their own."""
