"""Report: one self-contained HTML page. Jinja2 escapes every value; nothing is loaded from outside."""
