"""Scrutiny of influence: samples that cannot be moved, and ways to catch an attack."""
