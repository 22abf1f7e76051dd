// Data that autolog stores as JSON, drawn small: histograms, curves, confusion matrices, tables. docs/media.md has them.

import { color } from "../chart/colors.js";
import { Plot } from "../chart/plot.js";
import { fileUrl } from "../api.js";
import { number, plain, toNumber } from "../format.js";
import { html, useMemo, useState } from "../view.js";

const ROWS = 100;
const PARTS = 60;

export const Histogram = ({ data }) => html`<${Bars} data=${data} />
  <p class="faint">${summaryOf(data)}</p>`;

const summaryOf = (data) =>
  ["count", "mean", "std", "min", "max", "nan", "infinity", "minus_infinity"]
    .filter((name) => data[name] !== undefined && data[name] !== null && data[name] !== 0)
    .map((name) => `${name.replace("_", " ")} ${number(data[name])}`).join(" · ");

/** Counts over edges as one outline. */
function Bars({ data, height = 140 }) {
  const lines = useMemo(() => {
    const edges = edgesOf(data);
    const x = [];
    const y = [];
    data.counts.forEach((many, place) => {
      x.push(edges[place], edges[place + 1]);
      y.push(toNumber(many), toNumber(many));
    });
    return [{ key: "counts", label: "count", color: color(0), x, y }];
  }, [data]);
  return html`<${Plot} lines=${lines} axis="value" height=${height} label="histogram" />`;
}

function edgesOf(data) {
  if (data.edges) return data.edges.map(toNumber);
  const [low, high, many] = [toNumber(data.min), toNumber(data.max), data.counts.length];
  return Array.from({ length: many + 1 }, (_, place) => low + ((high - low) * place) / many);
}

export function Histograms({ data }) {
  const names = Object.keys(data.histograms);
  const [chosen, setChosen] = useState(names[0]);
  const one = data.histograms[chosen];
  return html`<label><select value=${chosen} aria-label="Which histogram" onChange=${(event) => setChosen(event.currentTarget.value)}>
      ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    ${one?.counts?.length ? html`<${Bars} key=${chosen} data=${one} />` : ""}
    <p class="faint">${one ? summaryOf(one) : ""}</p>`;
}

export function Curve({ data, asset }) {
  const lines = useMemo(() => {
    const points = data.x.map((at, place) => [toNumber(at), toNumber(data.y[place])]).filter(([at]) => Number.isFinite(at));
    points.sort((a, b) => a[0] - b[0]); // the library draws from left to right
    return [{ key: "curve", label: asset.name, color: color(0), x: points.map(([at]) => at), y: points.map(([, value]) => value) }];
  }, [data]);
  return html`<${Plot} lines=${lines} axis="value" label=${asset.name} />
    <p class="faint">${data.x_label} → ${data.y_label}</p>`;
}

export function Confusion({ data }) {
  const labels = data.labels.slice(0, PARTS);
  const most = Math.max(...data.matrix.flat().map(toNumber), 1);
  return html`<div class="scroll"><table class="matrix" aria-label="Confusion matrix">
    <thead><tr><th class="faint">true ↓ · predicted →</th>${labels.map((label) => html`<th key=${label} title=${plain(label)}>${plain(label)}</th>`)}</tr></thead>
    <tbody>${labels.map((label, row) => html`<tr key=${row}><th scope="row">${plain(label)}</th>
      ${labels.map((_, column) => {
        const many = toNumber(data.matrix[row][column]);
        return html`<td key=${column} style=${{ "--share": `${Math.round((100 * many) / most)}%` }}>${number(many)}</td>`;
      })}</tr>`)}</tbody>
  </table></div>
  ${data.labels.length > PARTS && html`<p class="faint">The first ${PARTS} of ${data.labels.length} classes</p>`}`;
}

export function DataTable({ data, project, run }) {
  const [many, setMany] = useState(ROWS);
  return html`<div class="scroll"><table class="plain">
    <thead><tr>${data.columns.map((name, place) => html`<th key=${place} class=${isNumeric(data.types[place]) && "number"}>${plain(name)}</th>`)}</tr></thead>
    <tbody>${data.rows.slice(0, many).map((row, place) => html`<tr key=${place}>${row.map((cell, column) =>
      html`<td key=${column} class=${isNumeric(data.types[column]) && "number"}>${cellOf(cell, data.types[column], project, run)}</td>`)}</tr>`)}</tbody>
  </table></div>
  ${data.rows.length > many && html`<button onClick=${() => setMany(many + 1000)}>Show more of ${data.rows.length}</button>`}`;
}

const isNumeric = (type) => type === "number" || type === "integer";

function cellOf(cell, type, project, run) {
  if (isNumeric(type)) return number(cell, 6);
  if (cell && typeof cell === "object" && cell.path) {
    const url = fileUrl(project, run, cell.path);
    return /^image\//.test(cell.media_type ?? "") ? html`<img class="small" src=${url} alt="" loading="lazy" />`
      : html`<a href=${url} download>file</a>`;
  }
  return cell === null ? "" : plain(cell);
}
