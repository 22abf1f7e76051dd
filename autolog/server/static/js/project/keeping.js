// What a project holds and may hold, and how long it keeps its runs.

import { ask, get, projectPath } from "../api.js";
import { Confirm } from "../dialog.js";
import { Form } from "../form.js";
import { bytes, count } from "../format.js";
import { useLoaded } from "../load.js";
import { Failure, Waiting } from "../parts.js";
import { useMayManage } from "../session.js";
import { html, useState } from "../view.js";

const GB = 1e9;
const given = (text) => (text === "" ? null : Number(text));

export function Keeping({ project }) {
  const path = `${projectPath(project)}/usage`;
  const { value, error, reload } = useLoaded((signal) => get(path, {}, signal), [project]);
  const [wanted, setWanted] = useState(null);
  const [done, setDone] = useState("");
  const mayManage = useMayManage();
  const set = async (body) => {
    setDone("");
    await ask("PATCH", path, { body });
    await reload();
    setDone("Kept.");
  };
  const keepFor = async ({ days }) => {
    if (Number(days) > 0) setWanted(Number(days));
    else await set({ retention_days: given(days) });
  };
  const limit = ({ gigabytes, runs }) => set({
    quota_bytes: gigabytes === "" ? null : Math.round(GB * Number(gigabytes)), quota_runs: given(runs),
  });
  if (!value) return error ? html`<${Failure} error=${error} again=${reload} />` : html`<${Waiting} />`;
  return html`<section class="card" aria-label="What it keeps"><h2>What it keeps</h2>
    <p>It holds ${bytes(value.bytes)}${value.quota_bytes ? ` of ${bytes(value.quota_bytes)}` : ""} in ${count(value.runs, "run")}${value.quota_runs ? ` of at most ${value.quota_runs.toLocaleString("en")}` : ""}.${value.retention_days ? html` Runs are deleted <b>${count(value.retention_days, "day")}</b> after their end, but for those with the tag <code>keep</code>.` : " Runs are kept for good."}</p>
    <p class="faint">0 is without an end or limit; an empty field: as the server is set.</p>
    <${Form} key=${`days ${value.retention_days}`} label="How long runs are kept" send=${keepFor} word="Set">
      <label>Days after their end <input name="days" type="number" min="0" max="36500" step="any" defaultValue=${value.retention_days} /></label>
    <//>
    ${mayManage && html`<${Form} key=${`quota ${value.quota_bytes} ${value.quota_runs}`} label="Quotas" send=${limit} word="Set quotas">
      <label>Gigabytes <input name="gigabytes" type="number" min="0" step="any" defaultValue=${value.quota_bytes / GB} /></label>
      <label>Runs <input name="runs" type="number" min="0" step="1" defaultValue=${value.quota_runs} /></label>
    <//>`}
    <p role="status">${done}</p>
    ${wanted !== null && html`<${Confirm} title=${`Delete runs after ${count(wanted, "day")}?`} word="Set" act=${() => set({ retention_days: wanted })}
      close=${() => setWanted(null)}><p>Runs that ended longer ago are deleted from now on, those that are there already too, but for those with the tag <code>keep</code>.</p><//>`}
  </section>`;
}
