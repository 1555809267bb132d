"""Policy: classes, secrets and services as keywatch.yaml and configs/secrets declare them."""
