"""The project's Markdown as pages: docs/ as a site, without a build or a network. Pure, but for reading files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from wsgilab.view.refusal import NotShown

PAGES = (
    "tutorial",
    "workshop",
    "devtools",
    "how-to",
    "reference",
    "reasons",
    "explanation",
    "internals",
    "troubleshooting",
    "python",
    "glossary",
    "lesson",
)
"""Of docs/, in the order in which a reader may want them. Others that are there come after them."""
IMAGE = re.compile(r"[\w-]+\.(?:png|svg)", re.ASCII)
EXERCISE = re.compile(r"\.\./workshop/(\d\d)-[\w-]+(?:/README\.md)?/?", re.ASCII)
NAME = re.compile(r"[\w-]+", re.ASCII)
FOR_THE_INSTRUCTOR = re.compile(r"^## Answer key$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
"""A section that the site leaves to the file: who takes part in a workshop has the site open."""

Link = Callable[[str], str | None]
"""Where a link of a text leads in the site; None for a file that the site does not have."""


@dataclass(frozen=True)
class Document:
    """A text as a page."""

    title: str
    html: Markup
    headings: tuple[tuple[str, str], ...]
    """(anchor, text) of each heading of the second level."""


def names(folder: Path) -> list[str]:
    """The texts of docs/, without `.md`."""
    there = {path.stem for path in folder.glob("*.md") if NAME.fullmatch(path.stem)}
    return [*(name for name in PAGES if name in there), *sorted(there - set(PAGES))]


def read(folder: Path, name: str) -> Document:
    """A text of docs/ as a page. Raises NotShown where there is none."""
    path = folder / f"{name}.md"
    if not NAME.fullmatch(name) or not path.is_file():
        raise NotShown(HTTPStatus.NOT_FOUND, f"docs/ has no text '{name:.40}'.", "ls docs")
    return page(open_to_all(path.read_text(encoding="utf-8"), path.name), in_docs)


def open_to_all(text: str, name: str) -> str:
    """A text without what is for the instructor alone, who is told where that is."""
    return FOR_THE_INSTRUCTOR.sub(
        f"## Answer key\n\nIt is not on this page: the instructor finds it in the file `docs/{name}`.\n\n", text
    )


def page(text: str, link: Link) -> Document:
    """Markdown as a page; what stands before its first heading of the first level is its title's."""
    tokens = parsed(text, link)
    title, headings = "", []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            said = _plain(tokens[place + 1])
            if token.tag == "h1" and not title:
                title = said
            if token.tag == "h2":
                headings.append((str(token.attrs["id"]), said))
    return Document(title, rendered(tokens), tuple(headings))


def parsed(text: str, link: Link) -> list[Token]:
    """The text's tokens, with anchors on its headings and its links leading into the site."""
    tokens = _markdown().parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slug(_plain(tokens[place + 1])))
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.children:
            token.children = list(_led(token.children, link))
    return tokens


def rendered(tokens: Sequence[Token]) -> Markup:
    """Tokens as HTML; whatever they hold is escaped."""
    markdown = _markdown()
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading, so that one link is right in both places."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def in_docs(target: str) -> str | None:
    """A link of a text in docs/, in the site."""
    if re.match(r"https?://|#", target):
        return target
    path, sign, anchor = target.partition("#")
    if path == "../README.md":
        return f"/docs/readme{sign}{anchor}"
    at = PurePosixPath(path)
    if at.suffix == ".md" and len(at.parts) == 1:
        return f"/docs/{at.stem}{sign}{anchor}"
    if exercise := EXERCISE.fullmatch(path):
        return f"/exercises/{int(exercise[1])}"
    if at.parts[:1] == ("images",) and IMAGE.fullmatch(at.name):
        return f"/docs/images/{at.name}"
    return None


def from_the_root(target: str) -> str | None:
    """A link of the README, in the site."""
    if target.startswith("docs/"):
        return in_docs(target.removeprefix("docs/"))
    return target if re.match(r"https?://|#", target) else None


def _led(tokens: Iterable[Token], link: Link) -> Iterator[Token]:
    """The same with every link leading into the site; what leads to no page of it stays as words."""
    open_links: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            target = link(str(token.attrs.get("href", "")))
            open_links.append(target is not None)
            if target is None:
                continue
            token.attrSet("href", target)
            if target.startswith("http"):
                token.attrSet("rel", "noreferrer")
        elif token.type == "link_close":
            if not open_links.pop():
                continue
        elif token.type == "image":
            token.attrSet("src", link(str(token.attrs.get("src", ""))) or "data:,")
        yield token


def _plain(inline: Token) -> str:
    """The words of a heading."""
    return "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("table_open", _table_open)
    made.add_render_rule("table_close", _table_close)
    made.add_render_rule("code_block", _code)
    made.add_render_rule("fence", _code)
    return made


def _table_open(*_: Any) -> str:
    """A wide table scrolls by itself; the page never does."""
    return '<div class="scroll" role="region" tabindex="0" aria-label="Table">\n<table>\n'


def _table_close(*_: Any) -> str:
    return "</table>\n</div>\n"


def _code(_renderer: object, tokens: Sequence[Token], place: int, *_: Any) -> str:
    """Lines of code scroll by themselves, with the keyboard too."""
    return f'<pre class="scroll" tabindex="0"><code>{escape(tokens[place].content)}</code></pre>\n'
