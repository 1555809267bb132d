"""Policy: the age of live secrets, and how they compare with what the repository declares."""
