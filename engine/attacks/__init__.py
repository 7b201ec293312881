"""The attacks: objectives, Algorithm 3 as init and step, and what an attack returns."""
