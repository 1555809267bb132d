"""Rotate secrets by the policy: plan, apply, resume and report, with a journal of every step."""
