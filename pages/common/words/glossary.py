"""The words that a newcomer may not know. The browser finds them on a page, underlines the first
mention of each with dots and shows its definition (`words.js`)."""

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIST = Path(__file__).with_name("glossary.toml")


@dataclass(frozen=True)
class Word:
    """A word, the forms in which pages write it, and what it means."""

    term: str
    forms: tuple[str, ...]
    text: str


@cache
def glossary() -> tuple[Word, ...]:
    """Return all words, in the order of the alphabet."""
    words = tomllib.loads(LIST.read_text(encoding="utf-8"))["word"]
    return tuple(Word(word["term"], tuple(word["forms"]), word["text"]) for word in words)


@cache
def for_browser() -> str:
    """Return the words as JSON that may stand inside a script element."""
    words = [{"term": w.term, "forms": w.forms, "text": w.text} for w in glossary()]
    return json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")
