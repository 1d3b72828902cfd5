"""Pieces of a self-contained page of HTML: tables, figures, parts that fold; text is escaped."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 130
"""Of figures; sharp on a phone and in print, and small."""

_STYLE = """
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;color:#2b3036;background:#fff;max-width:62rem;
margin:0 auto;padding:1rem}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.2rem;margin:2.2rem 0 .5rem;padding-bottom:.2rem;border-bottom:1px solid #d5d9dd}
h3{font-size:1rem;margin:1.2rem 0 .3rem}
p,li{max-width:46rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;margin:.4rem 0}
th,td{padding:.2rem .6rem;border-bottom:1px solid #e6e9ec;text-align:right;white-space:nowrap}
th{font-weight:600;border-bottom-color:#9aa1a8}
th:first-child,td:first-child,td.text,th.text{text-align:left}
td.text{white-space:normal;overflow-wrap:anywhere}
tr.marked td{background:#fdf1e3}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem}
figure{margin:.6rem 0}
img{max-width:100%;height:auto}
figcaption,.small{font-size:.875rem;color:#555c63}
details{margin:.6rem 0}
summary{cursor:pointer;color:#0a5a94}
pre{font-size:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;background:#f5f7f8;padding:.6rem}
@media print{body{font-size:10pt;max-width:none;padding:0}figure,tr{break-inside:avoid}
h2,h3{break-after:avoid}.wide{overflow:visible}th,td{padding:.1rem .3rem;font-size:8pt}
details::details-content{content-visibility:visible;block-size:auto}}
"""


def page(title: str, lead: str, *blocks: str) -> str:
    """The whole page: a heading, a sentence below, and blocks of HTML.

    Nothing is loaded from elsewhere; its security policy does not let it.
    """
    body = _joined(blocks)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{text(title)}</h1>
<p>{text(lead)}</p>
{body}
</body>
</html>
"""


def text(value: object) -> str:
    """Anything as escaped text."""
    return html.escape(str(value))


def _joined(blocks: Sequence[str]) -> str:
    """Blocks that are not empty."""
    return "\n".join(block for block in blocks if block)


def section(heading: str, *blocks: str) -> str:
    """Blocks below a heading; nothing where there are none."""
    body = _joined(blocks)
    return f"<section>\n<h2>{text(heading)}</h2>\n{body}\n</section>" if body else ""


def subsection(heading: str, *blocks: str) -> str:
    """Blocks below a smaller heading; nothing where there are none."""
    body = _joined(blocks)
    return f"<h3>{text(heading)}</h3>\n{body}" if body else ""


def paragraph(words: str) -> str:
    """A paragraph."""
    return f"<p>{text(words)}</p>"


def listing(items: Sequence[str]) -> str:
    """A list; nothing where there are no items."""
    lines = "\n".join(f"<li>{text(item)}</li>" for item in items)
    return f"<ul>\n{lines}\n</ul>" if items else ""


def details(summary: str, *blocks: str) -> str:
    """Blocks that fold; nothing where there are none."""
    body = _joined(blocks)
    return f"<details><summary>{text(summary)}</summary>\n{body}\n</details>" if body else ""


def preformatted(words: str) -> str:
    """Text as it is."""
    return f"<pre>{text(words)}</pre>"


def table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], texts: Collection[int] = (),
    marked: Collection[int] = (),
) -> str:
    """A table; nothing without rows.

    Parameters
    ----------
    headings : sequence of str
        One a column.
    rows : sequence of sequence
        Cells of each row.
    texts : collection of int
        Columns beside the first whose cells are words.
    marked : collection of int
        Rows with a colour.
    """
    if not rows:
        return ""

    def line(tag: str, cells: Sequence[object]) -> str:
        return "".join(f'<{tag} class="text">{text(c)}</{tag}>' if k in texts
                       else f"<{tag}>{text(c)}</{tag}>" for k, c in enumerate(cells))

    body = "\n".join(
        f'<tr class="marked">{line("td", cells)}</tr>' if k in marked
        else f"<tr>{line('td', cells)}</tr>" for k, cells in enumerate(rows))
    return (f'<div class="wide"><table>\n<thead><tr>{line("th", headings)}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div>")


def facts(pairs: Sequence[tuple[str, object]]) -> str:
    """A table of two columns without a heading."""
    body = "\n".join(f'<tr><th class="text">{text(k)}</th><td class="text">{text(v)}</td></tr>'
                     for k, v in pairs)
    return f'<div class="wide"><table>\n<tbody>\n{body}\n</tbody></table></div>'


def image(figure: Figure, alt: str, caption: str = "") -> str:
    """A figure, inside the page as PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=_DPI, metadata={"Software": None})
    encoded = base64.b64encode(data.getvalue()).decode("ascii")
    width = round(96 * figure.get_figwidth())
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return (f'<figure><img src="data:image/png;base64,{encoded}" alt="{text(alt)}" '
            f'width="{width}">{below}</figure>')


def gallery(images: Sequence[str]) -> str:
    """Figures side by side where there is room; nothing where there are none."""
    return '<div class="figures">\n' + "\n".join(images) + "\n</div>" if images else ""


def number(value: object, digits: int = 3, sign: bool = False) -> str:
    """A number with so many decimals, "-" where it is none."""
    if not isinstance(value, (int, float)) or value != value or abs(value) == float("inf"):
        return "-"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
