// Small parts that every view has: messages, badges, edits in place.

import { ago, moment } from "./format.js";
import { classes, html, useEffect, useLayoutEffect, useRef, useState } from "./view.js";

/** A sentence in place of content: what is missing, what went wrong. */
export const Message = ({ kind = "", children }) =>
  html`<div class=${classes("message", kind)} role=${kind === "error" ? "alert" : "status"}>${children}</div>`;

export const Waiting = () => html`<div class="waiting" role="status" aria-label="Loading"></div>`;

/** What a loading failed with, where there is one. */
export const Failure = ({ error, again }) =>
  error && html`<${Message} kind="error">
    ${error.message} ${again && html`<button class="quiet" onClick=${again}>Try again</button>`}
  <//>`;

const SIGNS = { running: "●", completed: "✓", failed: "✗", killed: "✗", interrupted: "■", lost: "?" };

/** How a run stands. */
export const Status = ({ status }) =>
  html`<span class=${classes("status", status)}><span aria-hidden="true">${SIGNS[status] ?? "·"}</span>${status}</span>`;

/** A moment, told relative to now; the exact one on hover. */
export const Ago = ({ time, now }) =>
  html`<time datetime=${new Date(1000 * time).toISOString()} title=${moment(time)}>${ago(time, now)}</time>`;

/** A text that becomes a field when it is clicked. `save(text)` may throw: then the field stays, and says why. */
export function Editable({ text, label, save, placeholder = "", many = false, allowed = true }) {
  const [draft, setDraft] = useState(null);
  const [error, setError] = useState(null);
  const field = useRef(null);
  useLayoutEffect(() => field.current?.focus(), [draft === null]);
  if (!allowed) return html`<span class="editable-text">${text}</span>`;
  if (draft === null) {
    return html`<button class=${classes("editable", !text && "empty")} aria-label=${`Edit ${label}`} title=${`Edit ${label}`}
      onClick=${() => setDraft(text)}>${text || placeholder}</button>`;
  }
  const end = () => {
    field.current = null; // a field that goes away loses the focus, which would keep what is in it
    setDraft(null);
    setError(null);
  };
  const keep = async () => {
    if (!field.current) return undefined;
    if (draft === text) return end();
    try {
      await save(draft);
      return end();
    } catch (failed) {
      return setError(failed.message);
    }
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape") end();
    if (event.key === "Enter" && (!many || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      keep();
    }
  };
  const Field = many ? "textarea" : "input";
  return html`<span class="editing">
    <${Field} ref=${field} aria-label=${label} value=${draft} rows=${many ? 3 : undefined} onKeyDown=${onKeyDown}
      onInput=${(event) => setDraft(event.currentTarget.value)} onBlur=${keep} />
    ${error && html`<span class="problem" role="alert">${error}</span>`}
  </span>`;
}

/** A button that opens a small window below it; Escape and a click outside close it. */
export function Popover({ label, title, children, side = "left" }) {
  const [open, set] = useState(false);
  const root = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const close = (event) => {
      const leaves = event.type === "keydown" ? event.key === "Escape" : !root.current?.contains(event.target);
      if (leaves && event.type === "keydown") root.current?.querySelector("button").focus();
      if (leaves) set(false);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, [open]);
  return html`<span class="popover" ref=${root}>
    <button aria-haspopup="dialog" aria-expanded=${open} onClick=${() => set(!open)}>${label}</button>
    ${open && html`<div class=${classes("popover-window", side)} role="dialog" aria-label=${title}>${children}</div>`}
  </span>`;
}
