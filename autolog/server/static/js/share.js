// A share link: its secret stands behind the #, so that no server's log has it, and is given away once, for a session.

import { Message, Waiting } from "./parts.js";
import { go, projectHref, runHref } from "./route.js";
import { html, useEffect, useState } from "./view.js";

/** Takes the secret of the address, and goes to what is shared. */
export function SharePage({ session }) {
  const [error, setError] = useState(null);
  useEffect(() => {
    const secret = location.hash.slice(1);
    history.replaceState(null, "", "/share");
    session.enter({ share: secret }).then(({ share: { project, run } }) => {
      go(run ? runHref(project, run) : projectHref(project), { replace: true });
    }).catch(setError);
  }, []);
  if (error) return html`<${Message} kind="error">This link opens nothing: ${error.message}<//>`;
  return html`<${Waiting} />`;
}
