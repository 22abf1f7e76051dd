// A form that asks the server for something: it cannot be sent twice at once, and says what went wrong below its fields.

import { html, useState } from "./view.js";

/**
 * @param send is called with the form's fields and the form; it may throw
 * @param word of the button
 */
export function Form({ label, send, word, children, kind = "form" }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    setBusy(true);
    setError(null);
    try {
      await send(Object.fromEntries(new FormData(form)), form);
    } catch (failed) {
      setError(failed);
    }
    setBusy(false);
  };
  return html`<form class=${kind} aria-label=${label} onSubmit=${onSubmit}>${children}
    <button type="submit" disabled=${busy}>${word}</button>
    ${error && html`<p class="problem" role="alert">${error.message}</p>`}
  </form>`;
}
