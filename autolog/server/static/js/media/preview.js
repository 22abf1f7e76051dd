// An asset as far as it can be shown. What a user has stored is shown as a picture, as text or as data, or in a frame
// that reaches nothing; it never becomes part of the page.

import { getFile } from "../api.js";
import { useLoaded } from "../load.js";
import { html } from "../view.js";
import { Confusion, Curve, DataTable, Histogram, Histograms } from "./charts.js";

const MOST = 2 << 20;
const AUTOLOG = /^application\/vnd\.autolog\.([a-z-]+)\+json/;
const DATA = { table: DataTable, histogram: Histogram, histograms: Histograms, "confusion-matrix": Confusion, curve: Curve };

const typeOf = (asset) => (asset.media_type ?? "").split(";")[0];

function kindOf(asset) {
  const type = typeOf(asset);
  const [, own] = AUTOLOG.exec(type) ?? [];
  if (own) return own in DATA ? "data" : "text";
  if (type === "text/html") return "page";
  if (/^(image|audio|video)\//.test(type)) return type.split("/")[0];
  if (/^text\/|json$|xml$|yaml$|x-sh$|javascript$/.test(type)) return "text";
  return "";
}

export const isPreviewed = (asset) => kindOf(asset) !== "";

export function Preview({ url, asset, project, run }) {
  const kind = kindOf(asset);
  if (kind === "image") return html`<a href=${url} target="_blank" rel="noopener"><img src=${url} alt=${asset.name} loading="lazy" /></a>`;
  if (kind === "audio") return html`<audio controls preload="none" src=${url}></audio>`;
  if (kind === "video") return html`<video controls preload="metadata" src=${url}></video>`;
  if (kind === "page") return html`<${Page} url=${url} asset=${asset} />`;
  if (asset.size > MOST) return html`<p class="faint">Too large for a preview</p>`;
  return html`<${Read} url=${url} asset=${asset} kind=${kind} project=${project} run=${run} />`;
}

/** HTML of a user: in a frame without our origin, as the server sends it (its policy lets it reach nothing). */
const Page = ({ url, asset }) =>
  html`<iframe title=${asset.name} src=${`${url}?frame=1`} sandbox="allow-scripts" loading="lazy" referrerpolicy="no-referrer"></iframe>`;

function Read({ url, asset, kind, project, run }) {
  const { value, error } = useLoaded(async (signal) => (await getFile(url, { signal })).text(), [url]);
  if (error) return html`<p class="problem">${error.message}</p>`;
  if (value === undefined) return html`<div class="plot empty" aria-busy="true"></div>`;
  if (kind === "text") return html`<pre class="text" tabindex="0">${value}</pre>`;
  const View = DATA[AUTOLOG.exec(typeOf(asset))[1]];
  try {
    return html`<${View} data=${JSON.parse(value)} asset=${asset} project=${project} run=${run} />`;
  } catch (failed) {
    return html`<p class="problem">It cannot be read: ${failed.message}</p>`;
  }
}
