// Share links of a project: which there are, and their end.

import { Act } from "../act.js";
import { ask, enc, get, projectPath } from "../api.js";
import { moment } from "../format.js";
import { useLoaded, useNow } from "../load.js";
import { Ago, Failure, Waiting } from "../parts.js";
import { runHref } from "../route.js";
import { html } from "../view.js";
import { ShareForm } from "./share_form.js";

export function Shares({ project }) {
  const path = `${projectPath(project)}/shares`;
  const { value, error, reload } = useLoaded((signal) => get(path, {}, signal), [project]);
  const now = useNow();
  const revoke = async (share) => {
    await ask("DELETE", `${path}/${enc(share.id)}`);
    await reload();
  };
  if (!value) return error ? html`<${Failure} error=${error} again=${reload} />` : html`<${Waiting} />`;
  return html`<section class="card" aria-label="Share links"><h2>Share links</h2>
    <p class="faint">Whoever has one reads the project, or the one run it is for, without signing in. Links to a run are made on its page.</p>
    ${error && html`<${Failure} error=${error} again=${reload} />`}
    ${value.shares.length > 0 && html`<div class="scroll"><table class="plain" aria-label="Share links">
      <thead><tr><th>For whom or what</th><th>Opens</th><th>By</th><th class="spare">Made</th><th>Valid until</th><th></th></tr></thead>
      <tbody>${value.shares.map((share) => html`<tr key=${share.id}>
        <th scope="row" title=${share.label}>${share.label || html`<span class="mono faint">${share.id}</span>`}</th>
        <td>${share.run ? html`<a class="mono" href=${runHref(project, share.run)}>${share.run}</a>` : "the project"}</td>
        <td>${share.made_by}</td><td class="spare"><${Ago} time=${share.created_at} now=${now} /></td>
        <td>${share.expires_at ? moment(share.expires_at) : "no end"}</td>
        <td><${Act} word="Revoke…" label=${`Revoke ${share.label || share.id}`} act=${() => revoke(share)} asks=${{
          title: `Revoke ${share.label || share.id}?`, word: "Revoke", text: "Whoever has the link sees nothing any more, also where it is open now.",
        }} /></td></tr>`)}</tbody>
    </table></div>`}
    <${ShareForm} project=${project} made=${reload} />
  </section>`;
}
