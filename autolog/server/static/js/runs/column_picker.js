// Choosing columns: a list that can be searched; those that are shown come first, in their order.

import { Popover } from "../parts.js";
import { FIXED, heading } from "./columns.js";
import { html, useLayoutEffect, useRef, useState } from "../view.js";

const MOST = 200;

/** `choose(columns)` takes the new list; an empty one: the usual columns. */
export function ColumnPicker({ shown, names, choose }) {
  return html`<${Popover} label="Columns" title="Columns" side="right">
    <${Chooser} shown=${shown} names=${names} choose=${choose} />
  <//>`;
}

function Chooser({ shown, names, choose }) {
  const [text, setText] = useState("");
  const field = useRef(null);
  useLayoutEffect(() => field.current.focus(), []);
  const fits = (column) => column.toLowerCase().includes(text.toLowerCase());
  const others = every(names).filter((column) => !shown.includes(column) && fits(column));
  const move = (place, by) => {
    const changed = [...shown];
    const [column] = changed.splice(place, 1);
    changed.splice(place + by, 0, column);
    choose(changed);
  };
  return html`<div class="chooser">
    <input type="search" aria-label="Find a column" placeholder="Find…" ref=${field} value=${text}
      onInput=${(event) => setText(event.currentTarget.value)} />
    <ul aria-label="Shown columns">
      ${shown.map((column, place) => fits(column) && html`<li key=${column}>
        <${Box} column=${column} on=${true} change=${() => choose(shown.filter((each) => each !== column))} />
        <button class="icon" aria-label=${`Move ${column} left`} disabled=${place === 0} onClick=${() => move(place, -1)}>↑</button>
        <button class="icon" aria-label=${`Move ${column} right`} disabled=${place === shown.length - 1}
          onClick=${() => move(place, 1)}>↓</button>
      </li>`)}
    </ul>
    <ul aria-label="Other columns">
      ${others.slice(0, MOST).map((column) => html`<li key=${column}>
        <${Box} column=${column} on=${false} change=${() => choose([...shown, column])} />
      </li>`)}
    </ul>
    ${others.length > MOST && html`<p class="hint">${others.length - MOST} more: type a part of their name</p>`}
    <button class="quiet" onClick=${() => choose([])}>The usual columns</button>
  </div>`;
}

function Box({ column, on, change }) {
  const { kind, name } = heading(column);
  return html`<label><input type="checkbox" checked=${on} onChange=${change} aria-label=${column} />
    <span class="column-name" title=${column}>${name}</span><span class="faint">${kind}</span></label>`;
}

/** Every column there is: of metrics also the lowest and highest value. */
export const every = (names) => [
  ...FIXED,
  ...Object.entries(names ?? {}).flatMap(([group, found]) =>
    found.flatMap((name) => (group === "metrics" ? ["", ".min", ".max"] : [""]).map((stat) => `${group}.${name}${stat}`))),
];
