"""Columns over time, drawn on the server: amounts per hour, day or month, stacked."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join

WIDTH, HEIGHT = 560, 200
LEFT, RIGHT, TOP, BOTTOM = 70, 8, 10, 24
LEAST_LABEL_WIDTH = 46  # A label under fewer pixels of the drawing would touch the next one.


@dataclass(frozen=True)
class Column:
    """One step of time: `label` stands under it, `words` says it with its values, `parts` from the bottom up."""

    label: str
    words: str
    parts: tuple[float, ...]


def columns(found: Sequence[Column], *, names: Sequence[tuple[str, str]], unit: str, summary: str) -> str:
    """Draw columns whose parts are named and coloured by `names` (name, tone); nothing when all are empty.

    `unit` is that of the values; `summary` says in words what the picture shows.
    """
    highest = max((sum(column.parts) for column in found), default=0)
    if not highest:
        return ""
    top = _round_up(highest)
    step = (WIDTH - LEFT - RIGHT) / len(found)
    plot = HEIGHT - TOP - BOTTOM
    every = max(1, -(-LEAST_LABEL_WIDTH // max(1, int(step))))
    grid = format_html_join(
        "",
        '<line class="isp-grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        [
            (LEFT, WIDTH - RIGHT, f"{y:.1f}", f"{y:.1f}", LEFT - 5, f"{y + 3:.1f}", f"{value:g} {unit}")
            for value, y in ((top * part / 2, TOP + plot * (1 - part / 2)) for part in range(3))
        ],
    )
    drawn = format_html_join(
        "",
        "<g><title>{}</title>{}</g>",
        (
            (column.words, _stack(column, LEFT + number * step, step, top, plot, names))
            for number, column in enumerate(found)
        ),
    )
    labels = format_html_join(
        "",
        '<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text>',
        [
            (
                _rank(len(found) - 1 - number, every),
                f"{LEFT + (number + 0.5) * step:.1f}",
                HEIGHT - 8,
                column.label,
            )
            for number, column in enumerate(found)
            if (len(found) - 1 - number) % every == 0
        ],
    )
    legend = format_html_join(
        "",
        '<span><span class="isp-swatch isp-{}" aria-hidden="true"></span>{}</span>',
        [(tone, name) for name, tone in names],
    )
    return format_html(
        '<figure><svg class="isp-line-chart isp-columns-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}'
        '</svg><figcaption><span class="isp-legend">{}</span><span class="isp-muted">{}</span></figcaption></figure>',
        WIDTH, HEIGHT, summary, grid, drawn, labels, legend, summary,
    )  # fmt: skip


def _stack(
    column: Column, x: float, step: float, top: float, plot: float, names: Sequence[tuple[str, str]]
) -> str:
    gap = min(4.0, step * 0.2)
    y = TOP + plot
    # Over the whole height, so that the words are found with the pointer above a low column, too.
    pieces = [(f"{x:.1f}", f"{TOP}", f"{step:.1f}", f"{plot}", "isp-column-room")]
    for value, (_, tone) in zip(column.parts, names, strict=True):
        height = plot * value / top
        y -= height
        if value:
            pieces.append(
                (
                    f"{x + gap / 2:.1f}",
                    f"{y:.2f}",
                    f"{step - gap:.1f}",
                    f"{height:.2f}",
                    f"isp-column isp-{tone}",
                )
            )
    return format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>', pieces)


def _rank(from_the_end: int, every: int) -> str:
    """Tell the labels that a phone, whose letters are larger, leaves out."""
    return "" if from_the_end // every % 3 == 0 else "isp-minor"


def _round_up(value: float) -> float:
    """Return the next number of 1, 2, 4, 5 or 10 times a power of ten."""
    power = 1.0
    while power < value:
        power *= 10
    while power >= value * 10:
        power /= 10
    return next(step * power / 10 for step in (1, 2, 4, 5, 10) if step * power / 10 >= value)
