// The application: who is here, what the address names, and the view for it.

import { Shell } from "./shell.js";
import { catchLinks, useRoute } from "./route.js";
import { SessionContext, useSession } from "./session.js";
import { html, render, useErrorBoundary } from "./view.js";
import { Message, Waiting } from "./parts.js";
import { AccountPage } from "./account/page.js";
import { ComparePage } from "./compare/page.js";
import { InvitationPage } from "./invitation.js";
import { SettingsPage } from "./project/settings.js";
import { ProjectsPage } from "./projects.js";
import { RunPage } from "./run/page.js";
import { RunsPage } from "./runs/page.js";
import { SharePage } from "./share.js";
import { SignInPage } from "./sign_in.js";
import { UsersPage } from "./users.js";

const PAGES = { projects: ProjectsPage, runs: RunsPage, run: RunPage, compare: ComparePage };
/** For those who have signed in, where there are users. */
const OWN = { account: AccountPage, users: UsersPage, settings: SettingsPage };

function App() {
  const route = useRoute();
  const session = useSession();
  return html`<${SessionContext.Provider} value=${session}>
    <${Shell} route=${route} session=${session}>
      <${Guarded} key=${`${route.page}/${route.project ?? ""}/${route.run ?? ""}`} route=${route} session=${session} />
    <//>
  <//>`;
}

function Guarded({ route, session }) {
  const [error] = useErrorBoundary((thrown) => console.error(thrown));
  if (error) return html`<${Message} kind="error">This view failed: ${String(error.message ?? error)}<//>`;
  if (route.page === "share") return html`<${SharePage} session=${session} />`;
  if (route.page === "invitation") return html`<${InvitationPage} session=${session} />`;
  if (session.state === "unknown") return html`<${Waiting} />`;
  const own = OWN[route.page];
  if (own && session.state === "nobody") return html`<${SignInPage} route=${route} session=${session} />`;
  if (route.page === "sign-in" || session.state === "asked") return html`<${SignInPage} route=${route} session=${session} />`;
  const Page = own && session.user ? own : PAGES[route.page];
  if (!Page) return html`<${Message}>There is nothing at this address. <a href="/">All projects</a><//>`;
  return html`<${Page} route=${route} />`;
}

const root = document.getElementById("app");
catchLinks(document);
root.replaceChildren();
render(html`<${App} />`, root);
