// Columns of the table of runs: which there are, what they are called, how wide they are, what stands in them.

import { duration, number, plain } from "../format.js";

/** Columns that are fields of a run; the API tells them without being asked. */
export const FIXED = ["status", "started", "duration", "tags", "note"];
const GROUPS = { metrics: "metric", params: "param", args: "argument", facts: "fact", other: "other", fields: "field" };
const STATS = ["min", "max", "count", "last_step", "last_epoch"];
const WIDTHS = { status: 116, started: 114, duration: 92, tags: 190, note: 220 };

/** A column's name, taken apart: `metrics.val/loss.min` → `{group: "metrics", name: "val/loss", stat: "min"}`. */
export function parts(column, known = []) {
  const place = column.indexOf(".");
  const group = column.slice(0, Math.max(place, 0));
  if (!(group in GROUPS)) return { group: "", name: column, stat: "" };
  const rest = column.slice(place + 1);
  const stat = group === "metrics" && !known.includes(rest) && STATS.find((each) => rest.endsWith(`.${each}`));
  return { group, name: stat ? rest.slice(0, -stat.length - 1) : rest, stat: stat || "" };
}

/** What stands at the head of a column: a small word for its kind, and its name. */
export function heading(column) {
  const { group, name, stat } = parts(column);
  return { kind: [GROUPS[group], stat.replace("_", " ")].filter(Boolean).join(" · "), name };
}

/** Pixels; they depend on the column alone, so that nothing moves while runs are loaded. */
export function width(column) {
  if (WIDTHS[column]) return WIDTHS[column];
  return Math.max(88, Math.min(220, 34 + 7.4 * heading(column).name.length));
}

/** Whether its values are numbers by nature, and so stand at the right. */
export const isNumber = (column) => column.startsWith("metrics.") || column === "duration";

/** The value of a column that is no field of the run, as text. */
export const cellText = (run, column) => {
  const value = run.values[column];
  return column.startsWith("metrics.") ? number(value) : plain(value);
};

export const durationText = (run, now) => duration((run.ended_at ?? now) - run.started_at);

const TELLING = /(^|[/_.-])(val|valid|eval|test)/i;
const GOAL = /loss|acc|f1|auc|error|score|reward|perplexity|bleu|rmse|mae/i;
const OURS = /^autolog\//; // worked out by autolog itself: of interest last
const worth = (name) => (TELLING.test(name) ? 2 : 0) + (GOAL.test(name) ? 1 : 0) - (OURS.test(name) ? 4 : 0);

/** The columns of somebody who has chosen none: what people look for first. */
export function usual(names) {
  const metrics = [...(names?.metrics ?? [])].sort((a, b) => worth(b) - worth(a) || a.localeCompare(b)).slice(0, 4);
  const inputs = (names?.params ?? []).length ? "params" : "args";
  return [
    ...FIXED.slice(0, 4),
    ...metrics.map((name) => `metrics.${name}`),
    ...(names?.[inputs] ?? []).filter((name) => name.length < 24).slice(0, 4).map((name) => `${inputs}.${name}`),
  ];
}
