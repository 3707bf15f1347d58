// One organization or workspace: its panels, its settings, and its end.

import { ApiError, call } from "./api.js";
import { addView, forUsers, go, showPicture, state } from "./navigation.js";
import { roleChip } from "./organizations.js";
import { $, confirmed, element, notify, onClick, onSubmit, showField } from "./page.js";

/**
 * The place that is shown: its `path` in the API, its `level` ("organization" or "workspace"), `isOrganization`, one's
 * own `membership`, the place itself as `shown`, its `organization`, one's own `workspaces` there, its `roles`,
 * `isOrganizationAdmin`, and `isAdmin` for whoever administers the place.
 */
export const place = {};

const panels = [];

/** The section `place-${name}` is there where `isFor(place)`; `load(place)` gets what `render(place, loaded)` shows. */
export function addPanel(name, { isFor = () => true, load = () => {}, render }) {
  panels.push({ name, isFor, load, render });
}

addView("place", { isFor: forUsers, under: "organizations", open: loadPlace });

const holds = ({ roles }, permission) => roles.some(({ permissions }) => permissions.includes(permission));

export async function loadPlace(path = place.path) {
  const [kind, id] = path.split("/");
  const organizations = await call("GET", "/me/organization-memberships");
  const workspaces = await call("GET", "/me/workspace-memberships");
  const isOrganization = kind === "organizations";
  const membership = isOrganization
    ? organizations.find(({ organization }) => organization.id === id)
    : workspaces.find(({ workspace }) => workspace.id === id);
  if (!membership) throw new ApiError(404, { message: "You are no member there, or it does not exist any more.", code: 40404 });
  const { organization } = membership;
  const above = organizations.find((one) => one.organization.id === organization.id);
  const isOrganizationAdmin = holds(above, "organization:admin");
  Object.assign(place, {
    path,
    level: isOrganization ? "organization" : "workspace",
    isOrganization,
    membership,
    organization,
    shown: isOrganization ? organization : membership.workspace,
    workspaces: workspaces.filter((one) => one.organization.id === organization.id),
    isOrganizationAdmin,
    isAdmin: isOrganizationAdmin || (!isOrganization && holds(membership, "workspace:admin")),
  });
  const isRestricted = membership.eligibility_restriction.type !== "none";
  if (!isRestricted) place.roles = await call("GET", `/${path}/roles`);
  const isThere = ({ isFor }) => !isRestricted && isFor(place);
  const loaded = await Promise.all(panels.map((panel) => isThere(panel) && panel.load(place)));
  showHead();
  for (const [number, panel] of panels.entries()) {
    $(`place-${panel.name}`).hidden = !isThere(panel);
    if (isThere(panel)) panel.render(place, loaded[number]);
  }
}

export async function loadPanel(name) {
  const panel = panels.find((one) => one.name === name);
  panel.render(place, await panel.load(place));
}

/** Show what a change has made of the place. The button that was pressed may be gone, so the keyboard goes on here. */
export async function changed(text, focused) {
  await loadPlace();
  (typeof focused === "string" ? $(`place-${focused}-title`) : focused()).focus();
  notify(text);
}

function showHead() {
  const { shown, membership, organization, isOrganization } = place;
  const link = element("a", { href: `#place/organizations/${organization.id}`, text: organization.name });
  $("place-above").replaceChildren(...(isOrganization ? [] : ["› ", link]));
  $("place-title").textContent = shown.name;
  showPicture($("place-picture"), shown.image_url, shown.name);
  $("place-description").textContent = shown.description;
  $("place-own-roles").replaceChildren(...membership.roles.map(roleChip));
  const { type, message } = membership.eligibility_restriction;
  $("place-verdict").textContent = message;
  $("place-verdict").hidden = type === "none";
}

// --- the workspaces of an organization -------------------------------------------------------------------------------

addPanel("workspaces", {
  isFor: ({ isOrganization }) => isOrganization,
  render: ({ workspaces, isAdmin }) => {
    $("workspaces").replaceChildren(...workspaces.map(workspaceRow));
    if (!workspaces.length) $("workspaces").append(element("li", { className: "muted", text: "None yet." }));
    $("new-workspace-form").hidden = !isAdmin;
  },
});

function workspaceRow({ workspace, roles }) {
  const link = element("a", { href: `#place/workspaces/${workspace.id}`, text: workspace.name });
  const chips = element("ul", { className: "chips", ariaLabel: "Your roles" }, ...roles.map(roleChip));
  return element("li", {}, element("span", { className: "what" }, link), chips);
}

