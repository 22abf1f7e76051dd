// The rows of the table: fetched page by page as they are scrolled to, kept up to date by news.

import { columnList, get, projectPath } from "../api.js";
import { listen } from "../live.js";
import { loader } from "../load.js";
import { useEffect, useRef, useState } from "../view.js";

const PAGE = 200;
const MOST = 1000;
const NONE = { runs: [], total: null, cursor: null, hints: [], error: null, of: "" };

/**
 * Runs of a project.
 *
 * @param wanted columns whose values are needed; one that is added later is fetched for what is there
 * @param archived archived runs as well
 * @returns `{runs, total, hints, error, more, reload}`; `more()` fetches the next page; the last rows stay while
 *   others are fetched or a query is wrong
 */
export function useRows(project, where, sort, wanted, archived = false) {
  const [state, set] = useState(NONE);
  const now = useRef(state);
  now.current = state;
  const paging = useRef(false);
  const work = useRef(null);
  const question = { where, sort, columns: columnList(wanted), archived: archived || undefined };
  const of = JSON.stringify([project, where, sort, archived]);

  useEffect(() => {
    const current = loader(
      (signal) => head(project, question, now.current.of === of ? now.current.runs.length : 0, signal),
      ({ value, error }) => set((old) => (error ? { ...old, error } : joined(old, value, of))),
    );
    work.current = current;
    current.now();
    const stop = listen(project, () => current.soon());
    return () => {
      stop();
      current.end();
    };
  }, [of, question.columns]);

  const more = async () => {
    const { cursor } = now.current;
    if (!cursor || paging.current || now.current.of !== of) return;
    paging.current = true;
    try {
      const page = await get(`${projectPath(project)}/runs`, { ...question, limit: PAGE, cursor });
      set((old) => (old.cursor === cursor ? appended(old, page) : old));
    } catch (error) {
      set((old) => ({ ...old, error }));
    }
    paging.current = false;
  };
  return { ...state, fresh: state.of === of, more, reload: () => work.current?.now() };
}

/** The first rows, as many as are shown now and at most a thousand. */
const head = (project, question, shown, signal) =>
  get(`${projectPath(project)}/runs`, { ...question, limit: Math.min(MOST, Math.max(PAGE, shown)) }, signal);

/** New first rows before those that were loaded behind them. */
function joined(old, page, of) {
  const rest = old.of === of && page.cursor ? old.runs.slice(page.runs.length) : [];
  const known = new Set(page.runs.map((run) => run.id));
  const behind = rest.filter((run) => !known.has(run.id));
  return { ...page, runs: [...page.runs, ...behind], cursor: behind.length ? old.cursor : page.cursor, error: null, of };
}

function appended(old, page) {
  const known = new Set(old.runs.map((run) => run.id));
  const fresh = page.runs.filter((run) => !known.has(run.id));
  return { ...old, runs: [...old.runs, ...fresh], cursor: page.cursor, total: page.total, error: null };
}
