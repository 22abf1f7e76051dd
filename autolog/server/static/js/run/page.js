// One run: its head, and the views of it.

import { ask, get, runPath } from "../api.js";
import { duration, moment, seconds } from "../format.js";
import { useLoaded, useNow } from "../load.js";
import { Ago, Editable, Failure, Status, Waiting } from "../parts.js";
import { runHref } from "../route.js";
import { Tags } from "../runs/tags.js";
import { useMayEdit } from "../session.js";
import { html, useEffect, useState } from "../view.js";
import { AssetsTab, assetsOf } from "../media/assets.js";
import { ChartsTab } from "./charts.js";
import { ChildrenTab } from "./children.js";
import { ConsoleTab } from "./console.js";
import { Gone, RunMenu } from "./menu.js";
import { OverviewTab } from "./overview.js";
import { SourceTab } from "./source.js";
import { SystemTab } from "./system.js";

const TABS = [
  { key: "overview", word: "Overview", View: OverviewTab },
  { key: "charts", word: "Charts", View: ChartsTab },
  { key: "children", word: "Child runs", View: ChildrenTab, has: (run) => run.children.length },
  { key: "system", word: "System", View: SystemTab },
  { key: "console", word: "Console", View: ConsoleTab },
  { key: "source", word: "Source", View: SourceTab },
  { key: "assets", word: "Assets", View: AssetsTab, has: (run) => assetsOf(run).length },
];

export function RunPage({ route }) {
  const { project, run, tab, query } = route;
  const loaded = useLoaded((signal) => get(runPath(project, run), {}, signal), [`${project}/${run}`], { project, run });
  const now = useNow(5);
  const [deleted, setDeleted] = useState(null);
  const told = loaded.value;
  useEffect(() => { document.title = `${told?.name ?? run} · autolog`; }, [told?.name]);
  if (!told) return loaded.error ? html`<${Failure} error=${loaded.error} again=${loaded.reload} />` : html`<${Waiting} />`;
  const back = async () => {
    await loaded.reload();
    setDeleted(null);
  };
  if (deleted) return html`<${Gone} project=${project} run=${deleted} back=${back} />`;
  if (loaded.error?.status === 404) return html`<${Failure} error=${loaded.error} again=${loaded.reload} />`; // somebody deleted it
  const current = TABS.find((each) => each.key === tab) ?? TABS[0];
  return html`<section class="page">
    <${Head} project=${project} run=${told} now=${now} reload=${loaded.reload} gone=${() => setDeleted(told)} />
    <nav class="tabs" aria-label="Views of the run">
      ${TABS.map(({ key, word, has }) => html`<a key=${key} href=${runHref(project, run, key === "overview" ? "" : key)}
        aria-current=${key === current.key ? "page" : undefined} class=${has && !has(told) && "none"}>${word}
        ${has && has(told) ? html` <small>${has(told)}</small>` : ""}</a>`)}
    </nav>
    <${current.View} project=${project} run=${told} query=${query} now=${now} reload=${loaded.reload} />
  </section>`;
}

function Head({ project, run, now, reload, gone }) {
  const mayEdit = useMayEdit(project);
  const save = (field) => async (text) => {
    await ask("PATCH", runPath(project, run.id), { body: { [field]: text } });
    await reload();
  };
  const started = seconds(run.started_at);
  const ended = seconds(run.ended_at);
  return html`<header class="run-head">
    <div class="bar">
      <h1><${Editable} text=${run.name} label="name" save=${save("name")} allowed=${mayEdit} /></h1>
      <${Status} status=${run.status} />
      ${run.archived && html`<span class="badge">archived</span>`}
      <span class="faint"><${Ago} time=${started} now=${now} /> · <span title=${`${moment(started)} – ${moment(ended)}`}>
        ${ended === null ? `running for ${duration(now - started)}` : `took ${duration(ended - started)}`}</span></span>
      <span class="spacer"></span>
      <code class="faint" title="The run's id">${run.id}</code>
      <${RunMenu} project=${project} run=${run} reload=${reload} gone=${gone} />
    </div>
    <div class="bar slim">
      <${Tags} project=${project} run=${run} tags=${run.tags} allowed=${mayEdit} changed=${reload} />
      <span class="note"><${Editable} text=${run.note} label="note" save=${save("note")} placeholder="Add a note" many=${true} allowed=${mayEdit} /></span>
    </div>
  </header>`;
}
