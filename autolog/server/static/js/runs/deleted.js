// Runs that were deleted and can be brought back.

import { get, projectPath } from "../api.js";
import { count, moment } from "../format.js";
import { useLoaded } from "../load.js";
import { Ago, Failure, Message, Waiting } from "../parts.js";
import { html, useState } from "../view.js";
import { restoreRuns } from "./changes.js";

/** They are listed, chosen, and brought back. */
export function Deleted({ project, now }) {
  const { value, error, reload } = useLoaded((signal) => get(`${projectPath(project)}/deleted`, {}, signal), [project], { project });
  const [chosen, setChosen] = useState(new Set());
  const [failed, setFailed] = useState(null);
  if (!value) return error ? html`<${Failure} error=${error} again=${reload} />` : html`<${Waiting} />`;
  if (!value.length) return html`<${Message}><h2>No deleted runs</h2><p>What is deleted is kept here for a while.</p><//>`;
  const ids = value.map((run) => run.id).filter((id) => chosen.has(id));
  const toggle = (id, on) => setChosen(new Set(on ? [...chosen, id] : [...chosen].filter((each) => each !== id)));
  const back = async () => {
    try {
      await restoreRuns(project, ids);
      setChosen(new Set());
      setFailed(null);
      await reload();
    } catch (thrown) {
      setFailed(thrown);
    }
  };
  return html`<div class="bar slim"><button class="primary" disabled=${!ids.length} onClick=${back}>
      ${ids.length ? `Bring back ${count(ids.length, "run")}` : "Bring back"}</button>
      ${failed && html`<span class="problem" role="alert">not brought back: ${failed.message}</span>`}
      ${error && html`<span class="problem" role="alert">${error.message}</span>`}</div>
    <div class="table-box" tabindex="0" role="region" aria-label="Deleted runs"><div class="padded"><table class="plain" aria-label="Deleted runs">
      <thead><tr><th><input type="checkbox" aria-label="Select all deleted runs" checked=${ids.length === value.length}
        onChange=${(event) => setChosen(new Set(event.currentTarget.checked ? value.map((run) => run.id) : []))} /></th>
        <th>Name</th><th>Id</th><th>Deleted</th><th>By</th><th>Gone for good</th></tr></thead>
      <tbody>${value.map((run) => html`<tr key=${run.id}>
        <td><input type="checkbox" aria-label=${`Select ${run.name}`} checked=${chosen.has(run.id)}
          onChange=${(event) => toggle(run.id, event.currentTarget.checked)} /></td>
        <th scope="row" title=${run.name}>${run.name}</th><td class="mono">${run.id}</td>
        <td><${Ago} time=${run.deleted_at} now=${now} /></td><td>${run.deleted_by}</td><td>${moment(run.gone_at)}</td></tr>`)}</tbody>
    </table></div></div>`;
}
