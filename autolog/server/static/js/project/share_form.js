// Making a share link: whoever has it reads one run, or the project.

import { ask, projectPath } from "../api.js";
import { Form } from "../form.js";
import { Days, daysOf, Secret } from "../secret.js";
import { html, useState } from "../view.js";

/** Without `run` it is for the whole project; `made()` is called once there is one. */
export function ShareForm({ project, run = null, made }) {
  const [address, setAddress] = useState("");
  const send = async ({ days, label }) => {
    const { secret } = await ask("POST", `${projectPath(project)}/shares`, { body: { run, days: daysOf(days), label } });
    setAddress(`${location.origin}/share#${secret}`);
    made?.();
  };
  return html`<${Form} label="New share link" send=${send} word="Make a link">
      <label>For whom or what <input name="label" maxlength="200" placeholder="reviewers" /></label>
      <${Days} usual="30" />
    <//>
    ${address && html`<${Secret} label="The link." value=${address} />`}`;
}
