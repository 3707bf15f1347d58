// The roles that can be given in a place, and making others.

import { call } from "./api.js";
import { state } from "./navigation.js";
import { $, actionButton, confirmed, element, onSubmit } from "./page.js";
import { addPanel, changed, place } from "./place.js";

addPanel("roles", {
  render: ({ roles, level, isOrganization, isAdmin }) => {
    const settings = state.deployment.b2b_settings;
    $("roles").replaceChildren(...roles.map(row));
    $("new-role-form").hidden = !isAdmin || !settings[`custom_${isOrganization ? "org" : "workspace"}_role_enabled`];
    $("offered-permissions").replaceChildren(...settings[`${level}_permissions`].map(permissionChoice));
  },
});

function row(role) {
  const held = element("small", { className: "muted", text: role.permissions.join(", ") || "nothing in particular" });
  const what = element("span", { className: "what" }, element("b", { text: role.name }), held);
  const node = element("li", {}, what);
  if (isShared(role)) node.append(element("span", { className: "chips" }, element("span", { text: "shared" })));
  else if (place.isAdmin) node.append(actionButton("Remove", role.name, () => remove(role)));
  return node;
}

/** Whether only staff can change the role, as far as the API shows it: of a workspace's roles it does not say whose they are. */
function isShared({ id, organization_id: owner }) {
  if (place.isOrganization) return owner !== place.organization.id;
  const settings = state.deployment.b2b_settings;
  return [settings.default_workspace_creator_role_id, settings.default_workspace_member_role_id].includes(id);
}

function permissionChoice(value) {
  const box = element("input", { type: "checkbox", name: "permissions", value });
  return element("li", {}, element("label", { className: "choice" }, box, ` ${value}`));
}

onSubmit("new-role-form", async ({ name }, form) => {
  const permissions = new FormData(form).getAll("permissions");
  await call("POST", `/${place.path}/roles`, { name, permissions });
  form.reset();
  await changed(`There is a role ${name} now.`, "roles");
});

async function remove({ id, name }) {
  await confirmed(`Do you want to remove the role ${name}?`, "Remove");
  await call("POST", `/${place.path}/roles/${id}/${place.isOrganization ? "remove" : "delete"}`);
  await changed(`The role ${name} is removed.`, "roles");
}
