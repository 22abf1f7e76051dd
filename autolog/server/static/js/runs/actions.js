// What can be done with the selected runs.

import { Confirm } from "../dialog.js";
import { count } from "../format.js";
import { Popover } from "../parts.js";
import { compareHref } from "../route.js";
import { useLocal, useMayEdit } from "../session.js";
import { html, useState } from "../view.js";
import { deleteRuns, editRuns, restoreRuns } from "./changes.js";

/**
 * @param selected ids, of which `runs` are the loaded ones
 * @param select takes the ids that are to be selected from now on
 * @param told is called with `{text, undo}` once something was done
 */
export function Actions({ project, selected, runs, select, told }) {
  if (!selected.length) return html`<span class="faint">Select runs to compare their charts</span>`;
  return html`<div class="bar slim" role="group" aria-label="Selected runs"><span>${count(selected.length, "run")} selected</span>
    <button class="quiet" onClick=${() => select([])}>Clear</button>
    <${Changes} project=${project} selected=${selected} runs=${runs} select=${select} told=${told} />
    <a class="button primary" href=${compareHref(project, selected)}>Compare</a>
  </div>`;
}

function Changes({ project, selected, runs, select, told }) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState(null);
  const local = useLocal();
  const mayEdit = useMayEdit(project);
  if (!mayEdit) return null;
  const seen = runs.filter((run) => selected.includes(run.id));
  const many = count(selected.length, "run");
  const edit = async (change, text, back) => {
    try {
      await editRuns(project, selected, change, local);
      setError(null);
      told({ text: `${many} ${text}.`, undo: back && (() => editRuns(project, selected, back, local)) });
    } catch (failed) {
      setError(failed);
    }
  };
  const remove = async () => {
    await deleteRuns(project, selected);
    select([]);
    told({ text: `${many} deleted.`, undo: () => restoreRuns(project, selected) });
  };
  const archive = (archived) => edit({ archived }, archived ? "archived" : "unarchived", { archived: !archived });
  return html`<${Popover} label="Tags" title="Tags of the selected runs"><${TagWindow} runs=${seen} edit=${edit} /><//>
    ${(seen.length < selected.length || seen.some((run) => !run.archived)) && html`<button onClick=${() => archive(true)}>Archive</button>`}
    ${seen.some((run) => run.archived) && html`<button onClick=${() => archive(false)}>Unarchive</button>`}
    ${!local && html`<button onClick=${() => setAsking(true)}>Delete…</button>`}
    ${asking && html`<${Confirm} title=${`Delete ${many}?`} word=${`Delete ${many}`} act=${remove} close=${() => setAsking(false)}>
      <p>They can be brought back from “Deleted” until the server removes them for good.</p><//>`}
    ${error && html`<span class="problem" role="alert">not done: ${error.message}</span>`}`;
}

/** Adding a tag to all selected runs, and taking away one that some of them have. */
function TagWindow({ runs, edit }) {
  const tags = [...new Set(runs.flatMap((run) => run.tags))].sort();
  const add = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const words = new FormData(form).get("tag").split(/[\s,]+/).filter(Boolean);
    if (words.length) edit({ add_tags: words }, `tagged ${words.join(", ")}`);
    form.reset();
  };
  return html`<form class="bar" onSubmit=${add}>
      <input name="tag" aria-label="Tag for the selected runs" placeholder="New tag" required maxlength="200" />
      <button type="submit">Add</button>
    </form>
    ${tags.length > 0 && html`<ul class="removable" aria-label="Tags they have">
      ${tags.map((tag) => html`<li key=${tag}><span class="tag">${tag}</span>
        <button class="quiet" aria-label=${`Remove tag ${tag} from the selected runs`}
          onClick=${() => edit({ remove_tags: [tag] }, `no longer tagged ${tag}`)}>Remove</button></li>`)}
    </ul>`}`;
}
