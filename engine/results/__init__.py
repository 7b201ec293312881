"""The result store, and the one job runner: the only place that caches."""
