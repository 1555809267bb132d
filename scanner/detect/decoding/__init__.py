"""Detect: secrets inside base64, hex, percent-encoding and escapes."""
