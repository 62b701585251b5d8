"""A capture as one HTML page that needs nothing else: to be attached to a bug report.

What happened over time, how each attribute moved, every error with its frame, the first and the last frames. No
scripts; secrets of frames are not in it. One pass, bounded in memory and in size.
"""

from collections.abc import Iterable
from html import escape

from mcu_proto.const import MCU, MODULE
from mcu_proto.datapoint import Schema
from mcu_proto.names import BAD_NAMES, CMD_NAMES

from ..event_lines import observed_lines
from ..observer import Counts, Observed, Observer
from ..view import attrs_text
from .digest import MAX_ERRORS, MAX_FRAMES, Digest
from .figures import attribute_figure, timeline_figure
from .writer import CaptureError

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%(title)s</title><style>
:root { --ink: #1c2733; --dim: #667; --paper: #fff; --line: #d5dae0; --module: #1769aa; --mcu: #2e7d32; --bad: #c62828 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --dim: #9aa5b1; --paper: #14191f; --line: #38414b }
  :root { --module: #64b5f6; --mcu: #81c784; --bad: #ef7a78 }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid var(--line) }
p.dim, td.dim, figcaption { color: var(--dim) }
.bad { color: var(--bad) } .module { color: var(--module) } .mcu { color: var(--mcu) }
table { border-collapse: collapse } td, th { text-align: left; padding: .15rem .9rem .15rem 0; vertical-align: top }
th { font-weight: 600 } td.number { text-align: right; font-variant-numeric: tabular-nums }
pre { font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; margin: .2rem 0 } figure { margin: .8rem 0 }
svg { width: 100%%; height: auto; display: block } svg text { fill: var(--dim); font: 11px system-ui, sans-serif }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: .3rem 1.5rem }
</style></head><body>
<h1>%(title)s</h1><p class="dim">%(about)s</p>
%(body)s
</body></html>
"""


def write_report(path: str, name: str, items: Iterable[tuple], observer: Observer) -> None:
    """The page of these items, which `observer` has made; CaptureError when it cannot be written."""
    digest = Digest()
    digest.feed(items)
    page = report_page(name, digest, observer)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    except OSError as e:
        raise CaptureError("%s cannot be written: %s" % (path, e.strerror)) from None


def report_page(name: str, digest: Digest, observer: Observer) -> str:
    """The HTML."""
    about = "%s%s, %.3f s" % (digest.title + ", " if digest.title else "", digest.began, digest.last_us / 1e6)
    sections = [
        _summary(observer.counts, digest),
        _damage(digest),
        "<h2>Timeline</h2>" + timeline_figure(digest.timeline, digest.notes, digest.last_us),
        _notes(digest),
        _attributes(digest, observer.schema),
        _errors(digest, observer.schema),
        _commands(observer.counts),
        _frames(digest, observer.schema),
    ]
    values = {"title": escape("Capture " + name), "about": escape(about.strip(", ")), "body": "\n".join(sections)}
    return _PAGE % values


def _summary(counts: Counts, digest: Digest) -> str:
    trips = sorted(counts.round_trips)
    rows = [
        ("frames of the module", "%d, %d bytes" % (counts.frames[MODULE], counts.bytes[MODULE])),
        ("frames of the MCU", "%d, %d bytes" % (counts.frames[MCU], counts.bytes[MCU])),
        ("sent again", counts.repeats),
        ("never answered", counts.unanswered),
        ("called illegal by the other end", counts.complaints),
        ("bytes that are no frame", counts.noise_bytes),
    ]
    rows += [("bad frames, " + BAD_NAMES.get(reason, str(reason)), n) for reason, n in sorted(counts.bad.items())]
    if trips:
        # Of the newest thousand.
        text = "%.1f ms, %.1f to %.1f ms" % (trips[len(trips) // 2] / 1e3, trips[0] / 1e3, trips[-1] / 1e3)
        rows.append(("from request to ack, median and range", text))
    cells = "".join("<tr><td>%s</td><td class=number>%s</td></tr>" % (escape(k), escape(str(v))) for k, v in rows)
    return "<h2>Summary</h2><table>%s</table>" % cells


def _damage(digest: Digest) -> str:
    if not digest.damage:
        return ""
    rows = "".join("<li>line %d: %s</li>" % (each.line, escape(each.why)) for each in digest.damage)
    return '<h2 class="bad">The file is damaged</h2><p>What could be read is below.</p><ul>%s</ul>' % rows


def _notes(digest: Digest) -> str:
    if not digest.notes:
        return ""
    rows = "".join(
        "<tr><td class=number>%.3f</td><td>%s</td></tr>" % (note.time_us / 1e6, escape(note.text))
        for note in digest.notes
    )
    return "<h2>Notes</h2><table>%s</table>" % rows


def _attributes(digest: Digest, schema: Schema | None) -> str:
    if schema is None:
        return "<h2>Attributes</h2><p class=dim>Not known: the report was made without a product definition.</p>"
    moved = [attr for attr in schema.attrs if len(getattr(digest.series.get(attr.name), "points", ())) > 1]
    still = [attr for attr in schema.attrs if attr.name in digest.series and attr not in moved]
    figures = "".join(attribute_figure(attr, digest.series[attr.name], digest.last_us) for attr in moved)
    text = '<h2>Attributes</h2><div class="grid">%s</div>' % figures if figures else "<h2>Attributes</h2>"
    if still:
        words = attrs_text({attr.name: digest.series[attr.name].points[0][1] for attr in still})
        text += "<p class=dim>Never changed: %s</p>" % escape(words)
    if not moved and not still:
        text += "<p class=dim>No report in this capture.</p>"
    return text


def _errors(digest: Digest, schema: Schema | None) -> str:
    if not digest.errors:
        return "<h2>Errors</h2><p>None.</p>"
    more = digest.errors_in_all - len(digest.errors)
    text = "<h2>Errors (%d)</h2>" % digest.errors_in_all + _listing(digest.errors, schema)
    return text + ("<p class=dim>and %d more after the first %d</p>" % (more, MAX_ERRORS) if more > 0 else "")


def _commands(counts: Counts) -> str:
    rows = "".join(
        "<tr><td>%02x</td><td>%s</td><td class=number>%d</td></tr>" % (cmd, escape(CMD_NAMES.get(cmd, "unknown")), n)
        for cmd, n in sorted(counts.commands.items())
    )
    return "<h2>Commands</h2><table>%s</table>" % rows


def _frames(digest: Digest, schema: Schema | None) -> str:
    text = "<h2>Frames</h2><details><summary>The first %d</summary>%s</details>" % (
        len(digest.first),
        _listing(digest.first, schema),
    )
    if digest.newest:
        listing = _listing(list(digest.newest), schema)
        text += "<details><summary>The last %d</summary>%s</details>" % (min(len(digest.newest), MAX_FRAMES), listing)
    return text


def _listing(items: list[Observed], schema: Schema | None) -> str:
    blocks = []
    for observed in items:
        lines = observed_lines(observed, schema, with_hex=True)
        kind = {MODULE: "module", MCU: "mcu"}.get(observed.sender, "")
        kind = "bad" if lines[0][7:9] == "--" else kind
        body = "\n".join(" " * 11 + line for line in lines[1:])
        blocks.append(
            '<span class="%s">%9.3f  %s</span>\n%s' % (kind, observed.time_us / 1e6, escape(lines[0]), escape(body))
        )
    return "<pre>%s</pre>" % "\n".join(blocks)
