"""Use case: write and list exceptions, and keep baselines."""
