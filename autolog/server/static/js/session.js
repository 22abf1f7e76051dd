// Who is here: asked once, and again after signing in or out, or when the server no longer knows us.

import { ask, ApiError, onRefused, proveBy } from "./api.js";
import { createContext, useContext, useEffect, useMemo, useState } from "./view.js";

export const SessionContext = createContext(null);

/** Whether changes can be made here: a share link only shows. */
export const useMayEdit = () => {
  const session = useContext(SessionContext);
  return session?.state === "known" && !session.share;
};

/**
 * The session: `state` is "unknown" (not asked yet), "known", "nobody" (public projects may be there), or "asked" (what
 * is wanted needs to sign in).
 */
export function useSession() {
  const [session, set] = useState({ state: "unknown" });
  const actions = useMemo(() => ({
    async enter(body) {
      taken(set, await ask("POST", "/session", { body }));
    },
    async leave() {
      await ask("DELETE", "/session");
      proveBy("");
      set({ state: "nobody" });
    },
  }), []);
  useEffect(() => {
    let first = true;
    const stop = onRefused(() => {
      if (!first) set({ state: "asked" });
    });
    ask("GET", "/session")
      .then((told) => taken(set, told))
      .catch((error) => set({ state: "nobody", error: error instanceof ApiError && error.status !== 401 ? error : null }))
      .finally(() => { first = false; });
    return stop;
  }, []);
  return { ...session, ...actions };
}

function taken(set, told) {
  proveBy(told.csrf);
  set({ state: "known", user: told.user, share: told.share, local: Boolean(told.local) });
}
