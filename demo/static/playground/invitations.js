// The open invitations of an organization, or of those the ones to a workspace.

import { call } from "./api.js";
import { nameOf } from "./navigation.js";
import { $, actionButton, attempt, confirmed, element, onSubmit, showField, time } from "./page.js";
import { addPanel, changed, offer, place } from "./place.js";

const { elements } = $("invitation-form");

addPanel("invitations", {
  isFor: ({ isAdmin }) => isAdmin,
  load: ({ shown, isOrganization }) => call("GET", pathOf(isOrganization ? "" : `?workspace_id=${shown.id}`)),
  render: ({ shown, roles, workspaces, isOrganization }, invitations) => {
    $("invitations").replaceChildren(...invitations.map(row));
    if (!invitations.length) $("invitations").append(element("li", { className: "muted", text: "None is open." }));
    offer(elements.role_id, "Default role", roles);
    offer(elements.workspace_id, "None", workspaces.map(({ workspace }) => workspace));
    showField(elements.role_id, isOrganization);
    showField(elements.workspace_id, isOrganization);
    if (!isOrganization) elements.workspace_id.value = shown.id;
    offerWorkspaceRoles(isOrganization ? [] : roles);
  },
});

function offerWorkspaceRoles(roles) {
  offer(elements.workspace_role_id, "Default role", roles);
  showField(elements.workspace_role_id, elements.workspace_id.value !== "");
}

elements.workspace_id.addEventListener("change", ({ target }) =>
  attempt(async () => offerWorkspaceRoles(target.value ? await call("GET", `/workspaces/${target.value}/roles`) : [])),
);

function row(invitation) {
  const { email, expired, inviter, created_at: createdAt } = invitation;
  const role = invitation.initial_organization_role?.name ?? "no role";
  const there = invitation.workspace && `, ${invitation.initial_workspace_role?.name ?? "no role"} in ${invitation.workspace.name}`;
  const by = inviter ? `by ${nameOf(inviter.user)}, ` : "";
  const small = element("small", { className: "muted" }, `${role}${there ?? ""}; ${by}`, time(createdAt));
  const what = element("span", { className: "what" }, element("b", { text: email }), small);
  const chips = element("span", { className: "chips" });
  if (expired) chips.append(element("span", { className: "bad", text: "expired" }));
  const actions = element("span", { className: "actions" });
  actions.append(actionButton("Send again", email, () => resend(invitation)));
  actions.append(actionButton("Discard", email, () => discard(invitation)));
  return element("li", {}, what, chips, actions);
}

const pathOf = (rest) => `/organizations/${place.organization.id}/invitations${rest}`;

async function resend(invitation) {
  await call("POST", pathOf(`/${invitation.id}/resend`));
  await changed(`The invitation is on its way to ${invitation.email} again; the link of the mail before is void.`, "invitations");
}

async function discard(invitation) {
  await confirmed(`Do you want to discard the invitation to ${invitation.email}? Its link is void then.`, "Discard");
  await call("POST", pathOf(`/${invitation.id}/discard`));
  await changed(`The invitation to ${invitation.email} is discarded.`, "invitations");
}

onSubmit("invitation-form", async (fields, form) => {
  await call("POST", pathOf(""), place.isOrganization ? fields : { ...fields, workspace_id: place.shown.id });
  form.reset();
  await changed(`The invitation is on its way to ${fields.email}.`, "invitations");
});
