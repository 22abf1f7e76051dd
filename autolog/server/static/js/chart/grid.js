// Charts by name, in groups that belong together. A chart that is not in sight asks for nothing.

import { useLoaded } from "../load.js";
import { classes, html, useEffect, useMemo, useRef, useState } from "../view.js";
import { grouped, line, usable } from "./data.js";
import { Plot } from "./plot.js";

/**
 * @param names of the metrics
 * @param points `points(name, signal)` → series of the API
 * @param describe `describe(series)` → `{key, label, color, dash, start}` of a line, or `null`: not drawn
 * @param settings of the controls
 * @param subject what the points are of: with another one, all is asked for again
 * @param news see `useLoaded`
 */
export function ChartGrid({ names, points, describe, settings, subject, news, said = () => null, write }) {
  const [text, setText] = useState("");
  const found = names.filter((name) => name.toLowerCase().includes(text.toLowerCase()));
  return html`
    ${names.length > 6 && html`<input type="search" class="chart-search" aria-label="Find a chart" placeholder="Find a chart…"
      value=${text} onInput=${(event) => setText(event.currentTarget.value)} />`}
    ${grouped(found).map(([group, members]) => html`<section key=${group} class="chart-group" aria-label=${group || "charts"}>
      ${group && html`<h2>${group}</h2>`}
      <div class="charts">${members.map((name) => html`<${Chart} key=${name} name=${name} title=${group ? name.slice(group.length + 1) : name} points=${points} describe=${describe}
        settings=${settings} subject=${subject} news=${news} said=${said(name)} write=${write} />`)}</div>
    </section>`)}`;
}

function Chart({ name, title, points, describe, settings, subject, news, said, write }) {
  const [large, setLarge] = useState(false);
  const card = useRef(null);
  const { near, seen } = useNear(card);
  return html`<figure class=${classes("chart", large && "large")} ref=${card} aria-label=${name}>
    <figcaption><span class="chart-name" title=${name}>${title}</span>
      <span class="faint">${said}</span>
      <button class="icon" aria-label=${`${large ? "Shrink" : "Enlarge"} ${name}`} onClick=${() => setLarge(!large)}>${large ? "⤡" : "⤢"}</button>
    </figcaption>
    ${seen ? html`<${Loaded} near=${near} name=${name} points=${points} describe=${describe} settings=${settings} subject=${subject} news=${news}
      height=${large ? 420 : 190} write=${write} />` : html`<div class="plot empty"></div>`}
  </figure>`;
}

function Loaded({ near, name, points, describe, settings, subject, news, height, write }) {
  const { value, error } = useLoaded((signal) => points(name, signal), [`${subject} ${name}`], news, near);
  const axis = value ? usable(value, settings.axis) : settings.axis;
  const lines = useMemo(() => (value ?? []).flatMap((series) => {
    const told = describe(series);
    return told ? [{ ...told, ...line(series, axis, told.start) }] : [];
  }), [value, describe, axis]);
  if (error && !value) return html`<div class="plot problem">${error.message}</div>`;
  if (!value) return html`<div class="plot empty" aria-busy="true"></div>`;
  const many = lines.reduce((sum, each) => sum + each.x.length, 0);
  return html`<${Plot} lines=${lines} axis=${axis} log=${settings.log} smoothing=${settings.smoothing} height=${height}
    write=${write} label=${`${name}: ${lines.length} lines, ${many} points`} />`;
}

/** Whether an element is in sight or nearly so, and whether it ever was: what was drawn stays. */
function useNear(element) {
  const [sight, set] = useState({ near: false, seen: false });
  useEffect(() => {
    const watcher = new IntersectionObserver((entries) => {
      const near = entries[entries.length - 1].isIntersecting;
      set((old) => ({ near, seen: old.seen || near }));
    }, { rootMargin: "300px" });
    watcher.observe(element.current);
    return () => watcher.disconnect();
  }, []);
  return sight;
}
