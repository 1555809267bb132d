"""Convert the configuration of gitleaks and TruffleHog, and say what does not carry over."""
