"""Inputs: members of archives and compressed files."""
