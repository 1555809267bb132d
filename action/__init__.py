"""The GitHub Action: what an event and the inputs ask of keywatch, and what comes of it.

It runs keywatch as a user does, and reads its JSON report. Nothing in it imports `scanner`, or
anything else that is not Python's own: `plan` runs before anything is installed.
"""
