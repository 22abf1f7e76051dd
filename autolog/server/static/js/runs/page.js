// The runs of a project: the filter, the table, and what can be done with the selected ones.

import { columnList, get, projectPath } from "../api.js";
import { count } from "../format.js";
import { useLoaded, useNow } from "../load.js";
import { Done } from "../dialog.js";
import { Downloads } from "../export.js";
import { Failure, Message, Popover, Waiting } from "../parts.js";
import { listOf, setQuery, settingsHref } from "../route.js";
import { useLocal, useMayAdminister, useMayEdit } from "../session.js";
import { html, useEffect, useMemo, useState } from "../view.js";
import { Actions } from "./actions.js";
import { ColumnPicker } from "./column_picker.js";
import { FIXED, usual } from "./columns.js";
import { Deleted } from "./deleted.js";
import { Filter } from "./filter.js";
import { useRows } from "./rows.js";
import { RunTable } from "./table.js";

/** Runs that are selected at once: more lines nobody tells apart, and the address has to hold them. */
const MOST = 100;

/** The address holds `where`, `sort`, `columns`, `selected`, and `show` for archived or deleted runs. */
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
  const mayAdminister = useMayAdminister(project);
  const [done, setDone] = useState(null);
  const usualOnes = useMemo(() => usual(names), [JSON.stringify(names)]);
  const columns = chosen.length ? chosen : usualOnes;
  const show = query.get("show") ?? "";
  const archived = show === "archived";
  const rows = useRows(project, where, sort, columns.filter((column) => !FIXED.includes(column)), archived);
  const selected = new Set(listOf(query, "selected"));
  useEffect(() => { document.title = `${project} · autolog`; }, [project]);

  const select = (ids) => setQuery({ selected: ids });
  const toggle = (id, on) => select(on ? [...selected, id] : [...selected].filter((each) => each !== id));
  const toggleAll = (on) => select(on ? [...new Set([...selected, ...rows.runs.map((run) => run.id)])].slice(0, MOST) : []);
  const told = (what) => {
    setDone(what);
    rows.reload();
  };
  const undo = async () => {
    await done.undo();
    rows.reload();
  };
  const wrong = rows.error?.code === "query" ? rows.error : null;
  const bar = html`<${Which} show=${show} mayEdit=${mayEdit} />`;
  const finished = done && html`<${Done} text=${done.text} undo=${done.undo && undo} clear=${() => setDone(null)} />`;
  if (show === "deleted" && mayEdit) {
    return html`<section class="page tall"><h1 class="hidden">Deleted runs of ${project}</h1>
      <div class="bar">${bar}</div><${Deleted} project=${project} now=${now} /></section>`;
  }
  return html`<section class="page tall">
    <h1 class="hidden">Runs of ${project}</h1>
    <div class="bar">
      <${Filter} where=${where} error=${wrong} hints=${rows.hints} names=${names} change=${(text) => setQuery({ where: text })} />
      ${bar}
      <${ColumnPicker} shown=${columns} names=${names} choose=${(list) => setQuery({ columns: list })} />
      <${Export} project=${project} wrong=${wrong} columns=${columns} selected=${[...selected]}
        which=${{ where, sort, archived: archived || undefined }} />
      ${mayAdminister && html`<a class="button" href=${settingsHref(project)}>Settings</a>`}
    </div>
    <div class="bar slim">
      <span role="status" aria-label="Number of runs">${rows.total === null ? "" : count(rows.total, "run")}</span>
      <span class="spacer"></span>
      <${Actions} project=${project} selected=${[...selected]} runs=${rows.runs} select=${select} told=${told} />
    </div>
    ${finished}
    ${rows.error && !wrong && html`<${Failure} error=${rows.error} again=${rows.reload} />`}
    ${rows.total === 0 && !where ? html`<${NoRuns} />` : html`<${RunTable} project=${project} rows=${rows} columns=${columns}
      sort=${sort} setSort=${(column) => setQuery({ sort: column })} selected=${selected} toggle=${toggle}
      toggleAll=${toggleAll} now=${now} mayEdit=${mayEdit} changed=${rows.reload} />`}
  </section>`;
}

/** Which runs are shown: those that are neither archived nor deleted, unless it is said otherwise. */
function Which({ show, mayEdit }) {
  const local = useLocal();
  return html`<select aria-label="Which runs" value=${show} onChange=${(event) => setQuery({ show: event.currentTarget.value, selected: [] })}>
    <option value="">Current</option><option value="archived">With archived</option>
    ${mayEdit && !local && html`<option value="deleted">Deleted</option>`}
  </select>`;
}

/** The table as a file: the selected runs, or else all that the filter finds. */
function Export({ project, wrong, columns, selected, which }) {
  const query = selected.length ? { run: selected, sort: which.sort } : which;
  const of = selected.length ? count(selected.length, "selected run") : which.where ? "the runs of the filter" : "all runs";
  return html`<${Popover} label="Export" title="Export" side="right">
    ${wrong ? html`<p class="problem">The filter cannot be understood: mend it first.</p>` : html`<p>Of ${of}:</p>
      <${Downloads} project=${project} what="runs" label="Table, the columns shown" query=${{ ...query, columns: columnList(["id", "name", ...columns]) }} />
      <${Downloads} project=${project} what="runs" label="Table, every column" query=${query} />
      <${Downloads} project=${project} what="points" label="Every point of their metrics" query=${query} />`}
  <//>`;
}

const NoRuns = () => html`<${Message}>
  <h2>No runs in this project</h2>
  <p>Record one: <code>autolog run train.py</code>, or <code>import autolog</code> at the top of a training script.</p>
<//>`;
