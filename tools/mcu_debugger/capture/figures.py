"""The drawings of a report: SVG in the page, coloured by its style sheet."""

from html import escape

from mcu_proto.datapoint import Attr

from ..view import value_text
from .digest import Series, Timeline
from .record import Note

_WIDTH = 1000
_LANE = 46
_PLOT = 90
_LEFT = 60


def timeline_figure(timeline: Timeline, notes: list[Note], last_us: int) -> str:
    """How many frames each end sent, and where errors were; notes are flags above."""
    columns = timeline.columns or [[0, 0, 0]]
    span = max(len(columns) * timeline.width_us, 1)
    scale = (_WIDTH - _LEFT) / span
    width = max(timeline.width_us * scale, 0.8)
    highest = max(max(column[0], column[1]) for column in columns) or 1
    marks = []
    for i, (module, mcu, errors) in enumerate(columns):
        x = _LEFT + i * timeline.width_us * scale
        for count, top, name in ((module, 22, "module"), (mcu, 22 + _LANE, "mcu")):
            if count:
                height = max(count / highest * (_LANE - 8), 2)
                marks.append(_rect(x, top + _LANE - 6 - height, width, height, name))
        if errors:
            marks.append(_rect(x, 22 + 2 * _LANE, max(width, 2), 14, "bad"))
    flags = [
        '<line x1="%.1f" x2="%.1f" y1="8" y2="%d" stroke="var(--dim)" stroke-dasharray="3 3"><title>%s</title></line>'
        % (_LEFT + note.time_us * scale, _LEFT + note.time_us * scale, 36 + 2 * _LANE, escape(note.text))
        for note in notes
    ]
    names = "".join(
        '<text x="0" y="%d">%s</text>' % (y, name)
        for y, name in ((22 + _LANE - 8, "module"), (22 + 2 * _LANE - 8, "MCU"), (34 + 2 * _LANE, "errors"))
    )
    caption = "frames a column of %s; the highest has %d" % (_duration(timeline.width_us), highest)
    return "<figure>%s<figcaption>%s</figcaption></figure>" % (
        _svg(22 + 2 * _LANE + 34, "".join(marks + flags) + names + _axis(span, scale, 22 + 2 * _LANE + 18)),
        caption,
    )


def attribute_figure(attr: Attr, series: Series, last_us: int) -> str:
    """One attribute as steps: it keeps a value until the next report says otherwise."""
    heights = [_height(attr, value) for _, value in series.points]
    low, high = min(heights), max(heights)
    span = max(last_us, 1)
    width = 420
    scale = (width - _LEFT) / span

    def y(height: float) -> float:
        return 8 + (_PLOT - 16) * (1 - (height - low) / ((high - low) or 1))

    path = "M%.1f %.1f" % (_LEFT + series.points[0][0] * scale, y(heights[0]))
    for (time_us, _), height in zip(series.points[1:], heights[1:], strict=True):
        path += "H%.1fV%.1f" % (_LEFT + time_us * scale, y(height))
    path += "H%.1f" % width
    labels = "".join(
        '<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (_LEFT - 6, y(height) + 4, escape(_label(attr, height)))
        for height in {low, high}
    )
    line = '<path d="%s" fill="none" stroke="var(--mcu)" stroke-width="1.5"/>' % path
    caption = "%s, %d changes, %s at the end" % (attr.name, series.changes - 1, value_text(series.points[-1][1]))
    return "<figure>%s<figcaption>%s</figcaption></figure>" % (
        _svg(_PLOT, line + labels, width),
        escape(caption),
    )


def _height(attr: Attr, value: object) -> float:
    if isinstance(value, bytes):
        return float(int.from_bytes(value, "big"))
    if isinstance(value, str):
        return float(attr.spec.index(value))
    return float(value)  # type: ignore[arg-type]


def _label(attr: Attr, height: float) -> str:
    if attr.data_type == "bool":
        return "true" if height else "false"
    if attr.data_type == "enum" and height < len(attr.spec):
        return str(attr.spec[int(height)])
    return "" if attr.data_type == "binary" else "%.6g" % height


def _axis(span_us: int, scale: float, y: float) -> str:
    parts = 5
    return "".join(
        '<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>'
        % (
            _LEFT + span_us * i / parts * scale,
            y + 10,
            "end" if i == parts else "start" if i == 0 else "middle",
            _duration(span_us * i // parts),
        )
        for i in range(parts + 1)
    )


def _duration(us: int) -> str:
    if us < 1_000_000:
        return "%.4g ms" % (us / 1e3)
    if us < 120_000_000:
        return "%.4g s" % (us / 1e6)
    return "%d:%02d:%02d" % (us // 3_600_000_000, us // 60_000_000 % 60, us // 1_000_000 % 60)


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return '<rect x="%.1f" y="%.1f" width="%.2f" height="%.1f" fill="var(--%s)"/>' % (x, y, width, height, colour)


def _svg(height: float, inside: str, width: float = _WIDTH) -> str:
    return '<svg viewBox="0 0 %d %d" role="img">%s</svg>' % (width, height, inside)
