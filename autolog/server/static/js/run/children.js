// Child runs (fits, trials, folds) as a tree: what differs between them, and what came of it.

import { duration, number, plain } from "../format.js";
import { Message, Status } from "../parts.js";
import { classes, html, useState } from "../view.js";
import { flat } from "./charts.js";

const FIRST = 200;

export function ChildrenTab({ run, now }) {
  const [many, setMany] = useState(FIRST);
  const [sort, setSort] = useState("");
  const children = flat(run.children);
  if (!children.length) return html`<${Message}>This run has no child runs.<//>`;
  const metrics = names(children, "metrics");
  const params = names(children, "params").filter((name) => differs(children, name));
  const rows = sorted(children, sort);
  const columns = [...params.map((name) => ["params", name]), ...metrics.map((name) => ["metrics", name])];
  return html`<div class="card table scroll"><table class="plain" aria-label="Child runs">
    <thead><tr><th>Name</th><th>Kind</th><th>Status</th><th class="number">Took</th>
      ${columns.map(([group, name]) => html`<${Head} key=${group + name} group=${group} name=${name} sort=${sort} setSort=${setSort} />`)}
    </tr></thead>
    <tbody>${rows.slice(0, many).map((child) => html`<tr key=${child.id}>
      <th scope="row"><span class=${`depth-${Math.min(child.depth, 5)}`} title=${child.label}>${child.name}</span></th>
      <td>${child.kind}${child.integration ? html` <span class="faint">${child.integration}</span>` : ""}</td>
      <td><${Status} status=${child.status} /></td>
      <td class="number">${took(child, now)}</td>
      ${columns.map(([group, name]) => html`<td key=${group + name} class=${classes(group === "metrics" && "number")}>
        ${group === "metrics" ? number(child.metrics[name]?.last) : plain(child.params[name])}</td>`)}
    </tr>`)}</tbody>
  </table>
  ${rows.length > many && html`<button onClick=${() => setMany(many + 1000)}>Show more of ${rows.length}</button>`}</div>`;
}

function Head({ group, name, sort, setSort }) {
  const key = `${group}.${name}`;
  const order = sort === key ? "ascending" : sort === `-${key}` ? "descending" : "none";
  const next = { none: `-${key}`, descending: key, ascending: "" }[order];
  return html`<th scope="col" aria-sort=${order} class=${group === "metrics" && "number"}>
    <button class="head" onClick=${() => setSort(next)}><small>${group === "metrics" ? "metric" : "param"}</small>
      <span>${name}</span><i aria-hidden="true">${{ ascending: "↑", descending: "↓", none: "" }[order]}</i></button></th>`;
}

const took = (child, now) =>
  duration(child.ended_at === null ? now - Date.parse(child.started_at) / 1000 : child.duration);

const names = (children, group) => [...new Set(children.flatMap((child) => Object.keys(child[group])))].slice(0, 12);

const differs = (children, name) => new Set(children.map((child) => JSON.stringify(child.params[name]))).size > 1;

/** In the order they began; sorted by a column those without a value come last. */
function sorted(children, sort) {
  if (!sort) return children;
  const [group, ...rest] = sort.replace(/^-/, "").split(".");
  const name = rest.join(".");
  const value = (child) => (group === "metrics" ? child.metrics[name]?.last : child.params[name]);
  const way = sort.startsWith("-") ? -1 : 1;
  return [...children].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (typeof left !== "number" || typeof right !== "number") return (typeof right === "number") - (typeof left === "number");
    return way * (left - right);
  });
}
