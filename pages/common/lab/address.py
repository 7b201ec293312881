"""The address of the lab, as visitors type it, and as a QR code."""

import socket
from urllib.parse import urlencode, urlsplit

import segno

from engine.settings import Settings
from pages.common.lab.browsers import PARAMETER

LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
ELSEWHERE = ("192.0.2.1", 9)  # an address that is nobody's: RFC 5737


def own_ip() -> str:
    """Return this machine's address on its network; "127.0.0.1" where it is on none. Nothing is
    sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        found: str = probe.getsockname()[0]
        return found


def of_lab(settings: Settings, port: int) -> str:
    """Say where visitors find the lab: what IAL_ADDRESS says, or else this machine and the port."""
    return (settings.address or f"http://{own_ip()}:{port}").rstrip("/")


def as_visited(settings: Settings, url: str, port: int) -> str:
    """Return the address for a page that was opened at `url`: that of the page, as others reach the
    lab there too, unless it is an address of this machine alone."""
    parts = urlsplit(url)
    if settings.address or not parts.hostname or parts.hostname in LOOPBACK:
        return of_lab(settings, port)
    return f"{parts.scheme}://{parts.netloc}"


def for_teacher(place: str, token: str) -> str:
    """Return the teacher's link."""
    return f"{place}/?{urlencode({PARAMETER: token})}"


def qr_code(text: str) -> str:
    """Return a QR code as a data URI: an SVG in black on white, with its quiet zone. It fills the
    width of the element that shows it."""
    code = segno.make(text, micro=False, error="m")
    drawn: str = code.svg_data_uri(border=4, dark="#000", light="#fff", omitsize=True)
    return drawn
