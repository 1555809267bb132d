"""Read the members of archives and compressed files."""
