"""Linear models on frozen features: the type (NumPy only) and how one is trained."""
