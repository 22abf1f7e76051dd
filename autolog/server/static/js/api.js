// Requests to the server that the page came from.

/** The server said no; `message` is for people, `code` for programs. */
export class ApiError extends Error {
  constructor(status, { code = "", message = "", ...details } = {}) {
    super(message || `the server answered ${status}`);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

let csrf = "";
const refused = new Set();

/** Set what proves that a change was asked for by this page. */
export const proveBy = (token) => { csrf = token; };

/** Call `listener` whenever the server does not know who asks. Returns how to stop that. */
export function onRefused(listener) {
  refused.add(listener);
  return () => refused.delete(listener);
}

const BASE = "/api/v1";
export const enc = encodeURIComponent;
export const projectPath = (project) => `/projects/${enc(project)}`;
export const runPath = (project, run) => `${projectPath(project)}/runs/${enc(run)}`;

/** Columns as a parameter has them: separated by commas, and quoted as in CSV where their names need it. */
export const columnList = (columns) =>
  columns.map((name) => (/[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(",");

/** The address of a file of a run. */
export const fileUrl = (project, run, path) =>
  `${BASE}${runPath(project, run)}/files/${path.split("/").map(enc).join("/")}`;

/** The address of a request, with its query; values that are empty are left out. */
export function apiUrl(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") search.append(name, each);
    }
  }
  const text = search.toString();
  return BASE + path + (text ? `?${text}` : "");
}

/**
 * One request; its answer as JSON.
 * Throws ApiError where the server refuses or cannot be reached (status 0), and AbortError where `signal` ends it.
 */
export async function ask(method, path, { query, body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await reach(apiUrl(path, query), {
    method, headers, signal, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw await errorOf(answer);
}

export const get = (path, query, signal) => ask("GET", path, { query, signal });

/** Bytes of a file of a run, as an answer of `fetch`. */
export async function getFile(url, { range, signal } = {}) {
  const headers = range ? { Range: range } : {};
  const answer = await reach(url, { headers, signal, credentials: "same-origin", cache: range ? "no-store" : "default" });
  if (!answer.ok) throw await errorOf(answer);
  return answer;
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "unreachable", message: "the server cannot be reached" });
  }
}

async function errorOf(answer) {
  let told = {};
  try {
    told = (await answer.json()).error ?? {};
  } catch {
    // a proxy's own page: its status has to do
  }
  const error = new ApiError(answer.status, told);
  if (answer.status === 401) for (const listener of refused) listener(error);
  return error;
}
