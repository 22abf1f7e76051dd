// What stands under the pointer: the values of the lines there, those nearest to it first.

import { duration, moment, number } from "../format.js";
import { nearest } from "./data.js";

const MOST = 12;
const NEAR = 0.04; // of the width: a line that has ended elsewhere says nothing here
const TITLES = {
  step: (x) => `step ${number(x, 9)}`, epoch: (x) => `epoch ${number(x, 6)}`, relative: duration, time: moment, value: (x) => number(x, 6),
};

/** A plugin for uPlot; `shown.current` are the lines as they are now. */
export function tooltip(shown, axis, write) {
  let box = null;
  return {
    hooks: {
      init: [(plot) => {
        box = document.createElement("div");
        box.className = "tooltip";
        box.hidden = true;
        plot.over.append(box);
        plot.over.addEventListener("mouseleave", () => { box.hidden = true; });
      }],
      setCursor: [(plot) => {
        const { left, top } = plot.cursor;
        if (left === undefined || left < 0 || !shown.current.length) {
          box.hidden = true;
          return;
        }
        const x = plot.posToVal(left, "x");
        const rows = shown.current.map((line) => rowOf(plot, line, x, top)).filter(Boolean);
        const closest = rows.reduce((best, row) => (best && Math.abs(best.x - x) <= Math.abs(row.x - x) ? best : row), null);
        rows.sort((a, b) => a.far - b.far);
        const titled = closest ? TITLES[axis](closest.x) : "";
        box.replaceChildren(titleOf(titled), ...rows.slice(0, MOST).map(elementOf), ...moreOf(rows.length - MOST));
        box.hidden = !rows.length;
        const over = plot.over.clientWidth;
        box.style.left = left > over / 2 ? "" : `${left + 14}px`;
        box.style.right = left > over / 2 ? `${over - left + 14}px` : "";
        box.style.top = "4px";
      }],
    },
  };

  function rowOf(plot, line, x, top) {
    const place = nearest(line.x, x);
    const { min, max } = plot.scales.x;
    if (place < 0 || Math.abs(line.x[place] - x) > NEAR * (max - min)) return null;
    const value = line.y[place];
    const height = Number.isFinite(value) ? plot.valToPos(value, "y") : Infinity;
    return { label: line.label, color: line.color, x: line.x[place], text: write(value, 5), far: Math.abs(height - top) };
  }
}

function titleOf(text) {
  const title = document.createElement("b");
  title.textContent = text;
  return title;
}

function elementOf({ label, color, text }) {
  const row = document.createElement("div");
  const chip = document.createElement("i");
  chip.style.background = color;
  const name = document.createElement("span");
  name.textContent = label;
  const value = document.createElement("span");
  value.textContent = text;
  row.append(chip, name, value);
  return row;
}

function moreOf(many) {
  if (many <= 0) return [];
  const row = document.createElement("small");
  row.textContent = `and ${many} more`;
  return [row];
}
