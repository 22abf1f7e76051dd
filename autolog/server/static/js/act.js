// A button that does something on the server: its error stands beside it.

import { Confirm } from "./dialog.js";
import { html, useState } from "./view.js";

/**
 * @param label what a screen reader says, where `word` alone does not tell what it is about
 * @param act is done on a click, and may throw
 * @param asks `{title, text, word}`: it is asked first
 */
export function Act({ word, label = word, act, asks = null, kind = "" }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const now = async () => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (failed) {
      setError(failed);
    }
    setBusy(false);
  };
  return html`<button class=${kind} aria-label=${label} disabled=${busy} onClick=${asks ? () => setAsking(true) : now}>${word}</button>
    ${asking && html`<${Confirm} title=${asks.title} word=${asks.word} act=${act} close=${() => setAsking(false)}><p>${asks.text}</p><//>`}
    ${error && html`<span class="problem" role="alert">${error.message}</span>`}`;
}
