// Choosing a role.

import { html } from "../view.js";

export const ROLES = ["reader", "writer", "admin"];

/** A field `role` of a form. */
export const Roles = ({ label, usual }) => html`<label>${label} <select name="role">
  ${ROLES.map((role) => html`<option key=${role} value=${role} defaultSelected=${role === usual}>${role}</option>`)}</select></label>`;
