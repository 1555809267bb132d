"""Policy: Vault ACL policies, what they grant, and how that compares with what services need."""
