// Changing one's own password.

import { ask } from "../api.js";
import { Form } from "../form.js";
import { html, useState } from "../view.js";

export function Password({ user }) {
  const [done, setDone] = useState(false);
  const send = async ({ old, password, again }, form) => {
    setDone(false);
    if (password !== again) throw new Error("These are two different passwords.");
    await ask("POST", "/me/password", { body: { old, new: password } });
    form.reset();
    setDone(true);
  };
  return html`<section class="card" aria-label="Password"><h2>Password</h2>
    <p class="faint">With a new password you are signed out everywhere but here. Tokens stay as they are.</p>
    <${Form} label="Change password" send=${send} word="Change password">
      <input type="text" name="username" autocomplete="username" value=${user} readonly hidden />
      <label>Old password <input name="old" type="password" autocomplete="current-password" required /></label>
      <label>New password <input name="password" type="password" autocomplete="new-password" minlength="10" required /></label>
      <label>Once more <input name="again" type="password" autocomplete="new-password" minlength="10" required /></label>
    <//>
    ${done && html`<p role="status">The password is changed; elsewhere you are signed out.</p>`}
  </section>`;
}