onSubmit("new-workspace-form", async (fields, form) => {
  const { workspace } = await call("POST", "/workspaces", { ...fields, organization_id: place.organization.id });
  form.reset();
  await changed(`${workspace.name} is created, and you are its administrator.`, "workspaces");
});

// --- settings --------------------------------------------------------------------------------------------------------

addPanel("settings", {
  isFor: ({ isAdmin }) => isAdmin,
  render: ({ shown, isOrganization, workspaces }) => {
    const settings = state.deployment.b2b_settings;
    const level = isOrganization ? "org" : "workspace";
    const form = $("settings-form");
    form.reset();
    const { elements } = form;
    showField(elements.enforce_mfa, settings[`enforce_mfa_per_${level}_enabled`]);
    showField(elements.enable_ip_restriction, settings[`ip_allowlist_per_${level}_enabled`]);
    showField(elements.whitelisted_ips, settings[`ip_allowlist_per_${level}_enabled`]);
    showField(elements.auto_assigned_workspace_id, isOrganization);
    showField(elements.no_picture, shown.image_url !== "");
    offer(elements.auto_assigned_workspace_id, "No workspace", workspaces.map(({ workspace }) => workspace));
    const joined = shown.auto_assigned_workspace_id ?? "";
    elements.auto_assigned_workspace_id.value = joined;
    if (elements.auto_assigned_workspace_id.value !== joined) {
      const other = element("option", { value: joined, text: "A workspace that you are no member of", selected: true });
      elements.auto_assigned_workspace_id.append(other);
    }
    elements.name.value = shown.name;
    elements.description.value = shown.description;
    elements.enforce_mfa.checked = shown.enforce_mfa ?? shown.enforce_2fa;
    elements.enable_ip_restriction.checked = shown.enable_ip_restriction;
    elements.whitelisted_ips.value = shown.whitelisted_ips.join("\n");
  },
});

/** The choices of a select: none, called `none`, and the `items` by their names. */
export function offer(select, none, items) {
  const options = [{ id: "", name: none }, ...items].map(({ id, name }) => element("option", { value: id, text: name }));
  select.replaceChildren(...options);
}

onSubmit("settings-form", async (fields, { elements }) => {
  const form = new FormData();
  const send = (name, value) => elements[name].disabled || form.append(name, value);
  for (const name of ["name", "description", "auto_assigned_workspace_id"]) send(name, elements[name].value);
  send("enable_ip_restriction", elements.enable_ip_restriction.checked);
  for (const line of fields.whitelisted_ips?.trim().split("\n") ?? []) send("whitelisted_ips", line.trim());
  if (!elements.enforce_mfa.disabled) {
    form.append(place.isOrganization ? "enforce_mfa" : "enforce_2fa", elements.enforce_mfa.checked);
  }
  if (fields.image.size) form.append("image", fields.image);
  else if (fields.no_picture) form.append("image", new Blob([]), "");
  await call("POST", `/${place.path}/update`, form);
  await changed("The settings are saved.", "settings");
});

// --- the end ---------------------------------------------------------------------------------------------------------

addPanel("end", {
  render: ({ level, isAdmin, isOrganization }) => {
    const settings = state.deployment.b2b_settings;
    $("leave").textContent = `Leave the ${level}`;
    $("delete").textContent = `Delete the ${level}`;
    $("delete").hidden = !isAdmin || !settings[isOrganization ? "allow_org_deletion" : "allow_workspace_deletion"];
  },
});

onClick("leave", async () => {
  const { shown, isOrganization } = place;
  const also = isOrganization ? " and all of its workspaces" : "";
  await confirmed(`Do you want to leave ${shown.name}${also}? You cannot come back by yourself.`, "Leave");
  await end("leave", `You have left ${shown.name}.`);
});

onClick("delete", async () => {
  const { shown, isOrganization } = place;
  const lost = isOrganization ? "Its workspaces, members, roles and invitations" : "Its members and roles";
  await confirmed(`Do you want to delete ${shown.name}? ${lost} go with it, and nobody can bring it back.`, "Delete");
  await end("delete", `${shown.name} is deleted.`);
});

async function end(how, text) {
  const { path, isOrganization, organization } = place;
  await call("POST", `/${path}/${how}`);
  await go(isOrganization ? "organizations" : `place/organizations/${organization.id}`);
  notify(text);
}
