"""How much a data set of one's own may be: checked before anything is unpacked, read or decoded.

One place, so that pages, errors and checks say the same numbers.
"""

MB = 2**20
UPLOAD_MB = 200  # through the browser: the server holds an upload in memory
FILE_MB = 2048  # of a features file or an archive on this machine
TABLE_MB = 200  # of a CSV or Parquet file
UNPACKED_MB = 4096  # of all images of an archive together
ARRAYS_MB = 1024  # of all arrays of a features file together
RATIO, RATIO_FROM_MB = 100, 64  # unpacked to packed, for archives that unpack to more than this
ENTRIES = 65_000  # of an archive or a folder
IMAGE_MB = 50
PIXELS = 25_000_000  # of one image: one copy in memory is 100 MB
ROWS, COLUMNS = 200_000, 20_000
CELLS = 25_000_000  # rows × columns of a table, before and after encoding
LINE_MB = 4  # of a CSV file
CLASSES = 1_000
CATEGORIES = 200  # of a categorical column: beyond, it is an identifier or free text
TEXT_LENGTH = 200  # characters of a class name or of a categorical value


def size(number: float) -> str:
    """Write a number of bytes: '80 bytes', '3.2 MB', '10.0 GB'."""
    for unit, factor in (("PB", 2**50), ("TB", 2**40), ("GB", 2**30), ("MB", MB), ("KB", 2**10)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return f"{number:.0f} bytes"


def stated() -> tuple[str, ...]:
    """Return the limits in words, for somebody who prepares a file."""
    return (
        f"A file through the browser: {UPLOAD_MB} MB. On this machine: {FILE_MB:,} MB, a table "
        f"{TABLE_MB} MB.",
        f"Samples: {ROWS:,}; features: {COLUMNS:,}; classes: {CLASSES:,}; arrays of a features "
        f"file: {ARRAYS_MB:,} MB together.",
        f"A table: {CELLS:,} cells, also after encoding; {CATEGORIES} values a categorical column; "
        f"{TEXT_LENGTH} characters a value; {LINE_MB} MB a line.",
        f"An archive: {ENTRIES:,} entries, {UNPACKED_MB:,} MB unpacked and at most {RATIO} times "
        "its own size; no links, no passwords, no paths that lead outside it.",
        f"An image: {PIXELS // 10**6} million pixels, {IMAGE_MB} MB; PNG, JPEG, GIF (its first "
        "frame), BMP or WebP.",
    )
