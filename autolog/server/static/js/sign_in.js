// Signing in: by name and password, or by a token.

import { Message } from "./parts.js";
import { go } from "./route.js";
import { html, useState } from "./view.js";

/** The view where one signs in; afterwards one is where one wanted to go. */
export function SignInPage({ route, session }) {
  const [way, setWay] = useState("password");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  if (session.state === "known") {
    if (route.page === "sign-in") queueMicrotask(() => go("/", { replace: true }));
    return html`<${Message}>You are signed in as ${session.user}. <a href="/">All projects</a><//>`;
  }
  const enter = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    setBusy(true);
    try {
      await session.enter(given);
      if (route.page === "sign-in") go("/", { replace: true });
    } catch (failed) {
      setError(failed);
    }
    setBusy(false);
  };
  return html`<form class="card narrow" onSubmit=${enter} aria-label="Sign in">
    <h1>Sign in</h1>
    ${way === "password" ? html`<${Password} />` : html`<${Token} />`}
    ${error && html`<p class="problem" role="alert">${error.message}</p>`}
    <button class="primary" type="submit" disabled=${busy}>Sign in</button>
    <button class="quiet" type="button" onClick=${() => { setWay(way === "password" ? "token" : "password"); setError(null); }}>
      ${way === "password" ? "Use a token instead" : "Use a password instead"}
    </button>
  </form>`;
}

const Password = () => html`
  <label>User <input name="user" autocomplete="username" required key="user" /></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required key="password" /></label>`;

const Token = () => html`
  <label>Token <input name="token" type="password" autocomplete="off" required key="token" placeholder="autolog_…" /></label>`;
