"""Data sets: what they hold, how they are prepared, where they come from."""
