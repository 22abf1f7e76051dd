// One chart: lines over a common axis, drawn by uPlot. What it is given is what it shows; it fetches nothing.

import uPlot from "../../vendor/uplot/uplot.js";
import { duration, marks, number } from "../format.js";
import { html, useEffect, useLayoutEffect, useRef } from "../view.js";
import { css } from "./colors.js";
import { oddities, smooth, table } from "./data.js";
import { tooltip } from "./tooltip.js";

/**
 * @param lines `[{key, label, color, dash, x, y}]`
 * @param axis a key of AXES
 * @param log logarithmic values
 * @param smoothing 0 to just below 1; the line itself stays, faint
 * @param write a value as text, for the axis and the hover
 */
export function Plot({ lines, axis, log = false, smoothing = 0, height = 190, label, write = number }) {
  const box = useRef(null);
  const plot = useRef(null);
  const shown = useRef(null);
  shown.current = lines;
  const shape = JSON.stringify([lines.map((each) => [each.key, each.color, each.dash]), axis, log, smoothing > 0, height]);

  useLayoutEffect(() => {
    const element = box.current;
    const made = new uPlot(options(element, shown, { axis, log, smoothing, height, write }), columns(lines, smoothing), element);
    made.shownLines = lines;
    made.shownSmoothing = smoothing;
    plot.current = made;
    const resize = new ResizeObserver(() => element.clientWidth && made.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => made.redraw(false, true);
    scheme.addEventListener("change", redraw);
    return () => {
      scheme.removeEventListener("change", redraw);
      resize.disconnect();
      made.destroy();
    };
  }, [shape]);

  useEffect(() => {
    const made = plot.current;
    if (made.shownLines === lines && made.shownSmoothing === smoothing) return;
    made.shownLines = lines;
    made.shownSmoothing = smoothing;
    const zoomed = made.zoomed ? { ...made.scales.x } : null;
    made.setData(columns(lines, smoothing), !zoomed);
    if (zoomed) made.setScale("x", { min: zoomed.min, max: zoomed.max });
  }, [lines, smoothing, shape]);

  return html`<div class="plot" ref=${box} role="img" aria-label=${label}></div>`;
}

/** With smoothing, each line comes twice: as it is, and smoothed. */
const columns = (lines, smoothing) =>
  table(smoothing ? [...lines, ...lines.map((each) => ({ x: each.x, y: smooth(each.y, smoothing) }))] : lines);

function options(element, shown, { axis, log, smoothing, height, write }) {
  const lines = shown.current;
  const line = (each, extra) => ({
    label: each.label, stroke: each.color, width: 1.5, dash: each.dash, spanGaps: false, ...extra,
    points: { show: (plot, place) => plot.data[place].filter((value) => value != null).length < 3, size: 5 },
  });
  const grid = { stroke: () => css("--line"), width: 1 };
  const common = { stroke: () => css("--faint"), grid, ticks: { ...grid, size: 4 }, font: "11px system-ui, sans-serif" };
  return {
    width: Math.max(element.clientWidth, 120), height, padding: [8, 12, 0, 0], pxAlign: 0,
    legend: { show: false },
    cursor: { drag: { x: true, y: false, dist: 4 }, points: { size: 6 }, y: false, focus: { prox: -1 } },
    scales: { x: { time: axis === "time" }, y: { distr: log ? 3 : 1, range: log ? undefined : padded } },
    axes: [
      { ...common, size: 26, gap: 3, space: 60, values: axis === "relative" ? (_, at) => at.map(duration)
        : axis === "time" ? undefined : (_, at) => at.map((value) => number(value, 6)) },
      { ...common, size: 56, gap: 4, values: (_, at) => marks(at, write) },
    ],
    series: [
      {},
      ...lines.map((each) => line(each, smoothing ? { alpha: 0.28, width: 1, points: { show: false } } : {})),
      ...(smoothing ? lines.map((each) => line(each)) : []),
    ],
    plugins: [tooltip(shown, axis, write)],
    hooks: {
      draw: [(plot) => mark(plot, shown.current)],
      setSelect: [(plot) => { plot.zoomed = plot.select.width > 0 || plot.zoomed; }],
      ready: [(plot) => plot.over.addEventListener("dblclick", () => { plot.zoomed = false; })],
    },
  };
}

/** Some air above and below; a constant stands in the middle. */
function padded(_, low, high) {
  if (low === null || high === null) return [0, 1];
  const air = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * 0.06;
  return [low - air, high + air];
}

/** NaN and infinities, at the edge of the chart: a cross, or an arrow to where they are. */
function mark(plot, lines) {
  const { ctx, bbox } = plot;
  const size = 3 * devicePixelRatio;
  const high = bbox.top + 2 * size;
  const low = bbox.top + bbox.height - 2 * size;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const each of lines) {
    ctx.strokeStyle = each.color;
    for (const { x, sign } of oddities(each)) {
      const at = plot.valToPos(x, "x", true);
      if (at < bbox.left - 1 || at > bbox.left + bbox.width + 1) continue;
      ctx.beginPath();
      if (sign === "nan") cross(ctx, at, low, size);
      else arrow(ctx, at, sign === "above" ? high : low, size, sign === "above" ? -1 : 1);
      ctx.stroke();
    }
  }
  ctx.restore();
}

function cross(ctx, x, y, size) {
  ctx.moveTo(x - size, y - size);
  ctx.lineTo(x + size, y + size);
  ctx.moveTo(x + size, y - size);
  ctx.lineTo(x - size, y + size);
}

function arrow(ctx, x, y, size, way) {
  ctx.moveTo(x - size, y - way * size);
  ctx.lineTo(x, y + way * size);
  ctx.lineTo(x + size, y - way * size);
}
