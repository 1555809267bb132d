"""Report: an Outcome -> text. One file per format, one line each in `table.FORMATS`."""
