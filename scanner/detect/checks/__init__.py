"""Detect: offline checks of token formats, such as checksums."""
