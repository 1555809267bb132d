"""Find the repositories to scan: from files, folders of clones, and the APIs of hosts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from scanner import globs
from scanner.errors import UsageError, unreadable
from scanner.fleet import addresses
from scanner.fleet.targets import Target, TargetsRequest
from scanner.model import Gap, GapKind, Skip, SkipKind


def find_targets(request: TargetsRequest) -> Iterator[Target | Skip | Gap]:
    """The targets, as they are found; memory does not grow with an API's answer.

    A Skip is a repository that a filter leaves out, a Gap is one that cannot be scanned or a list
    that cannot be read to its end. The path of both is a target's name, or `file:line`. UsageError
    if the request names no source, a file cannot be read, or nothing at all was found.
    """
    if not (request.files or request.folders or request.listings):
        raise UsageError(
            "no repositories are named",
            todo="name them with --folder, --list, --github, --gitlab or --gitea",
        )
    left_out = _filter(request)
    seen: dict[str, str] = {}  # name -> address
    nothing = True
    for found in _found(request):
        nothing = False
        if not isinstance(found, Target):
            yield found
        elif found.name not in seen:
            seen[found.name] = found.address
            yield left_out(found) or found
        elif seen[found.name] != found.address:
            reason = f"{seen[found.name]} has the same name, and only that one is scanned"
            yield Gap(kind=GapKind.NOT_CLONED, path=found.name, reason=reason)
    if nothing:
        raise UsageError(
            "no repository was found", todo="check the folder, the list or the name of the owner"
        )


def _found(request: TargetsRequest) -> Iterator[Target | Gap]:
    for folder in request.folders:
        yield from _in_folder(folder)
    for file in request.files:
        yield from _in_list(file, loopback_http=request.loopback_http)
    if request.listings:
        from scanner.fleet.listing import owners

        for listing in request.listings:
            yield from owners.find(listing, request.seconds, loopback_http=request.loopback_http)


def _filter(request: TargetsRequest) -> Callable[[Target], Skip | None]:
    """Why a target is left out, as a Skip; None for one that is scanned."""
    included, excluded = globs.matcher(request.include), globs.matcher(request.exclude)

    def left_out(target: Target) -> Skip | None:
        if target.archived and not request.archived:
            return Skip(kind=SkipKind.ARCHIVED, path=target.name)
        if target.fork_of and not request.forks:
            return Skip(kind=SkipKind.FORK, path=target.name)
        if excluded(target.name) or (request.include and not included(target.name)):
            return Skip(kind=SkipKind.EXCLUDED, path=target.name)
        return None

    return left_out


def _in_folder(folder: str) -> Iterator[Target | Gap]:
    """Every clone and bare repository below a folder, also inside another clone. Links to folders
    are not followed. The first folder below `folder` is the team."""
    failed: list[OSError] = []
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a folder", todo="name a folder that contains clones")
    for base, folders, files in os.walk(folder, onerror=failed.append):
        folders.sort()
        is_bare = "HEAD" in files and {"objects", "refs"} <= {*folders}
        if is_bare or ".git" in folders or ".git" in files:
            name = os.path.relpath(base, folder)
            if name == os.curdir:
                name = os.path.basename(os.path.abspath(folder))
            yield _local(os.path.abspath(base), name.replace(os.sep, "/"))
        folders[:] = [] if is_bare else [each for each in folders if each != ".git"]
    for error in failed:
        reason = f"the folder cannot be read: {error.strerror}"
        yield Gap(kind=GapKind.UNREADABLE, path=_shown(str(error.filename)), reason=reason)


def _local(path: str, name: str) -> Target | Gap:
    if not path.isprintable():
        reason = "its path has a character that cannot be printed; rename the folder"
        return Gap(kind=GapKind.NOT_CLONED, path=_shown(name), reason=reason)
    return Target(name=name, address=path, team=name.partition("/")[0] if "/" in name else "")


def _in_list(file: str, *, loopback_http: bool) -> Iterator[Target | Gap]:
    """The repositories of a file: one address or path in a line; `#` begins a comment."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.partition("#")[0].strip()
                if text:
                    yield _listed(text, f"{file}:{number}", loopback_http=loopback_http)
    except OSError as error:
        raise unreadable(file, error) from None


def _listed(text: str, where: str, *, loopback_http: bool) -> Target | Gap:
    try:
        address = addresses.parse(text, loopback_http=loopback_http)
    except addresses.AddressError as error:
        return Gap(kind=GapKind.NOT_CLONED, path=where, reason=str(error))
    if address.name:
        team = address.name.split("/")[1]
        return Target(name=address.name, address=address.text, team=team)
    if not os.path.isdir(text):
        return Gap(kind=GapKind.NOT_CLONED, path=where, reason="there is no such folder")
    return Target(name=os.path.basename(os.path.normpath(text)), address=text)


def _shown(path: str) -> str:
    return path.encode("unicode_escape", "surrogateescape").decode("ascii", "replace")
