// Assets of a run: by name, those of several steps one after the other.

import { enc, fileUrl } from "../api.js";
import { bytes, number } from "../format.js";
import { Message } from "../parts.js";
import { html, useState } from "../view.js";
import { Preview, isPreviewed } from "./preview.js";

/** Those of the run and of its child runs; where there are several of these, each says whose it is. */
export function assetsOf(run) {
  const children = flat(run.children);
  const named = children.length > 1;
  return [...run.assets, ...children.flatMap((child) => child.assets.map((asset) => ({ ...asset, of: named ? child.name : "" })))];
}

const flat = (children) => children.flatMap((child) => [child, ...flat(child.children)]);

export function AssetsTab({ project, run }) {
  const [text, setText] = useState("");
  const all = assetsOf(run);
  if (!all.length) return html`<${Message}>No assets.<//>`;
  const series = [...Map.groupBy(all, (asset) => `${asset.of ?? ""} ${asset.kind} ${asset.name}`)].map(([key, assets]) => ({ key, assets }));
  const shown = series.filter(({ key }) => key.toLowerCase().includes(text.toLowerCase()));
  return html`${series.length > 6 && html`<input type="search" aria-label="Find an asset" placeholder="Find an asset…" value=${text}
      onInput=${(event) => setText(event.currentTarget.value)} />`}
    <div class="assets">${shown.map(({ key, assets }) => html`<${Series} key=${key} project=${project} run=${run.id} assets=${assets} />`)}</div>`;
}

function Series({ project, run, assets }) {
  const [chosen, setChosen] = useState(null);
  const place = chosen === null ? assets.length - 1 : Math.min(chosen, assets.length - 1);
  const asset = assets[place];
  const url = asset.path ? fileUrl(project, run, asset.path) : null;
  return html`<figure class="asset" aria-label=${asset.name}>
    <figcaption class="bar slim"><b title=${asset.name}>${asset.name}</b><span class="faint">${asset.kind}${asset.of ? ` · ${asset.of}` : ""}</span>
      <span class="faint">${bytes(asset.size)}</span><span class="spacer"></span>
      ${url && html`<a class="button" href=${`${url}?name=${enc(fileName(asset))}`} download=${fileName(asset)} aria-label=${`Download ${asset.name}`}>Download</a>`}
    </figcaption>
    ${assets.length > 1 && html`<label class="steps">${stepOf(asset, place)}
      <input type="range" min="0" max=${assets.length - 1} value=${place} aria-label=${`Step of ${asset.name}`}
        onInput=${(event) => setChosen(Number(event.currentTarget.value))} /><span class="faint">${place + 1} of ${assets.length}</span></label>`}
    ${url && isPreviewed(asset) ? html`<${Preview} key=${asset.path} url=${url} asset=${asset} project=${project} run=${run} />`
      : html`<p class="faint">${asset.uri ? html`Not stored here: <code>${asset.uri}</code>` : "No preview of this kind"}</p>`}
  </figure>`;
}

const stepOf = (asset, place) =>
  asset.step !== undefined && asset.step !== null ? `step ${number(asset.step, 9)}`
    : asset.epoch !== undefined && asset.epoch !== null ? `epoch ${number(asset.epoch, 6)}` : `version ${place + 1}`;

const fileName = (asset) => {
  const ending = /\.[A-Za-z0-9]{1,8}$/.exec(asset.path)?.[0] ?? "";
  return asset.name.endsWith(ending) ? asset.name : asset.name + ending;
};
