"""The benchmark: keywatch beside its peers, on real trees, in one run."""
