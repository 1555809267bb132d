"""Files and commits that git stores."""
