"""A debater without a browser: for the demo, for tests and for load."""
