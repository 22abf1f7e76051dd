// Custom fields of a run: what people add, to find and to sort runs by.

import { ask, runPath } from "../api.js";
import { Form } from "../form.js";
import { Editable } from "../parts.js";
import { useMayEdit } from "../session.js";
import { html, useState } from "../view.js";

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const WORDS = { true: true, false: false };

/** The value that a text stands for: a number, `true`, `false`, or a text, which may be in double quotes. */
export function read(text) {
  const trimmed = text.trim();
  const word = trimmed.toLowerCase();
  if (Object.hasOwn(WORDS, word)) return WORDS[word];
  const value = Number(trimmed);
  if (NUMBER.test(trimmed) && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
  return /^".*"$/s.test(trimmed) && trimmed.length > 1 ? trimmed.slice(1, -1) : trimmed;
}

/** How a value is written so that `read` gives it back. */
export const write = (value) => (typeof value === "string" && read(value) !== value ? `"${value}"` : String(value));

/** They are changed where they stand. */
export function Fields({ project, run, reload }) {
  const mayEdit = useMayEdit(project);
  const [error, setError] = useState(null);
  const fields = Object.entries(run.fields ?? {});
  if (!fields.length && !mayEdit) return null;
  const change = async (values) => {
    await ask("PATCH", runPath(project, run.id), { body: { fields: values } });
    setError(null);
    await reload();
  };
  const remove = (name) => change({ [name]: null }).catch(setError);
  const add = async ({ name, value }, form) => {
    await change({ [name.trim()]: read(value) });
    form.reset();
    form.elements.name.focus();
  };
  return html`<section class="card" aria-label="Fields"><h2>Fields</h2>
    <dl>${fields.map(([name, value]) => html`<div key=${name}><dt title=${name}>${name}</dt><dd class="field">
      <${Editable} text=${write(value)} label=${`field ${name}`} save=${(text) => change({ [name]: read(text) })} allowed=${mayEdit} />
      ${mayEdit && html`<button class="icon" aria-label=${`Remove field ${name}`} onClick=${() => remove(name)}>×</button>`}
    </dd></div>`)}</dl>
    ${error && html`<p class="problem" role="alert">not changed: ${error.message}</p>`}
    ${mayEdit && html`<${Form} label="Another field" send=${add} word="Add" kind="bar new-field">
      <input name="name" aria-label="New field" placeholder="Name" required maxlength="200" autocomplete="off" />
      <input name="value" aria-label="Its value" placeholder="Value" required autocomplete="off" />
    <//>`}
  </section>`;
}
