"""Use case: send findings to whoever must act, once, and escalate until somebody acknowledges."""
