"""The formats of audit logs: each one's typed entry, and how it becomes an Event."""
