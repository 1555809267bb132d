"""Detect: rule files, the compiled rule table, and the examples that prove each rule."""
