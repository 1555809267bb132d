"""Reading audit logs: files, streams and standard input, as events in the order of their time."""
