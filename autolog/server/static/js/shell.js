// What surrounds every view: where one is, who one is, whether news arrive.

import { onState } from "./live.js";
import { homeHref, projectHref, runHref } from "./route.js";
import { html, useEffect, useState } from "./view.js";

/** The head of the page, and the view below it. */
export function Shell({ route, session, children }) {
  return html`
    <header class="top">
      <a class="brand" href=${homeHref()}>autolog</a>
      <${Trail} route=${route} />
      <span class="spacer"></span>
      <${Live} />
      <${Who} session=${session} />
    </header>
    <main>${children}</main>`;
}

function Trail({ route }) {
  if (!route.project) return null;
  return html`<nav aria-label="Where you are" class="trail">
    <a href=${projectHref(route.project)}>${route.project}</a>
    ${["compare", "settings"].includes(route.page) && html`<span aria-current="page">${route.page}</span>`}
    ${route.run && html`<a href=${runHref(route.project, route.run)} class="mono">${route.run.slice(0, 15)}</a>`}
  </nav>`;
}

const WORDS = { live: "live", away: "reconnecting…" };

function Live() {
  const [state, set] = useState("");
  useEffect(() => onState(set), []);
  return state && html`<span class=${`live ${state}`} role="status">${WORDS[state]}</span>`;
}

function Who({ session }) {
  if (session.state === "nobody") return html`<a class="button" href="/sign-in">Sign in</a>`;
  if (session.state !== "known" || session.local) return null;
  if (session.share) return html`<span class="faint">shared with you</span>`;
  return html`${session.everywhere === "admin" && html`<a href="/users">Users</a>`}
    <a class="who" href="/account" title="Your account: password and tokens">${session.user}</a>
    <button class="quiet" onClick=${session.leave}>Sign out</button>`;
}
