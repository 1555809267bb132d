"""Policy: the baseline formats of keywatch and detect-secrets."""
