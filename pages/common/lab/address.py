"""The address of the lab, as visitors type it, and as a QR code."""

import socket
from urllib.parse import urlencode

import segno

from engine.settings import Settings
from pages.common.lab.browsers import PARAMETER

ELSEWHERE = ("192.0.2.1", 9)  # an address that is nobody's: RFC 5737


def own_ip() -> str:
    """This machine's address on its network; "127.0.0.1" where it is on none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        found: str = probe.getsockname()[0]
        return found


def of_lab(settings: Settings, port: int) -> str:
    """Where visitors find the lab: what IAL_ADDRESS says, or else this machine and the port."""
    return (settings.address or f"http://{own_ip()}:{port}").rstrip("/")


def for_teacher(place: str, token: str) -> str:
    """The teacher's link."""
    return f"{place}/?{urlencode({PARAMETER: token})}"


def qr_code(text: str) -> str:
    """A QR code as SVG, black on white with its quiet zone, as wide as where it stands."""
    return segno.make(text, micro=False, error="m").svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True
    )
