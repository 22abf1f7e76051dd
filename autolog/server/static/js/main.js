// The application: who is here, what the address names, and the view for it.

import { Shell } from "./shell.js";
import { catchLinks, useRoute } from "./route.js";
import { SessionContext, useSession } from "./session.js";
import { html, render, useErrorBoundary } from "./view.js";
import { Message, Waiting } from "./parts.js";
import { ComparePage } from "./compare/page.js";
import { InvitationPage } from "./invitation.js";
import { ProjectsPage } from "./projects.js";
import { RunPage } from "./run/page.js";
import { RunsPage } from "./runs/page.js";
import { SharePage } from "./share.js";
import { SignInPage } from "./sign_in.js";

const PAGES = { projects: ProjectsPage, runs: RunsPage, run: RunPage, compare: ComparePage };

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
  if (route.page === "sign-in" || session.state === "asked") return html`<${SignInPage} route=${route} session=${session} />`;
  const Page = PAGES[route.page];
  if (!Page) return html`<${Message}>There is nothing at this address. <a href="/">All projects</a><//>`;
  return html`<${Page} route=${route} />`;
}

const root = document.getElementById("app");
catchLinks(document);
root.replaceChildren();
render(html`<${App} />`, root);
