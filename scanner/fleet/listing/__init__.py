"""List the repositories of an organisation or group with the API of its host."""
