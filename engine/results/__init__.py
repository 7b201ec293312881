"""The result store and the one job runner: what is kept on disk, where, and for how long."""
