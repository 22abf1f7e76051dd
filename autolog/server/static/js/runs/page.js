// The runs of a project: the filter, the table, and what can be done with the selected ones.

import { get, projectPath } from "../api.js";
import { count } from "../format.js";
import { useLoaded, useNow } from "../load.js";
import { Failure, Message, Waiting } from "../parts.js";
import { compareHref, listOf, setQuery } from "../route.js";
import { useMayEdit } from "../session.js";
import { html, useEffect, useMemo } from "../view.js";
import { ColumnPicker } from "./column_picker.js";
import { FIXED, usual } from "./columns.js";
import { Filter } from "./filter.js";
import { useRows } from "./rows.js";
import { RunTable } from "./table.js";

/** Runs that are selected at once: more lines nobody tells apart, and the address has to hold them. */
const MOST = 100;

/** The address holds `where`, `sort`, `columns` and `selected`. */
export function RunsPage({ route }) {
  const { project, query } = route;
  const where = query.get("where") ?? "";
  const sort = query.get("sort") ?? "";
  const names = useLoaded((signal) => get(`${projectPath(project)}/columns`, {}, signal), [project], { project });
  const ready = Boolean(names.value || names.error);
  if (!ready) return html`<${Waiting} />`;
  if (names.error && names.error.status === 404) return html`<${Failure} error=${names.error} />`;
  return html`<${Runs} project=${project} query=${query} where=${where} sort=${sort} names=${names.value} />`;
}

function Runs({ project, query, where, sort, names }) {
  const chosen = listOf(query, "columns");
  const now = useNow();
  const mayEdit = useMayEdit(project);
  const usualOnes = useMemo(() => usual(names), [JSON.stringify(names)]);
  const columns = chosen.length ? chosen : usualOnes;
  const rows = useRows(project, where, sort, columns.filter((column) => !FIXED.includes(column)));
  const selected = new Set(listOf(query, "selected"));
  useEffect(() => { document.title = `${project} · autolog`; }, [project]);

  const select = (ids) => setQuery({ selected: ids });
  const toggle = (id, on) => select(on ? [...selected, id] : [...selected].filter((each) => each !== id));
  const toggleAll = (on) => select(on ? [...new Set([...selected, ...rows.runs.map((run) => run.id)])].slice(0, MOST) : []);
  const wrong = rows.error?.code === "query" ? rows.error : null;
  return html`<section class="page tall">
    <h1 class="hidden">Runs of ${project}</h1>
    <div class="bar">
      <${Filter} where=${where} error=${wrong} hints=${rows.hints} names=${names} change=${(text) => setQuery({ where: text })} />
      <${ColumnPicker} shown=${columns} names=${names} choose=${(list) => setQuery({ columns: list })} />
    </div>
    <div class="bar slim">
      <span role="status" aria-label="Number of runs">${rows.total === null ? "" : count(rows.total, "run")}</span>
      <span class="spacer"></span>
      <${Selection} project=${project} selected=${[...selected]} clear=${() => select([])} />
    </div>
    ${rows.error && !wrong && html`<${Failure} error=${rows.error} again=${rows.reload} />`}
    ${rows.total === 0 && !where ? html`<${NoRuns} />` : html`<${RunTable} project=${project} rows=${rows} columns=${columns}
      sort=${sort} setSort=${(column) => setQuery({ sort: column })} selected=${selected} toggle=${toggle}
      toggleAll=${toggleAll} now=${now} mayEdit=${mayEdit} changed=${rows.reload} />`}
  </section>`;
}

function Selection({ project, selected, clear }) {
  if (!selected.length) return html`<span class="faint">Select runs to compare their charts</span>`;
  return html`<span>${count(selected.length, "run")} selected</span>
    <button class="quiet" onClick=${clear}>Clear</button>
    <a class="button primary" href=${compareHref(project, selected)}>Compare</a>`;
}

const NoRuns = () => html`<${Message}>
  <h2>No runs in this project</h2>
  <p>Record one: <code>autolog run train.py</code>, or <code>import autolog</code> at the top of a training script.</p>
<//>`;
