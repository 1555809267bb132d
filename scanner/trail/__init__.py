"""Use case: find unauthorized access in the audit logs of secret stores."""
