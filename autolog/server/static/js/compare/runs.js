// Runs by their ids, with some columns: in the order they were asked for.

import { columnList, get, projectPath } from "../api.js";

const MOST = 100;

/** Those that are there of some runs. */
export async function loadRuns(project, ids, columns, signal) {
  const found = new Map();
  const fine = ids.filter((id) => /^[\w-]+$/.test(id));
  for (let first = 0; first < fine.length; first += MOST) {
    const part = fine.slice(first, first + MOST);
    const where = `id in (${part.map((id) => `'${id}'`).join(", ")},)`;
    const { runs } = await get(`${projectPath(project)}/runs`, { where, limit: MOST, columns: columnList(columns) }, signal);
    for (const run of runs) found.set(run.id, run);
  }
  return ids.map((id) => found.get(id)).filter(Boolean);
}
