// The field of the query language: names are completed while one types, an error is shown where it is.

import { classes, html, useEffect, useRef, useState } from "../view.js";

const WORD = /(?:[\w/.]|\['?)*$/;
const PLAIN = ["name", "status", "started", "duration", "age", "tags", "note", "id", "parent"];
const REST = 400;

/** `change(text)` is called a moment after the last key, and at once by Enter. */
export function Filter({ where, error, hints, names, change }) {
  const [text, setText] = useState(where);
  const [chosen, setChosen] = useState(0);
  const [open, setOpen] = useState(false);
  const field = useRef(null);
  const timer = useRef(0);
  useEffect(() => setText(where), [where]);
  useEffect(() => focusOnSlash(field), []);
  const found = open ? completions(text, field.current?.selectionStart ?? text.length, names) : [];

  const type = (value, now = false) => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => change(value.trim()), now ? 0 : REST);
  };
  const take = (word) => {
    const at = field.current.selectionStart;
    const begin = at - text.slice(0, at).match(WORD)[0].length;
    setOpen(false);
    type(text.slice(0, begin) + word + text.slice(at));
    requestAnimationFrame(() => field.current.setSelectionRange(begin + word.length, begin + word.length));
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape") setOpen(false);
    else if (found.length && event.key === "Tab" && !event.shiftKey) take(found[Math.min(chosen, found.length - 1)]);
    else if (found.length && event.key === "ArrowDown") setChosen((chosen + 1) % found.length);
    else if (found.length && event.key === "ArrowUp") setChosen((chosen - 1 + found.length) % found.length);
    else if (event.key === "Enter") {
      setOpen(false);
      type(text, true);
      return;
    } else return;
    event.preventDefault();
  };
  return html`<div class="filter">
    <input ref=${field} type="search" class=${classes("mono", error && "wrong")} value=${text} spellcheck=${false}
      role="combobox" aria-label="Filter runs" aria-invalid=${Boolean(error)} aria-expanded=${found.length > 0}
      aria-controls="completions" autocomplete="off"
      placeholder="Filter: metrics.val_loss < 0.3 and 'baseline' in tags     ( / )"
      onInput=${(event) => { setOpen(true); setChosen(0); type(event.currentTarget.value); }}
      onKeyDown=${onKeyDown} onBlur=${() => setTimeout(() => setOpen(false), 150)} />
    ${found.length > 0 && html`<ul id="completions" class="completions" role="listbox" aria-label="Names">
      ${found.map((word, place) => html`<li key=${word} role="option" aria-selected=${place === chosen}
        class=${place === chosen && "chosen"} onPointerDown=${(event) => { event.preventDefault(); take(word); }}>${word}</li>`)}
    </ul>`}
    ${error && html`<pre class="problem" role="alert">${error.message}</pre>`}
    ${!error && hints.map((hint) => html`<p class="hint" role="status" key=${hint}>${hint}</p>`)}
  </div>`;
}

/** The slash leads to the field from anywhere but another field. */
function focusOnSlash(field) {
  const onKey = (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    field.current?.focus();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

/** Names that the word before the cursor can become. */
export function completions(text, at, names) {
  const word = text.slice(0, at).match(WORD)[0];
  if (word.length < 2 || inQuotes(text.slice(0, at))) return [];
  const all = [...PLAIN, ...Object.entries(names ?? {}).flatMap(([group, found]) => found.map((name) => written(group, name)))];
  const low = word.toLowerCase().replace(/\['?/, ".");
  const fits = (name) => name !== word && name.toLowerCase().replace(/\['/, ".").includes(low);
  const starts = (name) => (name.toLowerCase().startsWith(low) ? 0 : 1);
  return all.filter(fits).sort((a, b) => starts(a) - starts(b)).slice(0, 10);
}

const inQuotes = (text) => (text.match(/'/g) ?? []).length % 2 === 1 && !/\['[^']*$/.test(text);

const KEYWORDS = /(^|\.)(and|or|not|in|is|if|else|for|lambda|None|True|False|class|def|from|import|with|as)(\.|$)/;
const WORDS = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

/** A name as the query language has it. */
export const written = (group, name) =>
  WORDS.test(name) && !KEYWORDS.test(name) ? `${group}.${name}` : `${group}['${name.replace(/[\\']/g, "\\$&")}']`;
