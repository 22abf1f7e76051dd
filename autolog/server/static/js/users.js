// Who there is on the server, for its admins: invited, disabled.

import { Act } from "./act.js";
import { ask, enc, get } from "./api.js";
import { Form } from "./form.js";
import { useLoaded } from "./load.js";
import { Failure, Message, Waiting } from "./parts.js";
import { Secret } from "./secret.js";
import { useMayManage } from "./session.js";
import { html, useEffect, useState } from "./view.js";

export function UsersPage() {
  const mayManage = useMayManage();
  useEffect(() => { document.title = "Users · autolog"; }, []);
  if (!mayManage) return html`<${Message} kind="error">Only admins of the server see its users.<//>`;
  return html`<section class="page settings"><h1>Users</h1><${Users} /></section>`;
}

function Users() {
  const { value, error, reload } = useLoaded((signal) => get("/users", {}, signal), ["users"]);
  const [invited, setInvited] = useState(null);
  const invite = async (name) => setInvited(await ask("POST", `/users/${enc(name)}/invitation`));
  const change = async (name, body) => {
    await ask("PATCH", `/users/${enc(name)}`, { body });
    await reload();
  };
  const add = async ({ name, admin }, form) => {
    await ask("POST", "/users", { body: { name: name.trim(), admin: admin === "on" } });
    form.reset();
    await reload();
    await invite(name.trim());
  };
  if (!value) return error ? html`<${Failure} error=${error} again=${reload} />` : html`<${Waiting} />`;
  return html`<section class="card" aria-label="All users">
    ${error && html`<${Failure} error=${error} again=${reload} />`}
    <div class="scroll"><table class="plain" aria-label="Users">
      <thead><tr><th>User</th><th>Is</th><th>Password</th><th></th></tr></thead>
      <tbody>${value.users.map((user) => html`<${User} key=${user.name} user=${user} invite=${invite} change=${change} />`)}</tbody>
    </table></div>
    <${Form} label="New user" send=${add} word="Make and invite">
      <label>Name <input name="name" required maxlength="200" autocomplete="off" /></label>
      <label>Admin of the server <input name="admin" type="checkbox" /></label>
    <//>
    ${invited && html`<${Secret} label=${`The invitation of ${invited.user}.`} value=${`${location.origin}/invitation#${invited.secret}`}>
      <p class="faint">Whoever opens it within 7 days sets the password of ${invited.user}, once.</p><//>`}
  </section>`;
}

function User({ user, invite, change }) {
  const { name, admin, disabled, password } = user;
  const words = [admin && "admin", disabled && "disabled"].filter(Boolean);
  return html`<tr><th scope="row" title=${name}>${name}</th><td>${words.join(", ") || "user"}</td><td>${password ? "set" : "none yet"}</td>
    <td><div class="bar slim">
      ${!disabled && html`<${Act} key="invite" word=${password ? "New password…" : "Invite"} label=${password ? `New password for ${name}` : `Invite ${name}`}
        act=${() => invite(name)} asks=${password ? {
          title: `A new password for ${name}?`, word: "Make a link", text: "You get a link by which a new password is set. Until then the old one stays.",
        } : null} />`}
      ${admin ? html`<${Act} key="less" word="No admin" label=${`Make ${name} no admin`} act=${() => change(name, { admin: false })} />`
      : html`<${Act} key="more" word="Make admin" label=${`Make ${name} an admin`} act=${() => change(name, { admin: true })} />`}
      ${disabled ? html`<${Act} key="enable" word="Enable" label=${`Enable ${name}`} act=${() => change(name, { disabled: false })} />`
      : html`<${Act} key="disable" word="Disable…" label=${`Disable ${name}`} act=${() => change(name, { disabled: true })} asks=${{
        title: `Disable ${name}?`, word: "Disable", text: "All their sessions and tokens end, also those that trainings deliver with. Their runs stay.",
      }} />`}
    </div></td></tr>`;
}
