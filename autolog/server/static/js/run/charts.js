// The metrics of a run over its steps. With child runs, each is a line.

import { ChartControls, chartSettings } from "../chart/controls.js";
import { color, dash } from "../chart/colors.js";
import { ChartGrid } from "../chart/grid.js";
import { pointsOf } from "../chart/source.js";
import { number, seconds } from "../format.js";
import { Message } from "../parts.js";
import { html, useCallback, useMemo } from "../view.js";

export function ChartsTab({ project, run, query }) {
  const children = useMemo(() => flat(run.children), [run]);
  const names = useMemo(() => allNames(run, children), [run, children]);
  const points = useMemo(() => pointsOf(project, [run.id]), [project, run.id]);
  const start = seconds(run.started_at);
  const known = JSON.stringify(children.map((child) => [child.id, child.label]));
  const describe = useCallback((series) => {
    const place = series.child === null ? -1 : children.findIndex((child) => child.id === series.child);
    const label = place < 0 ? run.name : children[place].label;
    return { key: series.child ?? "", label, color: color(place + 1), dash: dash(place + 1), start };
  }, [run.id, run.name, known, start]);
  if (!names.length) return html`<${Message}>No metrics yet.<//>`;
  const settings = chartSettings(query);
  return html`<${ChartControls} settings=${settings} />
    <${ChartGrid} names=${names} points=${points} describe=${describe} settings=${settings} subject=${run.id}
      news=${{ project, run: run.id }} said=${(name) => number(run.metrics[name]?.last)} />`;
}

/** Child runs at any depth, each with a label that tells it apart. */
export function flat(children, path = "") {
  return children.flatMap((child) => {
    const label = path ? `${path} / ${child.name}` : child.name;
    return [{ ...child, label, depth: path ? path.split(" / ").length : 0 }, ...flat(child.children, label)];
  });
}

const allNames = (run, children) =>
  [...new Set([...Object.keys(run.metrics), ...children.flatMap((child) => Object.keys(child.metrics))])];
