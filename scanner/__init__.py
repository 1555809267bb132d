"""keywatch: zero secrets in the repository, none past its rotation date in the vault."""

__version__ = "0.1.0"
