"""What an attack step costs: naive autograd, the paper's rewriting and the closed form compared."""
