// News of a project, as the server sends them: one stream for all who listen, none while the page is not looked at.

const streams = new Map();
const states = new Set();
const FIRST = 1000;
const MOST = 30000;

/** One open stream and its listeners. A browser opens it again by itself after a cut; after a refusal we do. */
class Stream {
  constructor(project) {
    this.project = project;
    this.listeners = new Set();
    this.wait = FIRST;
    this.last = "";
    this.missed = false;
    this.source = null;
    this.timer = 0;
    this.seen = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.seen);
    this.open();
  }

  open() {
    if (this.source || document.hidden) return;
    const since = this.last ? `?since=${this.last}` : "";
    this.source = new EventSource(`/api/v1/projects/${encodeURIComponent(this.project)}/live${since}`);
    this.source.addEventListener("run", (event) => this.hear(event, JSON.parse(event.data).run));
    this.source.addEventListener("all", (event) => this.hear(event, null));
    this.source.addEventListener("open", () => {
      this.wait = FIRST;
      if (this.missed) this.tell(null);
      this.missed = false;
      report("live");
    });
    this.source.addEventListener("error", () => {
      this.missed = true;
      report("away");
      if (this.source?.readyState !== EventSource.CLOSED) return;
      this.close();
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, MOST);
    });
  }

  hear(event, run) {
    this.last = event.lastEventId || this.last;
    this.tell(run);
  }

  tell(run) {
    for (const listener of [...this.listeners]) listener(run);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    this.missed = true;
  }

  end() {
    document.removeEventListener("visibilitychange", this.seen);
    this.close();
  }
}

let state = "";
function report(now) {
  state = now;
  for (const listener of states) listener(now);
}

/** Call `listener(run)` with each run of a project that has news; `null`: look at everything. Returns how to stop. */
export function listen(project, listener) {
  if (!streams.has(project)) streams.set(project, new Stream(project));
  const stream = streams.get(project);
  stream.listeners.add(listener);
  return () => {
    stream.listeners.delete(listener);
    if (stream.listeners.size) return;
    stream.end();
    streams.delete(project);
    report("");
  };
}

/** Call `listener` with how the stream stands: "live", "away" (the server is not reached), "" (none is wanted). */
export function onState(listener) {
  states.add(listener);
  listener(state);
  return () => states.delete(listener);
}
