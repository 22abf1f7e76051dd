// One's own account: password and tokens.

import { SessionContext } from "../session.js";
import { html, useContext, useEffect } from "../view.js";
import { Password } from "./password.js";
import { Tokens } from "./tokens.js";

export function AccountPage() {
  const session = useContext(SessionContext);
  useEffect(() => { document.title = "Account · autolog"; }, []);
  return html`<section class="page settings"><h1>${session.user}</h1>
    <${Tokens} session=${session} />
    <${Password} user=${session.user} />
  </section>`;
}
