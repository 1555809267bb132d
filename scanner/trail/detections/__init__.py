"""Detections that need more than the fields of a log line, in Python."""
