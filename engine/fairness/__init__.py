"""The fairness application (Section 5): reweigh by influence, and break it by scaling the model."""
