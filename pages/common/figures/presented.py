"""The least sizes of text in figures: 13 px on a page; for a projector 22 px, with larger marks and
thicker lines."""

from typing import Any

Json = dict[str, Any]  # a part of a figure as Plotly's JSON: each property has a type of its own

TEXT, TITLE = 22, 24  # px, for a projector
LEGIBLE = 13  # px, on a page
MARKS, LINES, TALLER = 1.6, 1.6, 1.35  # times the size that they have on a page
BROKEN = 1.8  # times the height of a figure whose rows have names of several lines
AWAY = 18  # px more between ticks and title: a large title turned on its side reaches into them
ABOVE = 1.8  # times the room above, where titles of panels stand
AXES = ("xaxis", "yaxis", "coloraxis")
MARK, LINE = 6.0, 2.0  # px that Plotly draws where a figure says nothing


def presented(spec: Json) -> Json:
    """Return a figure (data, layout) for a projector, and leave the given one as it is."""
    layout = dict(spec.get("layout", {}))
    layout["font"] = enlarged(layout.get("font"))
    layout["height"] = round(layout.get("height", 450) * (BROKEN if has_lines(layout) else TALLER))
    if "t" in layout.get("margin", {}):
        layout["margin"] = layout["margin"] | {"t": round(layout["margin"]["t"] * ABOVE)}
    for name in ("legend", "hoverlabel"):
        layout[name] = with_font(layout.get(name))
    layout["legend"] = with_title(layout["legend"], TEXT)
    layout["title"] = with_font(layout.get("title"), TITLE)
    layout["annotations"] = [with_font(note) for note in layout.get("annotations", [])]
    for name in {*AXES[:2], *(name for name in layout if name.startswith(AXES))}:
        layout[name] = axis(layout.get(name))
    return {**spec, "layout": layout, "data": [trace(one) for one in spec.get("data", [])]}


def legible(spec: Json) -> Json:
    """Return a figure (data, layout) whose texts have at least LEGIBLE px on a page, and leave the
    given one as it is. Streamlit draws what names no size at 13 px or more, but for legends and
    numbers along axes."""
    layout = raised(spec.get("layout", {}))
    layout["legend"] = with_title(with_font(layout.get("legend"), LEGIBLE), LEGIBLE)
    for name in {*AXES[:2], *(name for name in layout if name.startswith(AXES))}:
        layout[name] = with_numbers(layout.get(name))
    return {**spec, "layout": layout, "data": [with_bars(raised(d)) for d in spec.get("data", [])]}


def raised(part: Json) -> Json:
    """Return a part of a figure in which no font that names a size is smaller than LEGIBLE."""
    made = dict(part)
    for name, held in part.items():
        if name.endswith("font") and isinstance(held, dict) and "size" in held:
            made[name] = enlarged(held, LEGIBLE)
        elif name != "template" and isinstance(held, dict):
            made[name] = raised(held)
        elif isinstance(held, list):
            made[name] = [raised(one) if isinstance(one, dict) else one for one in held]
    return made


def with_numbers(held: Json | None) -> Json:
    """Return an axis, or a colour axis with its bar, whose numbers have at least LEGIBLE px."""
    made = dict(held or {})
    if "colorbar" in made or "colorscale" in made:
        return made | {"colorbar": with_numbers(made.get("colorbar"))}
    return made | {"tickfont": enlarged(made.get("tickfont"), LEGIBLE)}


def with_bars(held: Json) -> Json:
    """Return a trace, or its marks, with the numbers along its colour bar."""
    made = dict(held)
    if "colorbar" in made:
        made["colorbar"] = with_numbers(made["colorbar"])
    if isinstance(made.get("marker"), dict):
        made["marker"] = with_bars(made["marker"])
    return made


def has_lines(layout: Json) -> bool:
    """Return whether a y axis names its rows in several lines."""
    axes = [part for name, part in layout.items() if name.startswith("yaxis")]
    return any("<br>" in str(text) for one in axes for text in one.get("ticktext") or ())


def enlarged(font: Json | None, least: float = TEXT) -> Json:
    """Return the font, no smaller than `least` px."""
    held = dict(font or {})
    size = held.get("size", least)
    if isinstance(size, dict):  # packed numbers, of single marks
        return held
    held["size"] = [max(s, least) for s in size] if isinstance(size, list) else max(size, least)
    return held


def with_font(part: Json | str | None, least: float = TEXT) -> Json:
    """Return a part of a layout with its font enlarged; a title may be its text alone."""
    held: Json = {"text": part} if isinstance(part, str) else dict(part or {})
    return held | {"font": enlarged(held.get("font"), least)}


def with_title(legend: Json, least: float) -> Json:
    """Return a legend whose title, if it has one, is as large as its entries at least."""
    title = with_font(legend.get("title"), least)
    return legend | {"title": title} if title.get("text") else legend


def axis(held: Json | None) -> Json:
    """Return an axis, or a colour axis with its bar, with its ticks and title enlarged."""
    made = dict(held or {})
    if "colorbar" in made or "colorscale" in made:
        return made | {"colorbar": axis(made.get("colorbar"))}
    title = with_font(made.get("title"), TITLE)
    if "standoff" in title:
        title["standoff"] += AWAY
    return made | {"tickfont": enlarged(made.get("tickfont")), "title": title}


def trace(held: Json) -> Json:
    """Return a trace with its text, marks and lines enlarged."""
    made = dict(held)
    if "text" in made or "texttemplate" in made:
        made["textfont"] = enlarged(made.get("textfont"))
    if "colorbar" in made:
        made["colorbar"] = axis(made["colorbar"])
    if made.get("type", "scatter") in ("scatter", "scattergl"):
        made["marker"] = grown(made.get("marker"), "size", MARKS, MARK)
        made["line"] = grown(made.get("line"), "width", LINES, LINE)
    if isinstance(made.get("marker"), dict) and "colorbar" in made["marker"]:
        made["marker"]["colorbar"] = axis(made["marker"]["colorbar"])
    return made


def grown(part: Json | None, name: str, times: float, usual: float) -> Json:
    """Return a mark or a line, larger by a factor. Plotly's JSON may hold sizes of single marks as
    packed numbers: they stay."""
    held = dict(part or {})
    size = held.get(name, usual)
    if isinstance(size, list):
        return held | {name: [s * times for s in size]}
    return held if isinstance(size, dict) else held | {name: size * times}
