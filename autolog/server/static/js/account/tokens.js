// One's own tokens: what programs sign in with.

import { Act } from "../act.js";
import { ask, enc, get } from "../api.js";
import { Form } from "../form.js";
import { moment } from "../format.js";
import { useLoaded, useNow } from "../load.js";
import { Ago, Failure, Waiting } from "../parts.js";
import { Days, daysOf, Secret } from "../secret.js";
import { html, useState } from "../view.js";
import { Roles } from "../project/roles.js";

export function Tokens({ session }) {
  const { value, error, reload } = useLoaded((signal) => get("/me/tokens", {}, signal), ["tokens"]);
  const [made, setMade] = useState(null);
  const now = useNow();
  const make = async ({ label, role, project, days }, form) => {
    setMade(await ask("POST", "/me/tokens", { body: { label, role, project: project || null, days: daysOf(days) } }));
    form.reset();
    await reload();
  };
  return html`<section class="card" aria-label="Tokens"><h2>Tokens</h2>
    <p class="faint">Programs sign in with a token: on a machine that trains, <code>autolog login ${location.origin}</code> asks for one.</p>
    ${error && html`<${Failure} error=${error} again=${reload} />`}
    ${value ? html`<${List} tokens=${value.tokens} now=${now} reload=${reload} />` : !error && html`<${Waiting} />`}
    <${Form} label="New token" send=${make} word="Make a token">
      <label>For what <input name="label" maxlength="200" placeholder="gpu-machine" /></label>
      <${Roles} label="At most" usual="writer" />
      <${Projects} session=${session} />
      <${Days} usual="90" />
    <//>
    ${made && html`<${Secret} label="The token." value=${made.token} />`}
  </section>`;
}

function List({ tokens, now, reload }) {
  if (!tokens.length) return html`<p>You have none.</p>`;
  const revoke = async (token) => {
    await ask("DELETE", `/me/tokens/${enc(token.id)}`);
    await reload();
  };
  return html`<div class="scroll"><table class="plain" aria-label="Tokens">
    <thead><tr><th>For what</th><th>At most</th><th>Project</th><th class="spare">Made</th><th>Valid until</th><th></th></tr></thead>
    <tbody>${tokens.map((token) => html`<tr key=${token.id}>
      <th scope="row" title=${token.label}>${token.label || html`<span class="mono faint">${token.id}</span>`}</th><td>${token.role}</td>
      <td>${token.project ?? "all of yours"}</td><td class="spare"><${Ago} time=${token.created_at} now=${now} /></td>
      <td>${token.expires_at ? moment(token.expires_at) : "no end"}</td>
      <td><${Act} word="Revoke…" label=${`Revoke ${token.label || token.id}`} act=${() => revoke(token)} asks=${{
        title: `Revoke ${token.label || token.id}?`, word: "Revoke", text: "What signs in with it is refused from now on, and so are tokens that were made with it.",
      }} /></td></tr>`)}</tbody>
  </table></div>`;
}

function Projects({ session }) {
  const { value } = useLoaded((signal) => get("/projects", {}, signal), ["projects"]);
  const mine = Object.keys(value?.projects ?? {}).filter((name) => session.everywhere || session.roles[name]);
  return html`<label>Project <select name="project"><option value="">all of mine</option>
    ${mine.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>`;
}
