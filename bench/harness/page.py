"""The same tables as one HTML page that needs nothing else: bars are drawn in it."""

import html

STYLE = """
:root { color-scheme: light dark; --bar: #4a7fb5; --ours: #2a9d5c; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th.word, td.word { text-align: left; }
.missed { color: #d33; font-weight: bold; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
svg { display: block; margin: .5rem 0 1.5rem; }
"""

LABEL, WIDTH, ROW, ROOM = 330, 420, 18, 110  # pixels


def number_in(cell):
    """1 234.5 -> 1234.5; None for what is no number."""
    try:
        return float(str(cell).replace(" ", "").rstrip("%"))
    except ValueError:
        return None


def labelled(table):
    """(label, whether it is ours, value) of each row: the words in front, then the number
    in the column that is drawn. A first column left empty goes on from the row above."""
    above = ""
    for row in table["rows"]:
        above = str(row[0]) or above
        words = [above] + [str(word) for word in row[1:table["left"]]]
        value = number_in(row[table["columns"].index(table["plot"])])
        if value is not None:
            yield ", ".join(filter(None, words)), "holdfast" in words, value


def draw(table):
    rows = list(labelled(table))
    most = max((value for _, _, value in rows), default=0)
    if most <= 0:
        return ""
    parts = [f'<svg width="{LABEL + WIDTH + ROOM}" height="{ROW * (len(rows) + 1)}" '
             f'role="img" aria-label="{html.escape(table["plot"])}">',
             f'<text x="{LABEL}" y="12">{html.escape(table["plot"])}</text>']
    for number, (label, ours, value) in enumerate(rows, 1):
        top, long = number * ROW, max(value / most * WIDTH, 1)
        shown = f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
        colour = "--ours" if ours else "--bar"
        parts.append(
            f'<text x="{LABEL - 8}" y="{top + 12}" text-anchor="end">{html.escape(label)}'
            f'</text><rect x="{LABEL}" y="{top + 2}" width="{long:.1f}" height="{ROW - 5}" '
            f'style="fill:var({colour})"/>'
            f'<text x="{LABEL + long + 6:.1f}" y="{top + 12}">{shown}</text>')
    return "\n".join(parts + ["</svg>"])


def cell(tag, text, is_word):
    kind = ' class="word"' if is_word else ""
    if str(text).startswith("MISSED"):
        kind = ' class="word missed"'
    return f"<{tag}{kind}>{html.escape(str(text))}</{tag}>"


def tabulate(table):
    lines = ["<table>"]
    for tag, row in [("th", table["columns"])] + [("td", row) for row in table["rows"]]:
        cells = (cell(tag, text, i < table["left"]) for i, text in enumerate(row))
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join(lines + ["</table>"])


def write(path, title, blocks):
    """`blocks`: what report.py has kept, in order."""
    parts = ["<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
             f"<title>{html.escape(title)}</title>", f"<style>{STYLE}</style>", "</head>",
             "<body>", f"<h1>{html.escape(title)}</h1>"]
    for kind, content in blocks:
        if kind == "heading":
            parts.append(f"<h2>{html.escape(content)}</h2>")
        elif kind == "note":
            parts.append(f"<p>{html.escape(content)}</p>")
        else:
            parts.append(tabulate(content))
            if content["plot"]:
                parts.append(draw(content))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts + ["</body>", "</html>", ""]))
