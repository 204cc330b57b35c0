"""`seedrail plan --format html`: one page for a change ticket, which needs nothing but itself.

It is written to be read without JavaScript and on paper; with it, rows can be filtered and decisions be made.
No value is markup: every text passes `_text`, and the entries of the script pass `_json`.
"""

import json
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any

import msgspec

from seedrail.commands.database.plan import Chosen, duration, rows_of, written
from seedrail.history.rownames import spoken
from seedrail.integration.look import Way
from seedrail.integration.look.way import Station
from seedrail.merge.report.answers import TALLIES, Entry
from seedrail.merge.report.conflicts import Conflict
from seedrail.merge.report.outcome import WORDS, CellChange, RowChange
from seedrail.quoting import escaped, numbered

CHUNK = 200
"""Rows that the browser lays out together, when they come into view."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def as_html(way: Way, chosen: Chosen) -> Iterator[str]:
    """The page, line by line; all rows are on it, unless a table or a value was asked for."""
    rows = rows_of(way, Chosen(True, chosen.table, chosen.where))
    title = f"{'Up' if way.up else 'Down'} to {_text(way.target)}"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>Seed plan: {title}</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{title}</h1>"
    yield f'<p class="where">{_text(way.database)}, at {_text(", ".join(way.heads) or "no revision")}</p>'
    yield from _verdict(way)
    yield from _rails(way)
    yield from _summary(way)
    yield from _conflicts([entry for one in way.outcomes for entry in one.conflicts])
    yield from _rows(rows)
    yield f"</main><script>{_SCRIPT}</script></body></html>"


def _text(value: object) -> str:
    """A value as text of the page; what nobody would see, or what turns text around, as its escape."""
    return escape(escaped(str(value)), quote=True)


def _json(value: Any) -> str:
    """A value inside of a script: no tag can begin in it."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# -- summary ---------------------------------------------------------------------------------------------


def _verdict(way: Way) -> Iterator[str]:
    changes = written(way)
    if way.undecided:
        told = f"The run would be refused: {numbered(way.undecided, 'conflict')} to decide."
        yield f'<p class="verdict refused">{told} What follows is what keeping people\'s values would do.</p>'
    elif changes or way.schema or way.seeds:
        yield f'<p class="verdict">{numbered(changes, "row")} would be written, in {duration(way)}.</p>'
    else:
        yield '<p class="verdict">Nothing would happen.</p>'
    notes = [f"Seed set {_text(name)} is left out here." for name in way.left_out]
    if way.up and way.schema and way.outcomes:
        notes.append("Rows are compared as the schema is today; what its revisions do to them is not shown.")
    stops = [one.target for one in way.outcomes[:-1] if not one.undecided]
    if stops and not way.up:
        notes.append(f"By way of {_text(', '.join(stops))}, where the ledger met people's rows.")
    yield from (f'<p class="note">{note}</p>' for note in notes)


def _rails(way: Way) -> Iterator[str]:
    """The two rails, each revision with what becomes of it, as a list that reads without its picture."""
    yield '<section aria-label="Revisions"><h2>Revisions</h2>'
    for name, seeds in (("schema", False), ("seeds", True)):
        stations = [one for one in way.stations if one.is_seed == seeds]
        items = "".join(f'<li class="{_state(one)}">{_text(one.revision)}</li>' for one in stations)
        yield f'<div class="rail"><b>{name}</b><ol>{items}</ol></div>'
    yield (
        '<p class="key"><span class="here">there</span> <span class="made">made by this run</span>'
        ' <span class="taken">taken back by it</span> <span class="apart">not there</span></p></section>'
    )


def _state(one: Station) -> str:
    if one.before:
        return "here" if one.after else "taken"
    return "made" if one.after else "apart"


