// What is told only once: shown to be copied, and gone with the view.

import { html, useLayoutEffect, useRef, useState } from "./view.js";

/** A text with a button that copies it. It is selected at once, for where a page may not copy. */
export function Secret({ label, value, children }) {
  const [said, setSaid] = useState("");
  const field = useRef(null);
  const choose = () => {
    field.current.focus();
    field.current.select();
  };
  useLayoutEffect(() => {
    choose();
    setSaid("");
  }, [value]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setSaid("Copied.");
    } catch {
      choose(); // without https a browser lets no page copy
      setSaid("This browser lets the page not copy: it is selected, press Ctrl+C.");
    }
  };
  return html`<div class="secret"><p><b>${label}</b> It is shown only now.</p>
    <div class="bar"><input class="mono" readonly aria-label=${label} value=${value} ref=${field} />
      <button onClick=${copy}>Copy</button></div>
    <p role="status">${said}</p>${children}
  </div>`;
}

const ENDS = [["1", "1 day"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["", "no end"]];

/** How long something is valid, as a field `days` of a form. */
export const Days = ({ usual = "90" }) => html`<label>Valid for <select name="days">
  ${ENDS.map(([days, word]) => html`<option key=${days} value=${days} defaultSelected=${days === usual}>${word}</option>`)}</select></label>`;

/** What a form says of that, as the API takes it. */
export const daysOf = (text) => (text ? Number(text) : null);
