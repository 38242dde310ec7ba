"""A strict reader of Prometheus' text format: what its own parser and linter refuse is
refused here."""

import re
from collections import defaultdict

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([^ ]+)")
COMMENT = re.compile(rf"# (HELP|TYPE) ({NAME}) (.+)")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
NO_BASE_UNIT = re.compile(r"_(ms|us|ns|millis\w*|micros\w*|nanos\w*|minutes?|hours?|days?|"
                          r"kb|mb|kib|mib|kilobytes|megabytes|percent)(_|$)")


def parse(text):
    """{family: {labels as a frozenset: value}}; histogram parts under their own names."""
    assert text.endswith("\n"), "no newline at the end"
    types, helped, families, current = {}, set(), defaultdict(dict), None
    done = set()
    for line in text[:-1].split("\n"):
        comment = COMMENT.fullmatch(line)
        if comment:
            kind, name, value = comment.groups()
            if name != current:
                assert name not in done, f"{name} in two places"
                done.add(current)
                current = name
            if kind == "HELP":
                assert name not in helped, f"two HELP lines for {name}"
                helped.add(name)
            else:
                assert name not in types, f"two TYPE lines for {name}"
                assert value in TYPES, line
                types[name] = value
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, f"neither a sample nor a comment: {line}"
        name, labels, value = sample.groups()
        assert family_of(name, current, types) == current, f"outside its family: {line}"
        key = frozenset(read_labels(labels or "", line).items())
        assert key not in families[name], f"twice: {line}"
        families[name][key] = read_value(value, line)
    check_names(types, helped, families)
    check_histograms(types, families)
    return dict(families)


def family_of(name, current, types):
    if types.get(current) in ("histogram", "summary"):
        for part in ("_bucket", "_sum", "_count"):
            if name == current + part:
                return current
    return name


def read_labels(text, line):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match and match[1] not in labels, f"labels: {line}"
        labels[match[1]] = match[2]
        at = match.end()
    return labels


def read_value(text, line):
    assert re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?Inf|NaN", text), line
    return float(text)


def check_names(types, helped, families):
    for name, kind in types.items():
        assert name in helped, f"{name} has no HELP"
        assert not NO_BASE_UNIT.search(name), f"{name}: not in a base unit"
        assert name.endswith("_total") == (kind == "counter"), f"{name} is a {kind}"
        assert not name.endswith(("_bucket", "_sum", "_count")), name
    for name in families:
        assert name in types or name.rsplit("_", 1)[0] in types, f"{name} has no TYPE"


def check_histograms(types, families):
    for name in (n for n, kind in types.items() if kind == "histogram"):
        series = defaultdict(list)
        for labels, value in families[name + "_bucket"].items():
            labels = dict(labels)
            bound = float(labels.pop("le").replace("+Inf", "inf"))
            series[frozenset(labels.items())].append((bound, value))
        for labels, buckets in series.items():
            bounds, counts = zip(*buckets)
            assert list(bounds) == sorted(bounds) and bounds[-1] == float("inf"), name
            assert list(counts) == sorted(counts), f"{name}: buckets do not add up"
            assert families[name + "_count"][labels] == counts[-1], name
            assert labels in families[name + "_sum"], name


def total(families, name, **labels):
    """The sum over all series of that name with these labels."""
    wanted = set(labels.items())
    return sum(value for key, value in families[name].items() if wanted <= key)