def _summary(way: Way) -> Iterator[str]:
    counts = {key: n for key, n in way.counts.items() if n}
    if not counts:
        return
    tallies = [what for what in TALLIES if any(key[0] == what for key in counts)]
    heads = "".join(f"<th>{what}</th>" for what in tallies)
    yield f"<section><h2>Rows by table</h2><table><thead><tr><th></th>{heads}</tr></thead><tbody>"
    for table in sorted({table for _, table in counts}):
        numbers = (f"{counts[what, table]:,}" if (what, table) in counts else "" for what in tallies)
        cells = "".join(f"<td>{number}</td>" for number in numbers)
        yield f"<tr><th>{_text(table)}</th>{cells}</tr>"
    yield "</tbody></table></section>"


# -- conflicts -------------------------------------------------------------------------------------------


def _conflicts(entries: list[Entry]) -> Iterator[str]:
    if not entries:
        return
    yield f'<section id="conflicts"><h2>{numbered(len(entries), "conflict")}</h2>'
    yield (
        '<p class="tools"><button type="button" id="save">Save decisions</button>'
        " <span>for <code>-x seed_decisions=FILE</code></span></p>"
    )
    for start in range(0, len(entries), CHUNK):
        yield '<div class="chunk">'
        for number, entry in enumerate(entries[start : start + CHUNK], start=start):
            yield from _conflict(number, entry)
        yield "</div>"
    plain = [msgspec.to_builtins(entry) for entry in entries]
    yield f'<script type="application/json" id="entries">{_json(plain)}</script></section>'


def _conflict(number: int, entry: Entry) -> Iterator[str]:
    yield f'<article class="conflict" data-table="{_text(entry.table)}"><p>{_text(Conflict.of(entry))}</p>'
    if entry.by is None and entry.column:
        values = [("left by the seed", entry.expected), ("found", entry.found)]
        # A row that would be deleted is wanted in no other way than it was left.
        values += [("wanted", entry.wanted)] if entry.wanted != entry.expected else []
        yield "<dl>" + "".join(f"<dt>{what}</dt><dd>{_value(value)}</dd>" for what, value in values) + "</dl>"
    yield '<p class="choice" role="group" aria-label="Decision">'
    for choice in entry.choices:
        checked = " checked" if entry.decision == str(choice) else ""
        button = f'<input type="radio" name="c{number}" value="{_text(choice)}"{checked}>'
        yield f"<label>{button} {_text(choice)}</label>"
    yield "</p></article>"


# -- rows ------------------------------------------------------------------------------------------------


def _rows(rows: list[RowChange]) -> Iterator[str]:
    if not rows:
        return
    tables = list(dict.fromkeys(row.table for row in rows))
    options = "".join(f"<option>{_text(table)}</option>" for table in tables)
    yield f'<section id="rows"><h2>{numbered(len(rows), "row")}</h2><p class="tools">'
    yield f'<label>Table <select id="table"><option value="">all</option>{options}</select></label>'
    yield '<label>Text <input type="search" id="text"></label> <output id="shown"></output></p>'
    for table, found in groupby(sorted(rows, key=lambda row: tables.index(row.table)), lambda row: row.table):
        of_table = list(found)
        yield f'<h3 data-table="{_text(table)}">{_text(table)}</h3>'
        for start in range(0, len(of_table), CHUNK):
            yield f'<div class="chunk" data-table="{_text(table)}">'
            yield from map(_row, of_table[start : start + CHUNK])
            yield "</div>"
    yield "</section>"


def _row(row: RowChange) -> str:
    # Few elements: a browser takes its time for each, and there may be a hundred thousand rows.
    name = f"<b>{WORDS[row.action]}</b> {_text(spoken(row.row, row.id))}"
    lines = [_line(row.action, cell) for cell in row.cells]
    return "\n".join([f'<div class="row {row.action}">{name}', *lines]) + "</div>"


def _line(action: str, cell: CellChange) -> str:
    """A column in a line of text; of one that changes, with both values marked."""
    if action != "update":
        return f"{_text(cell.column)}: {_value(cell.after if action == 'insert' else cell.before)}"
    before, after = f"<del>{_value(cell.before)}</del>", f"<ins>{_value(cell.after)}</ins>"
    return f"{_text(cell.column)}: {before} → {after}"


def _value(value: str | None) -> str:
    return '<span class="null">NULL</span>' if value is None else _text(value)


_STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8881;--red:#b3261e;--green:#1b6e3a;--amber:#8a5a00}
@media(prefers-color-scheme:dark){:root{--red:#ff8a80;--green:#7ddb9b;--amber:#ffce73}}
body{font:15px/1.5 system-ui,sans-serif;margin:0}main{max-width:70rem;margin:auto;padding:1.5rem}
h1{margin:0}h2{margin:2rem 0 .5rem}h3{margin:1.5rem 0 .5rem}.where,.note,.key{opacity:.8}
.verdict{border-left:.3rem solid var(--green);background:var(--soft);padding:.5rem 1rem}
.refused{border-color:var(--red)}
.rail{display:flex;gap:1rem;align-items:baseline;margin:.3rem 0}.rail b{width:4rem}
ol{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem;margin:0;padding:0}
ol li,.key span{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;font-size:.9em}
.here{background:var(--soft)}.made{border-color:var(--green)!important;color:var(--green)}
.taken{border-color:var(--red)!important;color:var(--red);text-decoration:line-through}
.apart{border-style:dashed!important;opacity:.7}
table{border-collapse:collapse}th,td{border-bottom:1px solid var(--line);padding:.2rem .8rem;text-align:right}
tbody th,thead th:first-child{text-align:left}
.conflict,.row{border:1px solid var(--line);border-radius:.4rem;padding:.4rem .8rem;margin:.4rem 0}
.conflict{border-left:.3rem solid var(--amber)}.conflict p{margin:.2rem 0}
.insert{border-left:.3rem solid var(--green)}.delete{border-left:.3rem solid var(--red)}
.update{border-left:.3rem solid var(--amber)}
dl{display:grid;grid-template-columns:auto 1fr;gap:0 1rem;margin:.3rem 0}dt{opacity:.7}dd{margin:0}
.row,dd,.conflict p{overflow-wrap:anywhere;white-space:pre-wrap}
del{color:var(--red)}ins{color:var(--green);text-decoration:none}.null{font-size:.8em;opacity:.7}
.chunk{content-visibility:auto;contain-intrinsic-size:auto 24000px}
.tools,.choice{display:none}.live .tools{display:flex;gap:1rem;align-items:center}
.live .choice{display:flex;gap:1rem}[hidden]{display:none!important}
.tools{position:sticky;top:0;background:Canvas;padding:.5rem 0;z-index:1}
@media print{.tools,.choice{display:none!important}.chunk{content-visibility:visible}main{max-width:none}}
"""

_SCRIPT = """
document.documentElement.classList.add("live");
const rows = document.getElementById("rows");
if (rows) {
  const table = document.getElementById("table"), text = document.getElementById("text");
  const chunks = [...rows.querySelectorAll(".chunk")], shown = document.getElementById("shown");
  let known = null, waiting = 0;
  const filter = () => {
    const words = text.value.trim().toLowerCase();
    if (words && !known) {
      known = new Map();
      for (const row of rows.querySelectorAll(".row")) known.set(row, row.textContent.toLowerCase());
    }
    let count = 0;
    for (const chunk of chunks) {
      const mine = !table.value || chunk.dataset.table === table.value;
      let some = 0;
      for (const row of mine ? chunk.children : []) {
        row.hidden = Boolean(words) && !known.get(row).includes(words);
        some += row.hidden ? 0 : 1;
      }
      chunk.hidden = !some;
      count += some;
    }
    for (const name of rows.querySelectorAll("h3"))
      name.hidden = Boolean(table.value) && name.dataset.table !== table.value;
    shown.textContent = words || table.value ? count.toLocaleString() + " shown" : "";
  };
  table.addEventListener("change", filter);
  text.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 150); });
}
const save = document.getElementById("save");
if (save) {
  const entries = JSON.parse(document.getElementById("entries").textContent);
  save.addEventListener("click", () => {
    const lines = entries.map((entry, number) => {
      const made = document.querySelector(`input[name=c${number}]:checked`);
      return JSON.stringify({ ...entry, decision: made ? made.value : null });
    });
    const file = new Blob([lines.join("\\n") + "\\n"], { type: "application/jsonl" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "decisions.jsonl";
    link.click();
  });
}
"""
