// Tags of a run: shown, and changed where they stand.

import { ask, runPath } from "../api.js";
import { html, useLayoutEffect, useRef, useState } from "../view.js";

/** `changed(tags)` is told what the server says the tags are now. */
export function Tags({ project, run, tags, allowed, changed }) {
  const [adding, setAdding] = useState(false);
  const [error, setError] = useState(null);
  const field = useRef(null);
  useLayoutEffect(() => field.current?.focus(), [adding]);
  const change = async (body) => {
    try {
      const told = await ask("PATCH", runPath(project, run.id), { body });
      setError(null);
      changed(told.tags);
    } catch (failed) {
      setError(failed);
    }
  };
  const add = async (event) => {
    event.preventDefault();
    if (!field.current) return; // it is gone already, and so loses the focus
    const words = field.current.value.split(/[\s,]+/).filter(Boolean);
    setAdding(false);
    if (words.length) await change({ add_tags: words });
  };
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    field.current.value = "";
    setAdding(false);
  };
  return html`<span class="tags">
    ${tags.map((tag) => html`<span class="tag" key=${tag}>${tag}
      ${allowed && html`<button class="icon" aria-label=${`Remove tag ${tag} of ${run.name}`}
        onClick=${() => change({ remove_tags: [tag] })}>×</button>`}</span>`)}
    ${allowed && !adding && html`<button class="icon add" aria-label=${`Add tag to ${run.name}`} title="Add a tag"
      onClick=${() => setAdding(true)}>+</button>`}
    ${adding && html`<form onSubmit=${add}><input ref=${field} class="tag-field" aria-label=${`New tag of ${run.name}`}
      onBlur=${add} onKeyDown=${onKeyDown} /></form>`}
    ${error && html`<span class="problem" role="alert" title=${error.message}>not changed: ${error.message}</span>`}
  </span>`;
}
