// What the runs were given: what differs first, the rest on demand.

import { color } from "../chart/colors.js";
import { plain } from "../format.js";
import { heading } from "../runs/columns.js";
import { html, useMemo, useState } from "../view.js";

export function Differences({ runs, inputs }) {
  const [all, setAll] = useState(false);
  const rows = useMemo(() => inputs.map((column) => ({ column, values: runs.map((run) => run.values[column]) }))
    .filter(({ values }) => values.some((value) => value !== undefined)).filter(isNoEcho), [runs, inputs]);
  const differing = rows.filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
  const shown = all ? [...differing, ...rows.filter((row) => !differing.includes(row))] : differing;
  return html`<section class="card" aria-label="Parameters">
    <div class="bar slim"><h2>${all ? "Parameters" : "What differs"}</h2><span class="spacer"></span>
      <label><input type="checkbox" checked=${all} onChange=${() => setAll(!all)} /> Also what is equal</label></div>
    ${shown.length ? html`<div class="scroll"><table class="plain">
      <thead><tr><th></th>${runs.map((run, place) => html`<th key=${run.id} title=${run.name}><i class="chip" style=${{ background: color(place) }}></i> ${run.name}</th>`)}</tr></thead>
      <tbody>${shown.map(({ column, values }) => html`<tr key=${column}><th scope="row" title=${column}>${heading(column).name}
        <small class="faint"> ${heading(column).kind}</small></th>
        ${values.map((value, place) => html`<td key=${place}>${value === undefined ? "—" : plain(value)}</td>`)}</tr>`)}</tbody>
    </table></div>` : html`<p class="faint">${rows.length ? "All parameters are equal." : "These runs have no parameters."}</p>`}
  </section>`;
}

/** An argument that became the parameter of the same name is told once. */
const isNoEcho = ({ column, values }, _, rows) => {
  if (!column.startsWith("args.")) return true;
  const twin = rows.find((row) => row.column === `params.${column.slice(5)}`);
  return !twin || JSON.stringify(twin.values) !== JSON.stringify(values);
};
