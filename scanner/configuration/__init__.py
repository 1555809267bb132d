"""keywatch.yaml and the operator config: files checked by a schema and turned into typed values."""
