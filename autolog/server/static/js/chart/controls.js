// How charts are drawn: the axis, logarithmic values, smoothing. It stands in the address.

import { setQuery } from "../route.js";
import { html } from "../view.js";
import { AXES } from "./data.js";

/** The settings as the address has them. */
export const chartSettings = (query) => ({
  axis: query.get("x") in AXES ? query.get("x") : "step",
  log: query.get("log") === "1",
  smoothing: Math.min(0.99, Math.max(0, Number(query.get("smooth")) || 0)),
});

/** The controls above charts. */
export function ChartControls({ settings, axes = Object.keys(AXES), children }) {
  const { axis, log, smoothing } = settings;
  return html`<div class="bar slim chart-controls">
    <label>X axis <select value=${axis} onChange=${(event) => setQuery({ x: event.currentTarget.value === axes[0] ? "" : event.currentTarget.value })}>
      ${axes.map((key) => html`<option key=${key} value=${key}>${AXES[key]}</option>`)}</select></label>
    <label><input type="checkbox" checked=${log} onChange=${() => setQuery({ log: log ? "" : "1" })} /> Log scale</label>
    <label>Smoothing <input type="range" min="0" max="0.99" step="0.01" value=${smoothing}
      onInput=${(event) => setQuery({ smooth: Number(event.currentTarget.value) ? event.currentTarget.value : "" })} />
      <output>${smoothing.toFixed(2)}</output></label>
    ${children}
  </div>`;
}
