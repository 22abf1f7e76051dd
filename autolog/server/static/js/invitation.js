// An invitation: its secret stands behind the #, so that no server's log has it; with it one sets a password, once.

import { ask } from "./api.js";
import { Message } from "./parts.js";
import { go } from "./route.js";
import { html, useEffect, useState } from "./view.js";

/** Takes the secret of the address, asks for a password, and signs in with it. */
export function InvitationPage({ session }) {
  const [secret] = useState(() => location.hash.slice(1));
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => history.replaceState(null, "", "/invitation"), []);
  if (!secret) return html`<${Message} kind="error">This address holds no invitation: open the whole link once more.<//>`;
  const set = async (event) => {
    event.preventDefault();
    const { password, again } = Object.fromEntries(new FormData(event.currentTarget));
    if (password !== again) return setError({ message: "These are two different passwords." });
    setBusy(true);
    try {
      const { user } = await ask("POST", "/invitations", { body: { secret, password } });
      await session.enter({ user, password });
      go("/", { replace: true });
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return html`<form class="card narrow" onSubmit=${set} aria-label="Set a password">
    <h1>Set your password</h1>
    <label>Password <input name="password" type="password" autocomplete="new-password" minlength="10" required /></label>
    <label>Once more <input name="again" type="password" autocomplete="new-password" minlength="10" required /></label>
    ${error && html`<p class="problem" role="alert">${error.message}</p>`}
    <button class="primary" type="submit" disabled=${busy}>Set password and sign in</button>
  </form>`;
}
