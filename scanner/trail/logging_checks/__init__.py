"""Is everything logged? One module for each kind of store, and `check.py`, which uses them."""
