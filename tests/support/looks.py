"""How the parts of a figure look: what each trace and note says, and in which colours."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = Mapping[str, Any]


class Part(NamedTuple):
    """A trace or a note of a figure. colours: those of its marks and lines, or of its text."""

    kind: str
    text: str
    colours: list[str]


def parts_of(spec: Json) -> Iterator[Part]:
    """The traces and notes of a figure (Plotly's JSON) that say something in a colour."""
    for trace in spec["data"]:
        if trace.get("name"):
            yield Part(trace.get("type", "scatter"), trace["name"], [*colours_of(trace)])
    for note in spec["layout"].get("annotations", ()):
        colour = note.get("font", {}).get("color")
        if note.get("text") and colour:
            yield Part("note", note["text"], [colour])


def colours_of(trace: Json) -> Iterator[str]:
    """Each colour in which a trace is drawn: of its marks, of its line, or of the area it fills."""
    mode = trace.get("mode", "markers")
    held = [trace.get("marker", {}).get("color")]
    if "lines" in mode:
        held.append(trace.get("line", {}).get("color"))
    if trace.get("fill"):
        held.append(trace.get("fillcolor"))
    for colour in held:
        if isinstance(colour, str):
            yield colour
        elif isinstance(colour, list):
            yield from dict.fromkeys(one for one in colour if isinstance(one, str))
