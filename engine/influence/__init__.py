"""Influence scores and their gradient: the protocol, the solver, the closed form."""
