// Changes of many runs: by one request to a server, one after another on one's own machine.

import { ask, ApiError, projectPath, runPath } from "../api.js";

/** Change runs by what `PATCH` of a run takes. Throws where some could not be changed. */
export async function editRuns(project, runs, edit, local = false) {
  if (!local) return change(project, { action: "edit", runs, edit });
  for (const run of runs) await ask("PATCH", runPath(project, run), { body: edit });
}

/** Take runs away, for a while. */
export const deleteRuns = (project, runs) => change(project, { action: "delete", runs });

/** Bring back runs that were taken away. */
export const restoreRuns = (project, runs) => change(project, { action: "restore", runs });

async function change(project, body) {
  const { done, failed, outcomes } = await ask("POST", `${projectPath(project)}/changes`, { body });
  if (!failed) return;
  const why = outcomes.find((outcome) => !outcome.done);
  throw new ApiError(200, { code: why.code, message: `${failed} of ${done + failed} runs could not be changed: ${why.message}` });
}
