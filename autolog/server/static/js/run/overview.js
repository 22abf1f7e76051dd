// What a run was: how it ended, what it was given, what came out, where it ran.

import { number, plain } from "../format.js";
import { html, useState } from "../view.js";
import { Fields } from "./fields.js";
import { factLines, packagesOf, restOf } from "./facts.js";

export function OverviewTab({ project, run, reload }) {
  const params = Object.entries(run.params);
  const args = Object.entries(run.args);
  return html`<div class="overview">
    <${Ending} run=${run} />
    <${Health} health=${run.health} />
    <${Metrics} metrics=${run.metrics} />
    ${params.length > 0 && html`<${Pairs} title="Parameters" pairs=${params} />`}
    ${args.length > 0 && html`<${Args} args=${args} />`}
    <${Fields} project=${project} run=${run} reload=${reload} />
    ${Object.keys(run.other).length > 0 && html`<${Pairs} title="Other" pairs=${Object.entries(run.other)} />`}
    <${Facts} run=${run} />
    <${Ranks} processes=${run.processes} />
    <${Packages} packages=${packagesOf(run.facts)} />
    <${More} pairs=${restOf(run.facts)} />
  </div>`;
}

function Ending({ run }) {
  const { exception, signal, oom, cause, exit_code: code } = run.end;
  if (!exception && ["running", "completed"].includes(run.status)) return null;
  const words = [oom && "out of memory", signal && `signal ${signal}`, cause, code && `exit code ${code}`].filter(Boolean).join(", ");
  return html`<section class="card wide ending" aria-label="How it ended"><h2>How it ended</h2>
    <p><b>${run.status}</b>${words && `: ${words}`}</p>
    ${exception && html`<p class="mono"><b>${exception.type}</b>: ${exception.message}</p>
      ${exception.traceback && html`<details><summary>Traceback</summary><pre>${exception.traceback}</pre></details>`}`}
  </section>`;
}

const HEALTH = { lost: "Lost", errors: "Errors of autolog", notices: "Notices", redacted: "Masked" };

function Health({ health }) {
  const found = Object.entries(HEALTH).filter(([kind]) => Array.isArray(health[kind]) ? health[kind].length : health[kind]);
  if (!found.length) return null;
  return html`<section class="card wide" aria-label="Of the record"><h2>Of the record</h2>
    ${found.map(([kind, word]) => html`<details key=${kind} open=${kind === "lost"}><summary>${word}</summary>
      <ul>${[health[kind]].flat().map((entry) => html`<li class="mono">${typeof entry === "object" ? Object.values(entry).map(plain).join("  ") : plain(entry)}</li>`)}</ul>
    </details>`)}
  </section>`;
}

function Metrics({ metrics }) {
  const found = Object.entries(metrics);
  if (!found.length) return null;
  return html`<section class="card" aria-label="Metrics"><h2>Metrics</h2><table class="plain fit">
    <thead><tr><th>Name</th><th class="number">Last</th><th class="number">Lowest</th><th class="number">Highest</th><th class="number">At step</th><th class="number">Points</th></tr></thead>
    <tbody>${found.map(([name, told]) => html`<tr key=${name}><th scope="row" title=${name}>${name}</th>
      <td class="number" title=${told.last}>${number(told.last)}</td><td class="number" title=${told.min}>${number(told.min)}</td>
      <td class="number" title=${told.max}>${number(told.max)}</td><td class="number">${number(told.last_step, 9)}</td>
      <td class="number">${number(told.count, 9)}</td></tr>`)}</tbody>
  </table></section>`;
}

/** Names and values; with many, they can be searched. */
function Pairs({ title, pairs, wide = false }) {
  const [text, setText] = useState("");
  const shown = pairs.filter(([name, value]) => `${name} ${plain(value)}`.toLowerCase().includes(text.toLowerCase()));
  return html`<section class=${wide ? "card wide" : "card"} aria-label=${title}><h2>${title}</h2>
    ${pairs.length > 12 && html`<input type="search" aria-label=${`Find in ${title.toLowerCase()}`} placeholder="Find…" value=${text}
      onInput=${(event) => setText(event.currentTarget.value)} />`}
    <dl>${shown.map(([name, value]) => html`<div key=${name}><dt title=${name}>${name}</dt><dd>${plain(value)}</dd></div>`)}</dl>
  </section>`;
}

function Args({ args }) {
  return html`<section class="card" aria-label="Arguments"><h2>Arguments</h2><dl>
    ${args.map(([name, told]) => html`<div key=${name} class=${told.given ? "" : "faint"}><dt>${name}</dt>
      <dd>${plain(told.value)}${told.given && "default" in told ? html` <small class="faint">default ${plain(told.default)}</small>` : ""}</dd></div>`)}
  </dl></section>`;
}

function Facts({ run }) {
  const lines = factLines(run.facts);
  if (!lines.length) return null;
  return html`<section class="card" aria-label="Where it ran"><h2>Where it ran</h2><dl>
    ${lines.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="mono">${value}</dd></div>`)}
    ${run.parent && html`<div><dt>part of</dt><dd class="mono">${run.parent}</dd></div>`}
  </dl></section>`;
}

function Ranks({ processes }) {
  const ranks = processes.filter((process) => ["main", "rank", "worker"].includes(process.role));
  if (ranks.length < 2) return null;
  return html`<section class="card" aria-label="Processes"><h2>Processes</h2><table class="plain fit">
    <thead><tr><th>Role</th><th>Rank</th><th>Host</th><th>Process</th><th>Status</th></tr></thead>
    <tbody>${ranks.map((each) => html`<tr key=${`${each.host} ${each.pid} ${each.rank}`}><td>${each.role}</td><td>${each.rank}</td>
      <td>${each.host}</td><td>${each.pid}</td><td>${each.status ?? ""}</td></tr>`)}</tbody>
  </table></section>`;
}

const Packages = ({ packages }) =>
  packages.length > 0 && html`<details class="card wide"><summary>Packages <small>${packages.length}</small></summary>
    <${Pairs} title="Packages" pairs=${packages} wide=${true} /></details>`;

const More = ({ pairs }) =>
  pairs.length > 0 && html`<details class="card wide"><summary>Everything else that is known</summary>
    <${Pairs} title="Facts" pairs=${pairs} wide=${true} /></details>`;
