// Who is here: asked once, and again after signing in or out, or when the server no longer knows us.

import { ask, ApiError, onRefused, proveBy } from "./api.js";
import { createContext, useContext, useEffect, useMemo, useState } from "./view.js";

export const SessionContext = createContext(null);

/** One's role in a project; nothing for those who only read what is public or shared. */
const useRole = (project) => {
  const session = useContext(SessionContext);
  return session?.everywhere ?? session?.roles?.[project];
};

/** Whether one may change runs of a project: as its writer or admin. */
export const useMayEdit = (project) => ["writer", "admin"].includes(useRole(project));

/** Whether these are the runs of this machine, without users. */
export const useLocal = () => Boolean(useContext(SessionContext)?.local);

/** Whether one may say who sees a project. */
export function useMayAdminister(project) {
  const [role, local] = [useRole(project), useLocal()];
  return role === "admin" && !local;
}

/** Whether one is an admin of the server, who says which users there are. */
export function useMayManage() {
  const session = useContext(SessionContext);
  return session?.everywhere === "admin" && !session.local;
}

/**
 * The session: `state` is "unknown" (not asked yet), "known", "nobody" (public projects may be there), or "asked" (what
 * is wanted needs to sign in).
 */
export function useSession() {
  const [session, set] = useState({ state: "unknown" });
  const actions = useMemo(() => ({
    async enter(body) {
      const told = await ask("POST", "/session", { body });
      taken(set, told);
      return told;
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
  set({ state: "known", ...told });
}
