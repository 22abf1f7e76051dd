// The address is the state: what it names is what is shown, and a view is sent to a colleague by sending it.

import { useEffect, useState } from "./view.js";
import { enc } from "./api.js";

const listeners = new Set();
const tell = () => { for (const listener of [...listeners]) listener(); };
addEventListener("popstate", tell);

/** What an address names. */
export function parse(location) {
  const words = location.pathname.split("/").filter(Boolean).map(decode);
  const query = new URLSearchParams(location.search);
  if (words.length === 0) return { page: "projects", query };
  if (words.length === 1 && ["sign-in", "share", "invitation", "account", "users"].includes(words[0])) return { page: words[0], query };
  if (words[0] !== "projects") return { page: "nothing", query };
  const [, project, kind, run, tab] = words;
  if (!kind) return { page: "runs", project, query };
  if (kind === "settings" && !run) return { page: "settings", project, query };
  if (kind === "compare") return { page: "compare", project, query };
  if (kind === "runs" && run) return { page: "run", project, run, tab: tab ?? "overview", query };
  return { page: "nothing", query };
}

function decode(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** Go to an address of the application. */
export function go(href, { replace = false } = {}) {
  if (href !== location.pathname + location.search + location.hash) {
    history[replace ? "replaceState" : "pushState"](null, "", href);
  }
  tell();
}

/** The route of the address as it is now and becomes. */
export function useRoute() {
  const [route, set] = useState(() => parse(location));
  useEffect(() => {
    const listener = () => set(parse(location));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return route;
}

/** Change parts of the address' query in place; what is empty is left out. */
export function setQuery(changes, { push = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined || value.length === 0) query.delete(name);
    else query.set(name, Array.isArray(value) ? value.map(escaped).join(",") : value);
  }
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
  go(location.pathname + (text ? `?${text}` : ""), { replace: !push });
}

/** A list in the query: separated by commas; a comma or backslash of an item has a backslash before it. */
export const listOf = (query, name) => split(query.get(name) ?? "");
const escaped = (item) => item.replace(/[\\,]/g, "\\$&");
const split = (text) =>
  (text.match(/(?:\\.|[^\\,])+/g) ?? []).map((item) => item.replace(/\\(.)/g, "$1"));

export const homeHref = () => "/";
export const projectHref = (project) => `/projects/${enc(project)}`;
export const settingsHref = (project) => `${projectHref(project)}/settings`;
export const runHref = (project, run, tab = "") => `${projectHref(project)}/runs/${enc(run)}${tab ? `/${tab}` : ""}`;
export const compareHref = (project, runs) => `${projectHref(project)}/compare?runs=${runs.map(enc).join(",")}`;

/** Clicks on links within the application change the view; all others are the browser's. */
export function catchLinks(root) {
  root.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || link.target || link.download || url.pathname.startsWith("/api/")) return;
    event.preventDefault();
    go(url.pathname + url.search + url.hash);
    scrollTo(0, 0);
  });
}
