"""Inputs: files and commits that git stores."""
