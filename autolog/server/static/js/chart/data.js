// Points of the API → what is drawn. Pure.

import { toNumber } from "../format.js";

/** The horizontal axes, and what each needs of a point. */
export const AXES = { step: "Step", epoch: "Epoch", relative: "Time since start", time: "Time" };

/**
 * One series of the API as a line: `{x, y}`, sorted by x, points of one x in their order. Values that are no numbers
 * stay: NaN and infinities are marked in the chart.
 *
 * @param start of the run, in seconds: for the axis "relative"
 */
export function line(series, axis, start) {
  const given = { step: series.steps, epoch: series.epochs, relative: series.times, time: series.times }[axis];
  const shift = axis === "relative" ? start ?? series.times[0] ?? 0 : 0;
  const points = [];
  series.values.forEach((value, place) => {
    if (typeof given[place] === "number") points.push([given[place] - shift, toNumber(value)]);
  });
  points.sort((a, b) => a[0] - b[0]); // stable
  return { x: points.map((point) => point[0]), y: points.map((point) => point[1]) };
}

/** The axis that has points: steps, or where there are none times. */
export const usable = (all, axis) =>
  ["step", "epoch"].includes(axis) && !all.some((series) => (axis === "step" ? series.steps : series.epochs).some((at) => at !== null))
    ? "relative" : axis;

/**
 * An exponential average that begins at the first value instead of zero; values that are no numbers stay as they are
 * and are left out of it.
 *
 * @param weight of what was before: 0 (none) to just below 1
 */
export function smooth(values, weight) {
  let last = 0;
  let sum = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    last = weight * last + (1 - weight) * value;
    sum = weight * sum + (1 - weight);
    return last / sum;
  });
}

/**
 * Lines → one table of columns, as the chart library wants it: a row for every x of any line, as many rows for an x as
 * the line with most points there needs. Where a line has no point: `undefined`; where it has one that is no number:
 * `null`, which is a gap.
 */
export function table(lines) {
  const columns = [[], ...lines.map(() => [])];
  const at = lines.map(() => 0);
  for (;;) {
    let x = Infinity;
    lines.forEach((each, place) => {
      if (at[place] < each.x.length && each.x[at[place]] < x) x = each.x[at[place]];
    });
    if (x === Infinity) return columns;
    columns[0].push(x);
    lines.forEach((each, place) => {
      const here = at[place] < each.x.length && each.x[at[place]] === x;
      const value = here ? each.y[at[place]] : undefined;
      columns[place + 1].push(value === undefined ? undefined : Number.isFinite(value) ? value : null);
      if (here) at[place] += 1;
    });
  }
}

/** Values of a line that are no numbers: `{x, sign}` with "nan", "above" or "below". */
export const oddities = ({ x, y }) =>
  y.flatMap((value, place) => (Number.isFinite(value) ? []
    : [{ x: x[place], sign: Number.isNaN(value) ? "nan" : value > 0 ? "above" : "below" }]));

/** The point of a line nearest to x, as a place; -1 for an empty one. */
export function nearest(xs, x) {
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  if (high < 0) return -1;
  return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
}

/** Names by what stands before their last slash: charts that belong together. One alone stands with the others. */
export function grouped(names) {
  const groups = new Map();
  for (const name of names) {
    const place = name.lastIndexOf("/");
    const group = place > 0 ? name.slice(0, place) : "";
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  const alone = [...groups].filter(([group, members]) => !group || members.length === 1).flatMap(([, members]) => members);
  const found = [...groups].filter(([group, members]) => group && members.length > 1).sort(([a], [b]) => natural(a, b));
  return [...(alone.length ? [["", alone]] : []), ...found].map(([group, members]) => [group, members.sort(natural)]);
}

const natural = new Intl.Collator("en", { numeric: true }).compare;
