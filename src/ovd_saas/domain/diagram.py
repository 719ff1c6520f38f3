"""Diagram: the machines as SVG text, with the present states lit. Floor 0: pure.

Only presentation attributes and classes, no styles: it may stand inline in a page with a strict content policy.
Everything is drawn in `currentColor`, so that it is right in light and dark; `STYLE` refines it.

Ids and classes: states are `<g id="state-service-asleep" class="state">` (`lit` when present), arrows are
`<g class="arrow" data-region="service" data-event="wake">` (`possible` when they leave a lit state).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import hypot

from ovd_saas.domain.layouts import APPLICATION, LAYOUTS, WIDTH, Frame, Layout, Point
from ovd_saas.domain.machine import Transition

BOX_WIDTH = 88.0
BOX_HEIGHT = 34.0
TITLE_HEIGHT = 30.0
GAP = 16.0
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

STYLE = """\
.life-cycle { max-width: 100%; height: auto; }
.life-cycle .state.lit { color: var(--tblr-primary, #206bc4); }
.life-cycle .state.lit rect { fill-opacity: 1; }
.life-cycle .state.lit text { fill: #fff; }
.life-cycle .arrow.possible { color: var(--tblr-primary, #206bc4); }
.life-cycle .arrow:hover { opacity: 1; }
"""
_STANDALONE = """\
svg { color: #182433; }
.paper { fill: #ffffff; }
@media (prefers-color-scheme: dark) { svg { color: #dce1e7; } .paper { fill: #182433; } }
"""
_PAPER = '<rect class="paper" width="100%" height="100%" fill="#ffffff"/>\n'


@dataclass(frozen=True)
class Arrow:
    """The rows of a table with the same way: one source (or frame) and one target."""

    rows: tuple[Transition, ...]
    frame: Frame | None = None

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.event for row in self.rows))

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.source for row in self.rows))

    @property
    def target(self) -> str:
        return self.rows[0].target


def diagram(
    lit: Mapping[str, str] | None = None,
    *,
    machines: Sequence[str] = APPLICATION,
    is_standalone: bool = False,
) -> str:
    """SVG text of these machines, one below the other; `lit` maps a machine to its present state.

    Machines are named as in `layouts.LAYOUTS`; KeyError for a state or machine that does not exist. With
    `is_standalone` the text is a file of its own, with its style; without, it is for inlining in a page.
    """
    lit = lit or {}
    for name, state in lit.items():
        LAYOUTS[name].machine.legal(state)
    with_titles = len(machines) > 1
    body: list[str] = []
    top = 0.0
    for name in machines:
        layout = LAYOUTS[name]
        if with_titles:
            body.append(_text(name.capitalize(), (8, top + 19), anchor="start", size=14, weight=600))
            top += TITLE_HEIGHT
        body.append(f'<g transform="translate(0 {_n(top)})">')
        body.extend(_machine(name, layout, lit.get(name)))
        body.append("</g>")
        top += layout.height + (GAP if with_titles else 0)
    return _svg(body, height=top, names=machines, is_standalone=is_standalone)


def arrows(layout: Layout) -> list[Arrow]:
    """Every row of the table in exactly one arrow."""
    found: dict[tuple[str, str], list[Transition]] = {}
    framed: dict[Frame, list[Transition]] = {frame: [] for frame in layout.frames}
    for row in layout.machine.transitions:
        frame = next((f for f in layout.frames if row.event == f.event and row.source in f.states), None)
        if frame is not None:
            framed[frame].append(row)
        else:
            found.setdefault((row.source, row.target), []).append(row)
    return [Arrow(tuple(rows)) for rows in found.values()] + [
        Arrow(tuple(rows), frame) for frame, rows in framed.items()
    ]


def _svg(body: list[str], *, height: float, names: Sequence[str], is_standalone: bool) -> str:
    label = escape(f"Life cycle: {', '.join(names)}")
    style = f"<style>\n{_STANDALONE}{STYLE}</style>\n{_PAPER}" if is_standalone else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="life-cycle" role="img" aria-label="{label}" '
        f'width="{WIDTH}" height="{_n(height)}" viewBox="0 0 {WIDTH} {_n(height)}" '
        f'font-family="{FONT}" fill="currentColor">\n{style}' + "\n".join(body) + "\n</svg>\n"
    )


def _machine(name: str, layout: Layout, lit: str | None) -> Iterator[str]:
    for frame in layout.frames:
        yield (
            f'<rect class="frame" x="{_n(frame.left)}" y="{_n(frame.top)}" width="{_n(frame.right - frame.left)}" '
            f'height="{_n(frame.bottom - frame.top)}" rx="12" fill="none" stroke="currentColor" '
            'stroke-opacity="0.35" stroke-dasharray="4 4"/>'
        )
    for arrow in arrows(layout):
        yield from _arrow(name, layout, arrow, lit)
    for state in layout.machine.states:
        yield from _state(name, layout, state, is_lit=state == lit)


def _state(name: str, layout: Layout, state: str, *, is_lit: bool) -> Iterator[str]:
    x, y = layout.places[state]
    is_final = layout.machine.is_final(state)
    fill = 'fill="currentColor" fill-opacity="0.16"' if is_lit else 'fill="currentColor" fill-opacity="0.04"'
    width = 2.5 if is_lit else 1.5
    yield f'<g id="state-{_slug(name)}-{_slug(state)}" class="state{" lit" * is_lit}">'
    yield f"<title>{escape(f'{state}: {layout.machine.states[state]}')}</title>"
    yield (
        f'<rect x="{_n(x - BOX_WIDTH / 2)}" y="{_n(y - BOX_HEIGHT / 2)}" width="{_n(BOX_WIDTH)}" '
        f'height="{_n(BOX_HEIGHT)}" rx="{4 if is_final else 17}" {fill} stroke="currentColor" stroke-width="{width}"/>'
    )
    yield _text(state, (x, y + 4.5), size=13.5, weight=600 if is_lit else 500)
    yield "</g>"


def _arrow(name: str, layout: Layout, arrow: Arrow, lit: str | None) -> Iterator[str]:
    is_possible = lit in arrow.sources
    opacity = "1" if is_possible or lit is None else "0.75"
    curve = _curve(layout, arrow)
    sentences = " ".join(dict.fromkeys(f"{row.event} ({row.by}): {row.says}" for row in arrow.rows))
    yield (
        f'<g class="arrow{" possible" * is_possible}" data-region="{_slug(name)}" '
        f'data-event="{escape(" ".join(arrow.events))}" opacity="{opacity}">'
    )
    yield f"<title>{escape(sentences)}</title>"
    start, control, end = curve
    yield (f'<path d="M{_p(start)} Q{_p(control)} {_p(end)}" fill="none" stroke="currentColor" stroke-width="1.3"/>')
    yield f'<path d="{_head(control, end)}" fill="currentColor"/>'
    yield _label(layout, arrow, curve)
    yield "</g>"


Curve = tuple[Point, Point, Point]  # quadratic: start, control, end


def _curve(layout: Layout, arrow: Arrow) -> Curve:
    target = layout.places[arrow.target]
    if arrow.frame is not None:
        start = arrow.frame.start
        whole = (start, _between(start, target, 0.5), target)
        return _part(whole, 0.0, _entry(whole, target))
    source = layout.places[arrow.sources[0]]
    bend = layout.bends.get((arrow.sources[0], arrow.target), 0.0)
    normal = _left_of(source, target)
    middle = _between(source, target, 0.5)
    control = (middle[0] - 2 * bend * normal[0], middle[1] - 2 * bend * normal[1])
    whole = (source, control, target)
    return _part(whole, _exit(whole, source), _entry(whole, target))


def _label(layout: Layout, arrow: Arrow, curve: Curve) -> str:
    way = (arrow.sources[0], arrow.target)
    bend = 0.0 if arrow.frame else layout.bends.get(way, 0.0)
    normal = _left_of(curve[0], curve[2])
    side = -1.0 if bend > 0 else 1.0 if bend < 0 else _upwards_or_right(normal)
    if way in layout.flipped:
        side = -side
    nx, ny = normal[0] * side, normal[1] * side
    x, y = _at(curve, layout.labels.get(way, 0.5))
    anchor = "middle" if abs(nx) < 0.35 else "start" if nx > 0 else "end"
    distance = 9.0 if anchor == "middle" else 6.0
    return _text(", ".join(arrow.events), (x + nx * distance, y + ny * distance + 4), anchor=anchor, size=12)


def _upwards_or_right(normal: Point) -> float:
    """The sign that turns a normal upwards, or to the right when it lies flat."""
    if abs(normal[1]) > 0.35:
        return 1.0 if normal[1] < 0 else -1.0
    return 1.0 if normal[0] > 0 else -1.0


def _text(text: str, place: Point, *, anchor: str = "middle", size: float, weight: int = 400) -> str:
    return (
        f'<text x="{_n(place[0])}" y="{_n(place[1])}" text-anchor="{anchor}" font-size="{_n(size)}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _head(control: Point, tip: Point) -> str:
    """A triangle at the end of a curve."""
    length = hypot(tip[0] - control[0], tip[1] - control[1]) or 1.0
    dx, dy = (tip[0] - control[0]) / length, (tip[1] - control[1]) / length
    left = (tip[0] - 8 * dx - 3.6 * dy, tip[1] - 8 * dy + 3.6 * dx)
    right = (tip[0] - 8 * dx + 3.6 * dy, tip[1] - 8 * dy - 3.6 * dx)
    return f"M{_p(tip)} L{_p(left)} L{_p(right)} Z"


def _at(curve: Curve, t: float) -> Point:
    (ax, ay), (bx, by), (cx, cy) = curve
    u = 1 - t
    return (u * u * ax + 2 * u * t * bx + t * t * cx, u * u * ay + 2 * u * t * by + t * t * cy)


def _part(curve: Curve, t0: float, t1: float) -> Curve:
    """The piece of a quadratic curve between two parameters (its blossom at t0,t0 / t0,t1 / t1,t1)."""
    (ax, ay), (bx, by), (cx, cy) = curve
    u0, u1 = 1 - t0, 1 - t1
    mixed = u0 * t1 + t0 * u1
    control = (u0 * u1 * ax + mixed * bx + t0 * t1 * cx, u0 * u1 * ay + mixed * by + t0 * t1 * cy)
    return (_at(curve, t0), control, _at(curve, t1))


def _is_in_box(point: Point, centre: Point, margin: float) -> bool:
    is_wide = abs(point[0] - centre[0]) < BOX_WIDTH / 2 + margin
    return is_wide and abs(point[1] - centre[1]) < BOX_HEIGHT / 2 + margin


def _exit(curve: Curve, centre: Point) -> float:
    return next((i / 400 for i in range(401) if not _is_in_box(_at(curve, i / 400), centre, 1)), 0.0)


def _entry(curve: Curve, centre: Point) -> float:
    return next((i / 400 for i in range(400, -1, -1) if not _is_in_box(_at(curve, i / 400), centre, 3)), 1.0)


def _between(a: Point, b: Point, t: float) -> Point:
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)


def _left_of(a: Point, b: Point) -> Point:
    """The unit vector to the left of the way from a to b, as seen on the screen."""
    length = hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    return ((b[1] - a[1]) / length, -(b[0] - a[0]) / length)


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")


def _p(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"
