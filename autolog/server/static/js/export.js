// Downloads: what is shown, as files. The browser writes them while the server reads.

import { apiUrl, projectPath } from "./api.js";
import { html } from "./view.js";

const FORMATS = [
  { word: "CSV", query: { format: "csv" } },
  { word: "CSV for a spreadsheet", query: { format: "csv", spreadsheet: true } },
  { word: "JSON", query: { format: "json" } },
  { word: "Parquet", query: { format: "parquet" } },
];

/**
 * Links to one export in every format.
 *
 * @param what "runs", "points" or "system"
 * @param query which runs and columns, as the export takes them
 */
export function Downloads({ project, what, query, label, hint = "" }) {
  return html`<section class="downloads" aria-label=${label}><h3>${label}</h3>${hint && html`<p class="faint">${hint}</p>`}
    <ul>${FORMATS.map((format) => html`<li key=${format.word}>
      <a download href=${apiUrl(`${projectPath(project)}/export/${what}`, { ...query, ...format.query })}>${format.word}</a></li>`)}</ul>
  </section>`;
}
