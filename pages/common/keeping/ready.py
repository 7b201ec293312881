"""Values in the form in which the browser gets them."""

import json
from collections.abc import Mapping


class Ready(dict[str, object]):
    """A mapping with its JSON, which is written once. Nobody changes it."""

    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__(values)
        self.text = json.dumps(dict(self))


def as_json(values: Mapping[str, object], more: Mapping[str, object]) -> str:
    """Return both mappings as one JSON object; an entry of `more` counts where both have one."""
    if not isinstance(values, Ready):
        return json.dumps({**values, **more})
    if not more:
        return values.text
    return f"{values.text[:-1]}{', ' if values else ''}{json.dumps(dict(more))[1:]}"
