"""Report: one HTML page that loads nothing. Jinja2 escapes every value."""
