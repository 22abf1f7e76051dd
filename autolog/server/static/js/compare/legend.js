// The runs with the colours of their lines; what they are called is any field of theirs.

import { color } from "../chart/colors.js";
import { Ago, Status } from "../parts.js";
import { runHref } from "../route.js";
import { heading } from "../runs/columns.js";
import { html } from "../view.js";

export function Legend({ project, runs, legend, fields, labelOf, hidden, hide, choose, remove, now }) {
  const toggle = (id) => hide(hidden.has(id) ? [...hidden].filter((each) => each !== id) : [...hidden, id]);
  return html`<section class="card" aria-label="Legend">
    <label class="bar slim">Legend <select value=${legend} onChange=${(event) => choose(event.currentTarget.value)}>
      ${fields.map((field) => html`<option key=${field} value=${field}>${nameOf(field)}</option>`)}</select></label>
    <ul class="legend">${runs.map((run, place) => html`<li key=${run.id}>
      <label title=${`Show ${run.name}`}><input type="checkbox" checked=${!hidden.has(run.id)} aria-label=${`Show ${run.name}`}
        onChange=${() => toggle(run.id)} /><i class="chip" style=${{ background: color(place) }}></i></label>
      <a href=${runHref(project, run.id)} title=${`${run.name} ${run.id}`}>${labelOf(run, legend)}</a>
      <span class="faint">${run.status === "completed" ? html`<${Ago} time=${run.started_at} now=${now} />` : html`<${Status} status=${run.status} />`}</span>
      <button class="icon" aria-label=${`Leave out ${run.name}`} onClick=${() => remove(run.id)}>×</button>
    </li>`)}</ul>
  </section>`;
}

const nameOf = (field) => {
  const { kind, name } = heading(field);
  return kind ? `${name} (${kind})` : name;
};
