// The projects one may see.

import { get } from "./api.js";
import { count } from "./format.js";
import { useLoaded } from "./load.js";
import { Failure, Message, Waiting } from "./parts.js";
import { go, projectHref } from "./route.js";
import { SessionContext } from "./session.js";
import { html, useContext, useEffect, useState } from "./view.js";

/** All projects; where there is one, its runs at once. */
export function ProjectsPage() {
  const { value, error, reload } = useLoaded((signal) => get("/projects", {}, signal), ["projects"]);
  const [text, setText] = useState("");
  const session = useContext(SessionContext);
  const names = Object.keys(value?.projects ?? {});
  useEffect(() => {
    document.title = "autolog";
    if (names.length === 1) go(projectHref(names[0]), { replace: true });
  }, [names.length]);
  useEffect(() => {
    if (!value || names.length) return undefined;
    const timer = setInterval(reload, 3000); // the first run makes the first project
    return () => clearInterval(timer);
  }, [Boolean(value), names.length]);
  if (error) return html`<${Failure} error=${error} again=${reload} />`;
  if (!value) return html`<${Waiting} />`;
  if (!names.length) return html`<${Empty} local=${session?.local} />`;
  const shown = names.filter((name) => name.toLowerCase().includes(text.toLowerCase()));
  return html`<section class="page">
    <div class="bar"><h1>Projects</h1>
      <input type="search" aria-label="Find a project" placeholder="Find…" value=${text}
        onInput=${(event) => setText(event.currentTarget.value)} />
    </div>
    <ul class="projects">
      ${shown.map((name) => html`<li key=${name}>
        <a href=${projectHref(name)}><b>${name}</b><span class="faint">${count(value.projects[name], "run")}</span></a>
      </li>`)}
    </ul>
  </section>`;
}

const Empty = ({ local }) => html`<${Message}>
  <h1>No runs yet</h1>
  ${!local && html`<p>On a machine that trains: <code>autolog login ${location.origin}</code></p>`}
  <p>Record one: <code>autolog run train.py</code>, or <code>import autolog</code> at the top of a training script.</p>
<//>`;
