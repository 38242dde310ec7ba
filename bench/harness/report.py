"""Tables for people: aligned columns, one line of progress while something runs."""

import sys

blocks = []  # all that was told, as (kind, content), for page.py


def progress(text):
    """Overwrites itself on a terminal; silent elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()


class Table:
    """Rows are printed as they come; the widths are those of the head. The first `left`
    columns hold words, the others numbers; a page draws the column `plot`."""

    def __init__(self, *columns, left=1, plot=None):
        self.left = left
        self.widths = [max(len(name), least) for name, least in columns]
        self.kept = {"columns": [name for name, _ in columns], "left": left,
                     "plot": plot, "rows": []}
        self.print(self.kept["columns"])
        self.rule()
        blocks.append(("table", self.kept))

    def row(self, *cells):
        self.kept["rows"].append(cells)
        self.print(cells)

    def print(self, cells):
        progress("")
        line = "  ".join(
            str(cell).ljust(width) if i < self.left else str(cell).rjust(width)
            for i, (cell, width) in enumerate(zip(cells, self.widths)))
        print(line.rstrip(), flush=True)

    def rule(self):
        print("  ".join("-" * width for width in self.widths), flush=True)


def heading(text):
    blocks.append(("heading", text))
    progress("")
    print(f"\n{text}\n", flush=True)


def note(text):
    blocks.append(("note", text))
    progress("")
    print("  " + text, flush=True)


def count(value):
    """1234567 -> 1 234 567"""
    return f"{value:,.0f}".replace(",", " ")


def shape(size, pairs, batch):
    return f"{size} B, {pairs} pair{'s' if pairs > 1 else ''}, {batch} per write"


def ratio(value):
    return "-" if value is None else f"{value:.2f}"


def percent(share):
    return f"{share * 100:.0f} %"


class Bars:
    """What was promised, and whether it was met."""

    def __init__(self):
        self.results = []

    def at_most(self, what, value, bar, unit=""):
        self.add(what, value, f"<= {bar:g}{unit}", value <= bar,
                 value / bar - 1 if bar else 1.0)

    def at_least(self, what, value, bar, unit=""):
        self.add(what, value, f">= {bar:g}{unit}", value >= bar, 1 - value / bar)

    def add(self, what, value, bar, met, by):
        self.results.append({"what": what, "value": value, "bar": bar, "met": met,
                             "missed by": 0.0 if met else by})

    def print(self):
        if not self.results:
            return
        heading("Bars")
        table = Table(("", 58), ("measured", 10), ("bar", 10), ("", 18))
        for r in self.results:
            verdict = "met" if r["met"] else f"MISSED by {percent(r['missed by'])}"
            table.row(r["what"], f"{r['value']:.2f}", r["bar"], verdict)
