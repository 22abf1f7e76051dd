// The table of runs. Only the rows in sight are elements: ten thousand runs scroll like ten.

import { Ago, Status } from "../parts.js";
import { runHref } from "../route.js";
import { classes, html, useEffect, useLayoutEffect, useRef, useState } from "../view.js";
import { cellText, durationText, heading, isNumber, width } from "./columns.js";
import { Tags } from "./tags.js";

const ROW = 32;
const SPARE = 10;

/**
 * @param rows from `useRows`
 * @param sort a column, `-column`, or empty; `setSort` takes the same
 * @param selected a Set of ids; `toggle(id, on)`
 */
export function RunTable({ project, rows, columns, sort, setSort, selected, toggle, toggleAll, now, mayEdit, changed }) {
  const box = useRef(null);
  const view = useWindow(box, rows.runs.length);
  useEffect(() => {
    if (view.last + 3 * SPARE >= rows.runs.length) rows.more();
  }, [view.last, rows.runs.length, rows.cursor]);
  const shown = rows.runs.slice(view.first, view.last);
  const all = selected.size > 0 && (selected.size >= 100 || rows.runs.every((run) => selected.has(run.id)));
  return html`<div class="table-box" ref=${box} tabindex="0" role="region" aria-label="Runs">
    <table class="runs" aria-rowcount=${(rows.total ?? 0) + 1} aria-label="Runs" style=${{ width: `${totalWidth(columns)}px` }}>
      <colgroup><col style=${{ width: "36px" }} /><col style=${{ width: "230px" }} />
        ${columns.map((column) => html`<col key=${column} style=${{ width: `${width(column)}px` }} />`)}<col /></colgroup>
      <thead><tr>
        <th class="pick"><input type="checkbox" aria-label="Select all runs" title="All that are loaded, at most 100" checked=${all} onChange=${() => toggleAll(!all)} /></th>
        ${["name", ...columns].map((column) => html`<${Head} key=${column} column=${column} sort=${sort} setSort=${setSort} />`)}
        <th aria-hidden="true"></th>
      </tr></thead>
      <tbody>
        <tr aria-hidden="true" class="gap" style=${{ height: `${view.first * ROW}px` }}></tr>
        ${shown.map((run, place) => html`<${Row} key=${run.id} run=${run} place=${view.first + place + 2} columns=${columns}
          project=${project} picked=${selected.has(run.id)} toggle=${toggle} now=${now} mayEdit=${mayEdit} changed=${changed} />`)}
        <tr aria-hidden="true" class="gap" style=${{ height: `${Math.max(0, rows.runs.length - view.last) * ROW}px` }}></tr>
      </tbody>
    </table>
  </div>`;
}

const totalWidth = (columns) => 36 + 230 + columns.reduce((sum, column) => sum + width(column), 0);

/** Which rows are in sight. */
function useWindow(box, many) {
  const [view, set] = useState({ first: 0, last: 60 });
  useLayoutEffect(() => {
    const element = box.current;
    const look = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / ROW) - SPARE);
      const last = Math.min(many, Math.ceil((element.scrollTop + element.clientHeight) / ROW) + SPARE);
      set((old) => (old.first === first && old.last === last ? old : { first, last }));
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      watcher.disconnect();
    };
  }, [many]);
  return view;
}

const NEXT = { "": "-", "-": "+", "+": "" };
const UNSORTED = new Set(["tags"]);

function Head({ column, sort, setSort }) {
  const { kind, name } = heading(column);
  const order = sort === column ? "+" : sort === `-${column}` ? "-" : "";
  const next = () => setSort({ "-": `-${column}`, "+": column, "": "" }[NEXT[order]]);
  const word = { "+": "ascending", "-": "descending", "": "none" }[order];
  const label = html`${kind && html`<small>${kind}</small>`}<span>${name}</span>`;
  return html`<th scope="col" aria-sort=${word} title=${column}
    class=${classes(isNumber(column) && "number", column === "name" && "name")}>
    ${UNSORTED.has(column) ? html`<span class="head">${label}</span>` : html`<button class="head" aria-label=${`Sort by ${column}`}
      onClick=${next}>${label}<i aria-hidden="true">${{ "+": "↑", "-": "↓", "": "" }[order]}</i></button>`}
  </th>`;
}

function Row({ run, place, columns, project, picked, toggle, now, mayEdit, changed }) {
  return html`<tr aria-rowindex=${place} aria-selected=${picked} class=${picked && "picked"}>
    <td class="pick"><input type="checkbox" aria-label=${`Select ${run.name}`} checked=${picked}
      onChange=${() => toggle(run.id, !picked)} /></td>
    <th scope="row" class="name"><a href=${runHref(project, run.id)} title=${`${run.name}  ${run.id}`}>${run.name}</a>
      ${run.archived && html`<span class="badge">archived</span>`}</th>
    ${columns.map((column) => html`<td key=${column} class=${classes(isNumber(column) && "number", column === "tags" && "col-tags")}>
      <${Cell} run=${run} column=${column} project=${project} now=${now} mayEdit=${mayEdit} changed=${changed} />
    </td>`)}<td></td>
  </tr>`;
}

function Cell({ run, column, project, now, mayEdit, changed }) {
  if (column === "status") return html`<${Status} status=${run.status} />`;
  if (column === "started") return html`<${Ago} time=${run.started_at} now=${now} />`;
  if (column === "duration") return durationText(run, now);
  if (column === "note") return html`<span title=${run.note}>${run.note}</span>`;
  if (column === "tags") {
    return html`<${Tags} project=${project} run=${run} tags=${run.tags} allowed=${mayEdit} changed=${changed} />`;
  }
  const text = cellText(run, column);
  return html`<span title=${String(run.values[column] ?? "")}>${text}</span>`;
}
