"""Use case: replace literal secrets in configuration files by references."""
