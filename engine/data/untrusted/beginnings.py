"""What a file is that is not what its name says, told from its first bytes."""

from pathlib import Path

LENGTH = 512  # bytes that are looked at
LFS = b"version https://git-lfs"
HTML = (b"<!doctype html", b"<html", b"<head")
OTHERS = (
    (b"PAR1", "it is a Parquet file: give it the ending .parquet"),
    (b"ARROW1", "it is a Feather (Arrow) file: give it the ending .feather"),
    (b"\x1f\x8b", "it is packed by gzip: give it the ending .gz"),
    (b"\xd0\xcf\x11\xe0", "it is an old Excel file (.xls): save it as .xlsx or CSV"),
    (b"\xff\xfe", "its encoding is UTF-16, not UTF-8"),
    (b"\xfe\xff", "its encoding is UTF-16, not UTF-8"),
)


def check_beginning(path: Path) -> bytes:
    """Return the first bytes of a file. Raises ValueError for an empty one, for a web page and for
    a pointer of Git LFS, which are downloaded in place of many a file."""
    with path.open("rb") as file:
        start = file.read(LENGTH)
    if not start:
        raise ValueError("it is empty: 0 bytes")
    if start.startswith(LFS):
        raise ValueError(
            "it is a pointer of Git LFS, not the file itself: fetch that, for example with git lfs"
        )
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(HTML):
        raise ValueError(
            "it is a web page (HTML), not the file itself: download that, by the page's own button "
            "or the 'raw' link"
        )
    return start


def check_text_beginning(path: Path) -> None:
    """Do the same, and raise ValueError for a file of a format that is no text."""
    start = check_beginning(path)
    for signature, fault in OTHERS:
        if start.startswith(signature):
            raise ValueError(fault)
