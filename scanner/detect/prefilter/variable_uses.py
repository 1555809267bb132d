"""Detect: prefilter patterns for the use of a variable in configuration.

The prefilter searches them together with the rules, which costs nothing. A pass of their own would
take a third of the time of the rules. `scanner.detect.variables` parses the uses.
"""

from __future__ import annotations

from scanner.detect.prefilter.matcher import Pattern

USES = tuple(
    Pattern(anchor, keywords=keywords, once=True, scope="config")
    for anchor, keywords in (
        # ${API_KEY} ${env:API_KEY} ${API_KEY:?required}
        (r"\$\{(?:env:)?[A-Z][A-Za-z0-9_]+(?:\}|:?\?)", ("${",)),
        # $(API_KEY)
        (r"\$\([A-Z][A-Za-z0-9_]+\)", ("$(",)),
        # env("API_KEY") env_var('API_KEY') ENV["API_KEY"] ENV.fetch("API_KEY")
        (r"(?:[eE]nv|env_var)[ \t(]{1,3}[\"'][A-Z]|ENV(?:\.fetch\(|\[)[\"'][A-Z]", ("env",)),
    )
)
