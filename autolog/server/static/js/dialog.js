// Windows that stand before the page until they are answered.

import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "./view.js";

/** A window with a title; Escape and a click beside it call `close`. The focus goes back to where it was. */
export function Dialog({ title, close, children }) {
  const root = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = root.current;
    element.showModal();
    return () => element.close();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    close();
  };
  return html`<dialog class="dialog" ref=${root} aria-labelledby=${id} onCancel=${cancel} onClose=${close}
    onClick=${(event) => event.target === root.current && close()}>
    <div class="dialog-box"><h2 id=${id}>${title}</h2>${children}</div>
  </dialog>`;
}

/** Asks before something is done. `act()` may throw: then the window stays, and says why. */
export function Confirm({ title, word, act, close, children }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const yes = async () => {
    setBusy(true);
    try {
      await act();
      close();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} close=${close}>
    ${children}
    ${error && html`<p class="problem" role="alert">${error.message}</p>`}
    <div class="bar end"><button onClick=${close}>Cancel</button>
      <button class="danger" disabled=${busy} onClick=${yes}>${word}</button></div>
  <//>`;
}

/** What was just done, and how to take it back where that is possible; `undo()` may throw. It takes the focus, as what was clicked may be gone. */
export function Done({ text, undo, clear }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const button = useRef(null);
  useEffect(() => button.current?.focus(), [text]);
  const back = async () => {
    setBusy(true);
    try {
      await undo();
      clear();
    } catch (failed) {
      setError(failed);
    }
    setBusy(false);
  };
  return html`<div class="bar slim done"><span role="status">${text}</span>
    ${undo && html`<button ref=${button} disabled=${busy} onClick=${back}>Undo</button>`}
    <button class="icon" aria-label="Dismiss" onClick=${clear}>×</button>
    ${error && html`<span class="problem" role="alert">not undone: ${error.message}</span>`}
  </div>`;
}
