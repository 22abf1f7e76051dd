// Several runs beside each other: what differs between them, and their metrics in common charts.

import { get, projectPath } from "../api.js";
import { ChartControls, chartSettings } from "../chart/controls.js";
import { color, dash } from "../chart/colors.js";
import { ChartGrid } from "../chart/grid.js";
import { pointsOf } from "../chart/source.js";
import { count, plain } from "../format.js";
import { useLoaded, useNow } from "../load.js";
import { Failure, Message, Waiting } from "../parts.js";
import { listOf, projectHref, setQuery } from "../route.js";
import { html, useCallback, useEffect, useMemo } from "../view.js";
import { Differences } from "./differences.js";
import { Legend } from "./legend.js";
import { loadRuns } from "./runs.js";

const MANY = 1000;

/** The address holds `runs`, `legend`, `hide` and how charts are drawn. */
export function ComparePage({ route }) {
  const { project, query } = route;
  const ids = listOf(query, "runs");
  const news = { project };
  const names = useLoaded((signal) => get(`${projectPath(project)}/columns`, {}, signal), [project]);
  const inputs = useMemo(() => inputsOf(names.value), [names.value]);
  const loaded = useLoaded((signal) => (names.value ? loadRuns(project, ids, inputs, signal) : undefined),
    [`${project} ${ids.join()}`, inputs.length], news);
  const now = useNow();
  useEffect(() => { document.title = `Compare · ${project} · autolog`; }, [project]);
  if (!ids.length) return html`<${Message}>No runs are chosen. <a href=${projectHref(project)}>Select some</a><//>`;
  const error = names.error ?? loaded.error;
  if (!loaded.value) return error ? html`<${Failure} error=${error} again=${loaded.reload} />` : html`<${Waiting} />`;
  return html`<${Compared} project=${project} query=${query} ids=${ids} runs=${loaded.value} names=${names.value} inputs=${inputs} now=${now} />`;
}

/** Columns that were given to a run, and so may explain a difference. */
const inputsOf = (names) =>
  ["params", "args", "fields"].flatMap((group) => (names?.[group] ?? []).map((name) => `${group}.${name}`)).slice(0, MANY);

function Compared({ project, query, ids, runs, names, inputs, now }) {
  const legend = query.get("legend") ?? "name";
  const hidden = new Set(listOf(query, "hide"));
  const missing = ids.length - runs.length;
  const shown = useMemo(() => runs.map((run) => run.id).filter((id) => !hidden.has(id)), [runs.map((run) => run.id).join(), [...hidden].join()]);
  const points = useMemo(() => pointsOf(project, shown), [project, shown]);
  const labels = runs.map((run) => labelOf(run, legend)).join("\n");
  const describe = useCallback((series) => {
    const place = runs.findIndex((run) => run.id === series.run);
    const run = runs[place];
    if (!run || !shown.includes(run.id)) return null;
    const label = labelOf(run, legend);
    return {
      key: `${run.id} ${series.child ?? ""}`, label, color: color(place), dash: dash(place), start: run.started_at,
    };
  }, [labels, shown]);
  const settings = chartSettings(query);
  return html`<section class="page compare">
    <div class="bar"><h1>${count(runs.length, "run")} compared</h1><span class="spacer"></span>
      ${missing > 0 && html`<span class="problem" role="status">${count(missing, "run is", "runs are")} not there any more</span>`}
      <a class="button" href=${`${projectHref(project)}?selected=${ids.join(",")}`}>Change the selection</a></div>
    <div class="compare-parts">
      <aside>
        <${Legend} project=${project} runs=${runs} legend=${legend} fields=${["name", "id", "status", "tags", ...inputs]} labelOf=${labelOf}
          hidden=${hidden} hide=${(list) => setQuery({ hide: list })} choose=${(field) => setQuery({ legend: field === "name" ? "" : field })}
          remove=${(id) => setQuery({ runs: ids.filter((each) => each !== id) })} now=${now} />
      </aside>
      <div class="compare-charts">
        <${Differences} runs=${runs} inputs=${inputs} />
        <${ChartControls} settings=${settings} />
        <${ChartGrid} names=${names?.metrics ?? []} points=${points} describe=${describe} settings=${settings}
          subject=${shown.join()} news=${{ project }} />
      </div>
    </div>
  </section>`;
}

/** What a run is called in the legend: any of its fields. */
export function labelOf(run, field) {
  if (field === "tags") return run.tags.join(" ") || "—";
  if (field in run && typeof run[field] === "string") return run[field];
  return field in run.values ? plain(run.values[field]) : "—";
}
