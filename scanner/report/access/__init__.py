"""Report: the access matrix, as every format shows it."""
