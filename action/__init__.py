"""The GitHub Action: decides from the event and the inputs how to run keywatch, and publishes the
results.

It starts keywatch as a command and reads the JSON report. It imports only the standard library, and
not `scanner`, because `plan` runs before anything is installed.
"""
