"""Policy: allow entries, allow comments of other tools, accepted gaps, and weakened exceptions."""
