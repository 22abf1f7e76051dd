// What a view shows, fetched: the last answer stays until the next one is there, and news are followed.

import { listen } from "./live.js";
import { useEffect, useRef, useState } from "./view.js";

const REST = 1000;

/**
 * The answer of `load(signal)`.
 *
 * @param load called again whenever one of `keys` changes, and after news
 * @param keys with the first one changed the old answer is dropped: it is of something else
 * @param news `{project, run}`: which news concern it; without `run` those of every run; none: never again
 * @param near whether it is in sight: news wait until it is
 * @returns `{value, error, reload}`; with an error the last value stays
 */
export function useLoaded(load, keys, news = null, near = true) {
  const [state, set] = useState({ value: undefined, error: null, of: undefined });
  const work = useRef(null);
  const sight = useRef({ near, missed: false });
  sight.current.near = near;
  useEffect(() => {
    if (near && sight.current.missed) work.current?.soon();
    if (near) sight.current.missed = false;
  }, [near]);
  useEffect(() => {
    const current = loader(load, (change) => set((old) => next(old, change, keys[0])));
    work.current = current;
    current.now();
    const stop = news && listen(news.project, (run) => {
      if (run !== null && news.run && run !== news.run) return;
      if (sight.current.near) current.soon();
      else sight.current.missed = true;
    });
    return () => {
      stop?.();
      current.end();
    };
  }, [...keys, news?.project, news?.run]);
  const fresh = state.of === keys[0];
  return {
    value: fresh ? state.value : undefined,
    error: fresh ? state.error : null,
    reload: () => work.current?.now(),
  };
}

function next(old, change, of) {
  const value = "value" in change ? change.value : old.of === of ? old.value : undefined;
  return { value, error: change.error ?? null, of };
}

/** Runs a load at once or soon, never two at a time, and never so often that it would take all the time. */
export function loader(load, done) {
  const control = new AbortController();
  let busy = false;
  let again = false;
  let timer = 0;
  let rest = REST;

  async function now() {
    clearTimeout(timer);
    timer = 0;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    const begun = performance.now();
    try {
      const value = await load(control.signal);
      if (!control.signal.aborted) done({ value });
    } catch (error) {
      if (!control.signal.aborted) done({ error });
    }
    rest = Math.max(REST, 4 * (performance.now() - begun));
    busy = false;
    if (again && !control.signal.aborted) soon();
    again = false;
  }

  function soon() {
    if (busy) again = true;
    else if (!timer && !control.signal.aborted) timer = setTimeout(now, rest);
  }

  return {
    now,
    soon,
    end() {
      clearTimeout(timer);
      control.abort();
    },
  };
}

/** The present in seconds, renewed every `seconds`: for texts such as "3 min ago". */
export function useNow(seconds = 10) {
  const [now, set] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => set(Date.now() / 1000), 1000 * seconds);
    return () => clearInterval(timer);
  }, [seconds]);
  return now;
}
