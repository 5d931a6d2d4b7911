"""What can be said of numbers measured on some texts and some seeds."""
