// What the run printed: the end first, followed while it grows; what came before on demand.

import { fileUrl, get, getFile, runPath } from "../api.js";
import { bytes } from "../format.js";
import { loader } from "../load.js";
import { listen } from "../live.js";
import { Failure, Message, Waiting } from "../parts.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../view.js";
import { pieces, plainState } from "./ansi.js";

const TAIL = 64 << 10;
const EARLIER = 256 << 10;
const BLOCK = 200;

export function ConsoleTab({ project, run }) {
  const ranks = [...new Set(run.processes.filter((process) => ["main", "rank"].includes(process.role)).map((process) => process.rank))];
  const [rank, setRank] = useState(0);
  return html`${ranks.length > 1 && html`<div class="bar slim"><label>Rank
      <select value=${rank} onChange=${(event) => setRank(Number(event.currentTarget.value))}>
        ${ranks.sort((a, b) => a - b).map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label></div>`}
    <${Output} key=${`${run.id} ${rank}`} project=${project} run=${run.id} rank=${rank} running=${run.status === "running"} />`;
}

function Output({ project, run, rank, running }) {
  const [shown, setShown] = useState(null);
  const [error, setError] = useState(null);
  const [follow, setFollow] = useState(true);
  const box = useRef(null);

  useEffect(() => {
    const current = loader(
      (signal) => get(`${runPath(project, run)}/console`, { rank: rank || "", bytes: TAIL }, signal),
      ({ value, error: failed }) => {
        setError(failed ?? null);
        if (value) setShown((old) => continued(old, value));
      },
    );
    current.now();
    const stop = listen(project, (changed) => (changed === null || changed === run) && current.soon());
    return () => {
      stop();
      current.end();
    };
  }, [project, run, rank]);

  useLayoutEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [shown, follow]);

  const earlier = async () => {
    const begin = Math.max(0, shown.offset - EARLIER);
    const name = rank ? `console.${rank}.log` : "console.log";
    try {
      setFollow(false);
      const answer = await getFile(fileUrl(project, run, name), { range: `bytes=${begin}-${shown.offset - 1}` });
      const text = new TextDecoder().decode(await answer.arrayBuffer());
      const height = box.current.scrollHeight;
      setShown((old) => ({ ...old, text: text + old.text, offset: begin }));
      requestAnimationFrame(() => { box.current.scrollTop += box.current.scrollHeight - height; });
    } catch (failed) {
      setError(failed);
    }
  };
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    setFollow(scrollTop + clientHeight > scrollHeight - 30);
  };
  if (!shown) return error ? html`<${Failure} error=${error} />` : html`<${Waiting} />`;
  if (!shown.size) return html`<${Message}>Nothing was printed${running ? " yet" : ""}.<//>`;
  return html`<div class="bar slim">
      ${shown.offset > 0 && html`<button onClick=${earlier}>Load earlier</button>`}
      <span class="faint">${bytes(shown.size)}</span><span class="spacer"></span>
      <label><input type="checkbox" checked=${follow} onChange=${() => setFollow(!follow)} /> Follow</label>
      <a class="button" href=${fileUrl(project, run, rank ? `console.${rank}.log` : "console.log")} download>Download</a>
    </div>
    <${Failure} error=${error} />
    <div class="console" ref=${box} onScroll=${onScroll} tabindex="0" role="log" aria-label="Console"><${Lines} text=${shown.text} /></div>`;
}

/** New news of the end, and what was loaded before it: a console rewrites its last lines, so the newer word counts. */
function continued(old, tail) {
  const known = old && old.offset < tail.offset && old.offset + old.length >= tail.offset;
  if (!known) return { ...tail, length: byteLength(tail.text) };
  const kept = prefix(old.text, tail.offset - old.offset);
  const text = kept + tail.text;
  return { text, offset: old.offset, size: tail.size, length: byteLength(text) };
}

const byteLength = (text) => new TextEncoder().encode(text).length;
const prefix = (text, size) => new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, size));

/** Lines in blocks: the browser lays out only those in sight. */
function Lines({ text }) {
  const blocks = useMemo(() => {
    const lines = text.replace(/\n$/, "").split("\n");
    const state = plainState();
    const styled = lines.map((line) => pieces(line, state));
    return Array.from({ length: Math.ceil(styled.length / BLOCK) }, (_, place) => styled.slice(place * BLOCK, (place + 1) * BLOCK));
  }, [text]);
  return blocks.map((lines, place) => html`<div class="block" key=${place}>
    ${lines.map((line, row) => html`<div key=${row}>${line.length ? line.map((piece) => html`<span class=${piece.className} style=${piece.style}>${piece.text}</span>`) : " "}</div>`)}
  </div>`);
}
