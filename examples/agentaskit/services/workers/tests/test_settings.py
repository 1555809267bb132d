"""The settings never show a secret."""

from agentaskit_workers.settings import Settings


def test_repr_hides_the_secrets() -> None:
    hidden = "x" * 8
    settings = Settings(
        database_url=f"postgres://app:{hidden}@db/agents",
        smtp_user="no-reply@agentaskit.example",
        smtp_password=hidden,
        queue_url="https://queue.agentaskit.example/jobs",
    )
    assert hidden not in repr(settings)
