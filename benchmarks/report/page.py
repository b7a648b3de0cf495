"""Put a report together as one page of HTML, which needs nothing besides itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Final

import attrs

from benchmarks.report.advice import Advice, advise
from benchmarks.report.exhibit import Exhibit, Picture, Table, make_name
from benchmarks.report.looks import write_style
from benchmarks.report.losses import Loss, find_audited, find_losses
from benchmarks.report.sources import Source

TITLE: Final = "What Chord costs, and what it keeps"

MOST: Final = 9
"""Sentences that are shown at once."""

_HERE: Final = Path(__file__).parent


@attrs.frozen
class Section:
    """All that is shown of one run."""

    source: Source
    exhibits: tuple[Exhibit, ...]


def lay_out(sections: Sequence[Section]) -> str:
    """The whole page."""
    sources = [section.source for section in sections]
    page = Template((_HERE / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=TITLE,
        style=f"{(_HERE / 'page.css').read_text(encoding='utf-8')}{write_style('svg ')}",
        head=_join(
            _lay_out_machines(sources),
            _lay_out_losses(sources),
            _lay_out_gaps(sources),
            _lay_out_warnings(sources),
        ),
        body=_join(
            _lay_out_contents(sections),
            _lay_out_advice(sources),
            _lay_out_runs(sources),
            *map(_lay_out_section, sections),
        ),
    )


def _join(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _list(items: Iterable[str]) -> str:
    """Items are HTML already."""
    return _join("<ul>", *(f"<li>{item}</li>" for item in items), "</ul>")


def _notice(heading: str, items: Sequence[str], kind: str = "notice") -> str:
    if not items:
        return ""
    return _join(f'<div class="{kind}"><p><strong>{heading}</strong></p>', _list(items), "</div>")


# -- what is to be known first -------------------------------------------------------------------


def _lay_out_machines(sources: Sequence[Source]) -> str:
    """Each machine, revision and day once."""
    lines = dict.fromkeys(_describe_machine(source) for source in sources)
    return _join(*(f'<p class="soft">{escape(line)}</p>' for line in lines))


def _describe_machine(source: Source) -> str:
    machine, day = source.results.machine, source.results.at.partition("T")[0]
    where = f"{machine.python}, {machine.system}, {machine.cores} cores, {machine.processor}"
    return f"{day}, revision {_describe_revision(source)}; {where}"


def _describe_revision(source: Source) -> str:
    machine = source.results.machine
    return f"{(machine.revision or 'unknown')[:12]}{' and changes' if machine.modified else ''}"


def _lay_out_losses(sources: Sequence[Source]) -> str:
    losses = [loss for source in sources for loss in find_losses(source)]
    audited = any(any(find_audited(source)) for source in sources)
    broken = [_say_loss(loss) for loss in losses if loss.is_broken]
    lost = [_say_loss(loss) for loss in losses if not loss.is_broken]
    return _join(
        _notice("Broken promises", broken, "notice bad"),
        _notice("Lost, by modes and by code of others that promise no more", lost),
        _KEPT if audited and not broken else "",
    )


_KEPT: Final = "<p>Every audit found what Chord had promised to keep.</p>"


def _say_loss(loss: Loss) -> str:
    return escape(f"{loss.benchmark}, {loss.theme}: {loss.name}: {loss.words}")


def _lay_out_gaps(sources: Sequence[Source]) -> str:
    failed = [
        escape(f"{source.name}, {_name(each.theme, each.name)}: {each.error}")
        for source in sources
        for each in source.results.failed
    ]
    skipped = [
        escape(f"{source.name}, {_name(each.theme, each.name)}: {each.reason}")
        for source in sources
        for each in source.results.skipped
    ]
    return _join(_notice("Failed", failed, "notice bad"), _notice("Skipped", skipped))


def _name(theme: str, name: str) -> str:
    return f"{theme}: {name}" if name else theme


def _lay_out_warnings(sources: Sequence[Source]) -> str:
    return _notice("Read with care", [escape(each) for each in _find_warnings(sources)])


def _find_warnings(sources: Sequence[Source]) -> list[str]:
    machines = [source.results.machine for source in sources]
    warnings = [
        f"{source.name} was interrupted: what is here was measured until then"
        for source in sources
        if source.results.interrupted
    ]
    if len({machine.revision for machine in machines}) > 1:
        warnings.append("these runs are of different revisions")
    if len({(each.processor, each.cores, each.python) for each in machines}) > 1:
        warnings.append("these runs are of different machines, or different Pythons")
    if any(machine.load >= machine.cores for machine in machines):
        warnings.append("the machine had other work: ratios of what stood side by side still hold")
    return warnings


# -- the rest ------------------------------------------------------------------------------------


def _lay_out_contents(sections: Sequence[Section]) -> str:
    links = [
        ("advice", "Which mode, when"),
        ("runs", "The runs"),
        *((_anchor(each), each.source.name) for each in sections),
    ]
    items = [f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name in links]
    return f'<nav aria-label="Contents">{_list(items)}</nav>'


def _anchor(section: Section) -> str:
    return f"run-{make_name(section.source.name)}"


def _lay_out_advice(sources: Sequence[Source]) -> str:
    return _join(
        '<h2 id="advice">Which mode, when</h2>',
        "<p>Each sentence is made from the numbers of these very runs; a ratio is the median of "
        "many. It is called noise where 1 is in the middle half of them (among all of them, where "
        "they are fewer than 8), or nearer than 5%.</p>",
        *map(_lay_out_answer, advise(sources)),
    )


def _lay_out_answer(advice: Advice) -> str:
    sentences = _list(map(escape, advice.sentences))
    if len(advice.sentences) > MOST:
        sentences = f"<details><summary>One by one</summary>{sentences}</details>"
    return _join(
        f"<h3>{escape(advice.question)}</h3>",
        f"<p><strong>{escape(advice.answer)}</strong></p>",
        sentences,
    )


def _lay_out_runs(sources: Sequence[Source]) -> str:
    table = Table(
        ("run", "at", "revision", "machine", "Python", "load", "settings", "effort"),
        tuple(_list_run(source) for source in sources),
    )
    return _join(
        '<h2 id="runs">The runs</h2>',
        _lay_out_table(table),
        "<details><summary>Versions of packages</summary>",
        _list(escape(f"{source.name}: {_list_packages(source)}") for source in sources),
        "</details>",
    )


def _list_run(source: Source) -> tuple[str, ...]:
    results, machine = source.results, source.results.machine
    effort = json.dumps(attrs.asdict(results.effort)) if results.effort else "none"
    return (
        f"{source.name} ({find_command(source)})",
        results.at,
        _describe_revision(source),
        f"{machine.system}, {machine.cores} cores, {machine.processor}",
        machine.python,
        f"{machine.load:g}",
        json.dumps(results.settings),
        effort,
    )


def find_command(source: Source) -> str:
    return source.results.command or f"python -m benchmarks {source.results.benchmark}"


def _list_packages(source: Source) -> str:
    return ", ".join(f"{name} {at}" for name, at in source.results.machine.packages.items())


def _lay_out_section(section: Section) -> str:
    return _join(
        f'<h2 id="{_anchor(section)}">{escape(section.source.name)}</h2>',
        *(_lay_out_exhibit(each, find_command(section.source)) for each in section.exhibits),
    )


def _lay_out_exhibit(exhibit: Exhibit, command: str) -> str:
    caption = f"{escape(exhibit.caption)} Made by <code>{escape(command)}</code>."
    return _join(
        f"<h3>{escape(exhibit.title)}</h3>",
        "<figure>",
        _lay_out_pictures(exhibit.pictures),
        f"<figcaption>{caption}</figcaption>",
        "</figure>",
        f"<details{'' if exhibit.pictures else ' open'}><summary>The numbers</summary>",
        _lay_out_table(exhibit.table),
        "</details>",
    )


def _lay_out_pictures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    return _join('<div class="pictures">', *map(_lay_out_picture, pictures), "</div>")


def _lay_out_picture(picture: Picture) -> str:
    title = escape(picture.title)
    svg = picture.svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    return _join(f"<div><p>{title}</p>", svg, "</div>")


def _lay_out_table(table: Table) -> str:
    headings = "".join(f'<th scope="col">{escape(each)}</th>' for each in table.headings)
    return _join(
        f'<div class="wide" tabindex="0"><table><thead><tr>{headings}</tr></thead><tbody>',
        *map(_lay_out_row, table.rows),
        "</tbody></table></div>",
    )


def _lay_out_row(row: Sequence[str]) -> str:
    first, *others = map(escape, row)
    cells = "".join(f"<td>{each}</td>" for each in others)
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'
