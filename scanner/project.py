"""Where keywatch comes from. A release sets this address, and every text takes it from here."""

from __future__ import annotations

from scanner import __version__

REPOSITORY = "https://github.com/example/keywatch"
"""The repository of the project. Not `pip install keywatch`: that name may belong to anybody."""

RELEASE = f"v{__version__}"
"""The tag of this release in the repository. In CI, a commit is safer than a tag."""


def requirement(extra: str = "") -> str:
    """What `pip install` takes for this release, with an extra such as `vault`."""
    source = f"git+{REPOSITORY}@{RELEASE}"
    return f"'keywatch[{extra}] @ {source}'" if extra else source
