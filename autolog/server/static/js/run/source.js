// The source files of a run, as they were.

import { fileUrl, getFile } from "../api.js";
import { bytes } from "../format.js";
import { useLoaded } from "../load.js";
import { Failure, Message, Waiting } from "../parts.js";
import { setQuery } from "../route.js";
import { html, useMemo } from "../view.js";

const MOST = 2 << 20;

export function SourceTab({ project, run, query }) {
  const source = run.facts.source ?? {};
  const files = source.files ?? {};
  const names = useMemo(() => Object.keys(files).sort(), [run]);
  if (!names.length) return html`<${Message}>No source files were recorded.<//>`;
  const chosen = query.get("file") in files ? query.get("file") : source.main in files ? source.main : names[0];
  return html`<div class="split">
    <nav class="files" aria-label="Source files"><${Folder} tree=${treeOf(names)} path="" chosen=${chosen} /></nav>
    <${Content} project=${project} run=${run.id} name=${chosen} known=${files[chosen]} />
  </div>`;
}

/** Paths → folders in folders: `{name: tree | null}`. */
export function treeOf(names) {
  const root = new Map();
  for (const name of names) {
    let folder = root;
    const words = name.split("/");
    for (const word of words.slice(0, -1)) {
      if (!folder.get(word)) folder.set(word, new Map());
      folder = folder.get(word);
    }
    folder.set(words.at(-1), null);
  }
  return root;
}

function Folder({ tree, path, chosen }) {
  return html`<ul>${[...tree].map(([name, inner]) => {
    const whole = path ? `${path}/${name}` : name;
    if (inner) return html`<li key=${name}><details open><summary>${name}</summary><${Folder} tree=${inner} path=${whole} chosen=${chosen} /></details></li>`;
    return html`<li key=${name}><button class="file" aria-current=${whole === chosen ? "true" : undefined} title=${whole}
      onClick=${() => setQuery({ file: whole })}>${name}</button></li>`;
  })}</ul>`;
}

function Content({ project, run, name, known }) {
  const url = fileUrl(project, run, known.stored ?? `source/${name}`);
  const { value, error } = useLoaded(async (signal) => {
    if (known.size > MOST) return { large: true };
    return { text: await (await getFile(`${url}?v=${known.sha256}`, { signal })).text() };
  }, [`${run} ${name} ${known.sha256}`]);
  return html`<section class="code" aria-label=${name}>
    <div class="bar slim"><b class="mono">${name}</b><span class="faint">${bytes(known.size)}</span><span class="spacer"></span>
      <a class="button" href=${url} download>Download</a></div>
    ${error ? html`<${Failure} error=${error} />` : !value ? html`<${Waiting} />`
      : value.large ? html`<${Message}>This file is too large to be shown.<//>` : html`<${Numbered} text=${value.text} />`}
  </section>`;
}

/** Text with line numbers, which are not copied with it. */
export function Numbered({ text }) {
  const lines = text.replace(/\n$/, "").split("\n");
  const numbers = lines.map((_, place) => place + 1).join("\n");
  return html`<div class="numbered"><pre aria-hidden="true" class="numbers">${numbers}</pre><pre tabindex="0">${text}</pre></div>`;
}
