"""Reading pages of HTML: that they are whole and need nothing from elsewhere."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link", "input"}
LOADING = ("src", "href", "srcset", "data", "action", "poster", "background")


class Page(HTMLParser):
    """Tags, text, tables and images of a page; every tag is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.tables: list[list[list[str]]] = []
        self.headings: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.loaded: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.loaded += [f"{key}={found[key]}" for key in LOADING if key in found]
        if tag == "img":
            self.images.append(found)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        where = self._open[-1] if self._open else ""
        if where in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif where in ("h1", "h2", "h3"):
            self.headings[-1] += data
        if where not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read."""
        return " ".join(self.words)

    def check_self_contained(self) -> None:
        """Nothing is loaded, nothing runs, and every image is a picture with words for it."""
        assert not {"script", "link", "iframe", "object", "embed", "base"} & self.tags
        for image in self.images:
            source = str(image["src"])
            assert source.startswith("data:image/png;base64,")
            picture = base64.b64decode(source.partition(",")[2], validate=True)
            assert picture.startswith(b"\x89PNG")
            assert image["alt"]
        assert self.loaded == [f"src={image['src']}" for image in self.images]
