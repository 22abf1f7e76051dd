// What can be done with a run: download, archive, share, delete.

import { ask, runPath } from "../api.js";
import { Confirm, Dialog } from "../dialog.js";
import { Downloads } from "../export.js";
import { Message, Popover } from "../parts.js";
import { ShareForm } from "../project/share_form.js";
import { projectHref } from "../route.js";
import { deleteRuns, restoreRuns } from "../runs/changes.js";
import { useLocal, useMayAdminister, useMayEdit } from "../session.js";
import { html, useEffect, useRef, useState } from "../view.js";

/** `reload()` fetches the run anew, `gone()` is called once it is deleted. */
export function RunMenu({ project, run, reload, gone }) {
  const [open, setOpen] = useState("");
  const [error, setError] = useState(null);
  const [mayEdit, mayShare, local] = [useMayEdit(project), useMayAdminister(project), useLocal()];
  const archive = async () => {
    try {
      await ask("PATCH", runPath(project, run.id), { body: { archived: !run.archived } });
      setError(null);
      await reload();
    } catch (failed) {
      setError(failed);
    }
  };
  const remove = async () => {
    await deleteRuns(project, [run.id]);
    gone();
  };
  const close = () => setOpen("");
  return html`<${Popover} label="Actions" title="Actions of the run" side="right">
      <div class="bar">
        ${mayEdit && html`<button onClick=${archive}>${run.archived ? "Unarchive" : "Archive"}</button>`}
        ${mayShare && html`<button onClick=${() => setOpen("share")}>Share…</button>`}
        ${mayEdit && !local && html`<button onClick=${() => setOpen("delete")}>Delete…</button>`}
      </div>
      ${error && html`<p class="problem" role="alert">not done: ${error.message}</p>`}
      <${Downloads} project=${project} what="points" query=${{ run: run.id }} label="Every point of its metrics" />
      <${Downloads} project=${project} what="system" query=${{ run: run.id }} label="Every sample of the machine" />
    <//>
    ${open === "share" && html`<${Dialog} title=${`Share ${run.name}`} close=${close}>
      <p>Whoever has the link reads this run and nothing else. It is ended in the settings of the project.</p>
      <${ShareForm} project=${project} run=${run.id} />
      <div class="bar end"><button onClick=${close}>Close</button></div><//>`}
    ${open === "delete" && html`<${Confirm} title=${`Delete ${run.name}?`} word="Delete 1 run" act=${remove} close=${close}>
      <p>It can be brought back from the deleted runs of the project until the server removes it for good.</p><//>`}`;
}

/** In place of a run that was just deleted. `back()` is called once it is there again. */
export function Gone({ project, run, back }) {
  const [error, setError] = useState(null);
  const button = useRef(null);
  useEffect(() => button.current.focus(), []);
  const undo = async () => {
    try {
      await restoreRuns(project, [run.id]);
      back();
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<${Message}><p>${run.name} was deleted.</p>
    <p><button ref=${button} onClick=${undo}>Undo</button> <a class="button" href=${projectHref(project)}>All runs</a></p>
    ${error && html`<p class="problem" role="alert">not undone: ${error.message}</p>`}<//>`;
}
