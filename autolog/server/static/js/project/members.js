// Members of a project and their roles.

import { Act } from "../act.js";
import { ask, enc, get, projectPath } from "../api.js";
import { Form } from "../form.js";
import { useLoaded } from "../load.js";
import { Failure, Waiting } from "../parts.js";
import { html, useState } from "../view.js";
import { Roles, ROLES } from "./roles.js";

export function Members({ project }) {
  const path = `${projectPath(project)}/members`;
  const { value, error, reload } = useLoaded((signal) => get(path, {}, signal), [project]);
  const set = async (user, role) => {
    await ask("PUT", `${path}/${enc(user)}`, { body: { role } });
    await reload();
  };
  const remove = async (user) => {
    await ask("DELETE", `${path}/${enc(user)}`);
    await reload();
  };
  const add = async ({ user, role }, form) => {
    await set(user.trim(), role);
    form.reset();
  };
  if (!value) return error ? html`<${Failure} error=${error} again=${reload} />` : html`<${Waiting} />`;
  return html`<section class="card" aria-label="Members"><h2>Members</h2>
    <p class="faint">Readers see everything, writers also record and change runs, admins also change these settings.</p>
    ${error && html`<${Failure} error=${error} again=${reload} />`}
    <div class="scroll"><table class="plain" aria-label="Members">
      <thead><tr><th>User</th><th>Role</th><th></th></tr></thead>
      <tbody>${value.members.map((member) => html`<tr key=${`${member.user} ${member.workspace ?? ""}`}>
        <th scope="row" title=${member.user}>${member.user}</th>
        ${member.workspace ? html`<td>${member.role}</td><td class="faint">by the workspace ${member.workspace}</td>`
        : html`<td><${Role} member=${member} set=${set} /></td>
          <td><${Act} word="Remove…" label=${`Remove ${member.user}`} act=${() => remove(member.user)} asks=${{
            title: `Remove ${member.user}?`, word: "Remove", text: `${member.user} will no longer see ${project}, and their tokens no longer reach it.`,
          }} /></td>`}</tr>`)}</tbody>
    </table></div>
    <${Form} label="New member" send=${add} word="Add">
      <label>User <input name="user" required maxlength="200" autocomplete="off" /></label>
      <${Roles} label="Role" usual="reader" />
    <//>
  </section>`;
}

function Role({ member, set }) {
  const [error, setError] = useState(null);
  const change = async (event) => {
    const field = event.currentTarget;
    try {
      await set(member.user, field.value);
      setError(null);
    } catch (failed) {
      field.value = member.role;
      setError(failed);
    }
  };
  return html`<select aria-label=${`Role of ${member.user}`} value=${member.role} onChange=${change}>
      ${ROLES.map((role) => html`<option key=${role} value=${role}>${role}</option>`)}</select>
    ${error && html`<span class="problem" role="alert">${error.message}</span>`}`;
}
