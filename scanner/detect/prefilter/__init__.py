"""Detect: one multi-pattern pass over a file that finds the places worth a closer look."""
