"""Turn an Outcome into text. One file for each format, one line each in `formats.FORMATS`."""
