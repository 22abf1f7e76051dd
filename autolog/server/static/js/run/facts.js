// Facts of a run's process in a line each. A fact of an unexpected shape is shown as it is.

import { bytes, plain } from "../format.js";

const LONG = new Set(["source", "packages", "console"]);

/** The facts that everyone looks for: `[title, text]`. */
export const factLines = (facts) =>
  Object.entries(WRITERS).filter(([name]) => filled(facts[name])).map(([name, [title, write]]) => [title, safely(write, facts[name])]);

/** Packages and their versions. */
export const packagesOf = (facts) =>
  facts.packages && typeof facts.packages === "object" ? Object.entries(facts.packages) : [];

/** All others, flat: `[name, value]`. */
export const restOf = (facts) =>
  Object.entries(facts).filter(([name]) => !LONG.has(name)).flatMap(([name, value]) => flatten(value, name));

const filled = (value) => value !== null && value !== undefined && (typeof value !== "object" || Object.keys(value).length > 0);

function safely(write, fact) {
  if (typeof fact !== "object") return plain(fact);
  try {
    return write(fact) || plain(fact);
  } catch {
    return plain(fact);
  }
}

function flatten(value, name) {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, `${name}.${key}`));
  }
  return filled(value) ? [[name, value]] : [];
}

const joined = (...parts) => parts.filter(Boolean).join(", ");

const WRITERS = {
  command: ["command", ({ entry = {}, argv = [], orig_argv: original = [] }) => {
    if (entry.kind === "module") return ["python -m", entry.module, ...argv.slice(1)].join(" ");
    if (entry.kind === "script") return ["python", ...argv].join(" ");
    return entry.kind === "notebook" ? `notebook ${entry.path ?? ""}` : (original.length ? original : argv).join(" ");
  }],
  git: ["git", ({ commit, branch, dirty, untracked_count: untracked, remote, error }) =>
    joined([(commit ?? "").slice(0, 12), branch && `on ${branch}`].filter(Boolean).join(" "), dirty && "with uncommitted changes",
      untracked && `${untracked} untracked`, remote, error)],
  python: ["Python", ({ implementation, version, executable }) => [implementation, version, executable].filter(Boolean).join(" ")],
  host: ["host", ({ user, name, os, cpu, memory, container, cpus_usable: usable, cpus_logical: logical }) =>
    joined([user, name].filter(Boolean).join("@"), os, (usable ?? logical) && `${usable ?? logical} CPUs`, cpu,
      memory && `${bytes(memory)} memory`, container)],
  gpus: ["GPUs", (gpus) => {
    const names = gpus.map((gpu) => gpu.name ?? plain(gpu));
    return [...new Set(names)].map((name) => {
      const many = names.filter((each) => each === name).length;
      return many > 1 ? `${many} × ${name}` : name;
    }).join(", ");
  }],
  launcher: ["launcher", plain],
  seeds: ["seeds", (seeds) => Object.entries(seeds).map(([name, told]) => `${name}=${told?.seed ?? plain(told)}`).join(", ")],
};
