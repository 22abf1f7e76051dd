// What the machine did while the run was running.

import { get, runPath } from "../api.js";
import { ChartControls, chartSettings } from "../chart/controls.js";
import { color } from "../chart/colors.js";
import { line } from "../chart/data.js";
import { Plot } from "../chart/plot.js";
import { bytes, number, seconds } from "../format.js";
import { useLoaded } from "../load.js";
import { Failure, Message, Waiting } from "../parts.js";
import { html, useMemo, useState } from "../view.js";

const POINTS = 1000;
const WORDS = { cpu: "Processor", memory: "Memory", gpu: "GPU", disk: "Disk", io: "Files", network: "Network", process: "Processes" };

export function SystemTab({ project, run, query }) {
  const nodes = [...new Set(run.processes.map((process) => process.node).filter((node) => node !== undefined && node !== ""))];
  const [node, setNode] = useState("");
  const { value, error, reload } = useLoaded(
    (signal) => get(`${runPath(project, run.id)}/system`, { points: POINTS, node }, signal),
    [`${run.id} ${node}`], { project, run: run.id },
  );
  const settings = chartSettings(query);
  const axis = settings.axis === "time" ? "time" : "relative";
  const start = seconds(run.started_at);
  const charts = useMemo(() => arranged(value?.series ?? [], axis, start), [value, axis, start]);
  if (error && !value) return html`<${Failure} error=${error} again=${reload} />`;
  if (!value) return html`<${Waiting} />`;
  return html`<${ChartControls} settings=${{ ...settings, axis }} axes=${["relative", "time"]}>
      ${nodes.length > 1 && html`<label>Node <select value=${node} onChange=${(event) => setNode(event.currentTarget.value)}>
        ${["", ...nodes].map((each) => html`<option key=${each} value=${each}>${each || "that of rank 0"}</option>`)}</select></label>`}
    <//>
    ${!charts.length && html`<${Message}>No samples: the first one comes a few seconds after the start.<//>`}
    ${[...Map.groupBy(charts, (chart) => chart.group)].map(([group, members]) => html`<section key=${group} class="chart-group" aria-label=${group}>
      <h2>${WORDS[group] ?? group}</h2>
      <div class="charts">${members.map((chart) => html`<figure class="chart" key=${chart.name} aria-label=${chart.name}>
        <figcaption><span class="chart-name" title=${chart.name}>${chart.title}</span></figcaption>
        <${Plot} lines=${chart.lines} axis=${axis} log=${settings.log} smoothing=${settings.smoothing} write=${writer(chart.name)} label=${chart.name} />
      </figure>`)}</div>
    </section>`)}`;
}

/** One chart for each quantity; what there is of it for several devices is in one chart. */
function arranged(all, axis, start) {
  const charts = new Map();
  for (const series of all) {
    const words = series.metric.split(".");
    const device = words.length > 2 ? words.slice(1, -1).join(".") : "";
    const name = `${words[0]}.${words.at(-1)}`;
    if (!charts.has(name)) charts.set(name, { name, group: words[0], title: titleOf(words.at(-1)), lines: [] });
    const { lines } = charts.get(name);
    lines.push({
      key: series.metric, label: device ? `${words[0]} ${device}` : titleOf(words.at(-1)), color: color(lines.length),
      ...line(series, axis, start),
    });
  }
  return [...charts.values()];
}

const UNIT = /_(percent|bytes_per_second|bytes|celsius|watts)$/;
const UNITS = { percent: "%", bytes: "", bytes_per_second: "/s", celsius: "°C", watts: "W" };

const titleOf = (word) => word.replace(UNIT, (_, unit) => (UNITS[unit].trim() ? ` ${UNITS[unit]}` : "")).replaceAll("_", " ");

/** Sizes are written as such. */
const writer = (name) => (/_bytes(_per_second)?$/.test(name) ? sized : number);
const sized = (value, digits) => (Number.isFinite(value) ? bytes(value, digits) : number(value));
