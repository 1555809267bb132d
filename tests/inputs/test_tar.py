"""The members of a tar, read from front to back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from scanner.inputs.archives import tar
from tests.support.archives import info, tar_of, tarred

BLOCK = 512
STYLES = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def read(data: bytes) -> dict[str, bytes]:
    """The content of each member by name."""
    found = {}
    for member in tar.members(io.BytesIO(data)):
        body = member.open()
        found[member.name] = b""
        while piece := body.read(1000):
            found[member.name] += piece
    return found


def pax(records: bytes) -> bytes:
    """An extension header, as it precedes a member."""
    header = tarfile.TarInfo("header")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    return header.tobuf(tarfile.USTAR_FORMAT) + records.ljust(
        -(-len(records) // BLOCK) * BLOCK, b"\0"
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 70_000])
def test_members_have_their_names_and_contents(style: int, size: int) -> None:
    members = {"a/first": b"x" * size, "last": b"end"}
    assert read(tarred(members, style)) == members


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_whole(style: int) -> None:
    name = "folder/" * 60 + "ä.txt"
    assert read(tarred({name: b"data", "next": b"x"}, style)) == {name: b"data", "next": b"x"}


def test_a_member_that_nobody_reads_is_skipped() -> None:
    data = tarred({"a": b"x" * 2000, "b": b"y"})
    assert [member.name for member in tar.members(io.BytesIO(data))] == ["a", "b"]


def test_what_is_no_file_is_left_out_with_its_kind() -> None:
    kinds = {
        tarfile.SYMTYPE: "symlink",
        tarfile.LNKTYPE: "symlink",
        tarfile.CHRTYPE: "special",
        tarfile.FIFOTYPE: "special",
        tarfile.DIRTYPE: "folder",
        tarfile.REGTYPE: "",
    }
    data = tar_of(*(info(f"{kind!r}", kind, "target") for kind in kinds))
    found = {member.name.rstrip("/"): member.left_out for member in tar.members(io.BytesIO(data))}
    assert found == {f"{kind!r}": left_out for kind, left_out in kinds.items()}


def test_a_size_in_an_extension_header_counts() -> None:
    data = tarred({"a": b"x" * 10}, tarfile.USTAR_FORMAT)
    assert read(pax(b"9 size=4\n") + data)["a"] == b"xxxx"


@pytest.mark.parametrize(
    ("records", "error"),
    [
        (b"99 path=short\n", ValueError),
        (b"2 path=a\n", ValueError),
        (b"x path=a\n", ValueError),
        (b"10 size=-1\n", ValueError),
    ],
)
def test_a_damaged_extension_header_is_an_error(records: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(pax(records) + tarred({"a": b"x"}))


def _cut_in_a_member(data: bytes) -> bytes:
    return data[: BLOCK + 100]


def _cut_in_a_header(data: bytes) -> bytes:
    return data[:100]


def _another_checksum(data: bytes) -> bytes:
    return b"?" + data[1:]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (_cut_in_a_member, EOFError),
        (_cut_in_a_header, tarfile.TarError),
        (_another_checksum, tarfile.TarError),
    ],
)
def test_damage_is_an_error(damage: Callable[[bytes], bytes], error: type[Exception]) -> None:
    data = tarred({"a": b"x" * 1000}, tarfile.USTAR_FORMAT)
    with pytest.raises(error):
        read(damage(data))


def test_a_damaged_header_in_the_middle_is_not_the_end() -> None:
    first, second = (tarred({name: b"x"}, tarfile.USTAR_FORMAT) for name in "ab")
    with pytest.raises(tarfile.TarError):
        read(first[: 2 * BLOCK] + _another_checksum(second))


def test_an_extension_header_of_any_length_is_not_read_into_memory() -> None:
    header = tarfile.TarInfo("header")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    with pytest.raises(ValueError, match="too long"):
        read(header.tobuf(tarfile.GNU_FORMAT))
