"""A picture from anywhere as RGB: its size is read from its header before a pixel is decoded."""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from engine.data.untrusted import limits
from engine.data.untrusted.limits import MB, size

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")  # Pillow has more readers than are needed here
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")


def open_picture(source: Path | IO[bytes]) -> "Image":
    """Decode the whole picture, in RGB: transparency on white, 16 bits as 8, turned upright, the
    first frame of several. Raises ValueError that says what is wrong with it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source, formats=FORMATS) as picture:
            check_size(*picture.size)
            picture.load()
            return as_rgb(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{error}; {limits.PIXELS // 10**6} million pixels are taken") from error
    except UnidentifiedImageError:
        raise ValueError("it is no image (PNG, JPEG, GIF, BMP or WebP)") from None
    except MemoryError:
        raise ValueError("it needs more memory than there is") from None
    except (OSError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        raise ValueError(f"it is damaged: {str(error)[:200] or type(error).__name__}") from error


def check_size(width: int, height: int) -> None:
    """Check the width and height of a picture, in pixels. Raises ValueError."""
    if width * height > limits.PIXELS:
        raise ValueError(
            f"it has {width:,} × {height:,} pixels, {width * height / 1e6:,.0f} million, and "
            f"{limits.PIXELS // 10**6} million are taken: make it smaller"
        )


def check_bytes(number: int) -> None:
    """Raise ValueError for a file that is too large for one picture, before it is read."""
    if number == 0:
        raise ValueError("it is empty: 0 bytes")
    if number > limits.IMAGE_MB * MB:
        raise ValueError(f"it has {size(number)}, and {limits.IMAGE_MB} MB are taken")


def as_rgb(picture: "Image") -> "Image":
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        wide = np.asarray(picture).astype(np.int64)
        picture = Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        return ground
    return picture.convert("RGB")
