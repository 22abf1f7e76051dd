// Settings of a project, for its admins: who sees it, who may do what, what it keeps.

import { Act } from "../act.js";
import { ask, get, projectPath } from "../api.js";
import { useLoaded } from "../load.js";
import { Failure, Message, Waiting } from "../parts.js";
import { useMayAdminister } from "../session.js";
import { html, useEffect } from "../view.js";
import { Keeping } from "./keeping.js";
import { Members } from "./members.js";
import { Shares } from "./shares.js";

export function SettingsPage({ route: { project } }) {
  const mayAdminister = useMayAdminister(project);
  useEffect(() => { document.title = `Settings of ${project} · autolog`; }, [project]);
  if (!mayAdminister) return html`<${Message} kind="error">Only admins of ${project} change its settings: ask one of them.<//>`;
  return html`<section class="page settings"><h1>Settings of ${project}</h1>
    <${Visibility} project=${project} />
    <${Members} project=${project} />
    <${Shares} project=${project} />
    <${Keeping} project=${project} />
  </section>`;
}

function Visibility({ project }) {
  const { value, error, reload } = useLoaded((signal) => get(projectPath(project), {}, signal), [project]);
  const set = async (open) => {
    await ask("PATCH", projectPath(project), { body: { public: open } });
    await reload();
  };
  if (!value) return error ? html`<${Failure} error=${error} again=${reload} />` : html`<${Waiting} />`;
  return html`<section class="card" aria-label="Who sees it"><h2>Who sees it</h2>
    <p>${value.public ? html`<b>Public:</b> whoever reaches this server reads all of it.` : html`<b>Private:</b> its members see it, and whoever has a share link.`}
      ${value.workspace && ` It belongs to the workspace ${value.workspace}.`}</p>
    <div class="bar">${value.public ? html`<${Act} key="private" word="Make it private" act=${() => set(false)} />`
    : html`<${Act} key="public" word="Make it public…" act=${() => set(true)} asks=${{
      title: `Make ${project} public?`, word: "Make it public", text: "Whoever reaches this server will read all its runs, files and consoles, without signing in.",
    }} />`}</div>
  </section>`;
}
