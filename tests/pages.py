"""Reading the pages: README.md, docs/ and examples/README.md, their headings, tables and blocks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = "examples/README.md"
FILES = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
FILES[EXAMPLES] = ROOT / EXAMPLES
PAGES = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
ALL_TEXT = "\n".join(PAGES.values())
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in FENCED.findall(text) if language in languages]


def section(name: str, title: str) -> str:
    """The text under a heading, down to the next heading of its rank or a higher one."""
    found = re.search(rf"^(#+) {re.escape(title)}$\n(.*)", PAGES[name], re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no heading {title!r}"
    return re.split(rf"^#{{1,{len(found[1])}}} ", found[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    kept = [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=False)
        if not line.startswith("|--") and not following.startswith("|--")
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in kept]


def keys(text: str) -> list[str]:
    """What the first column of the tables in `text` names."""
    return [name for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])]


def slugs(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
