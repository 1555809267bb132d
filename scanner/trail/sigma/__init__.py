"""Sigma rules: parsed by pySigma, compiled to functions over the fields of an entry."""
