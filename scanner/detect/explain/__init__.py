"""Detect: record why each value was reported or ignored."""
