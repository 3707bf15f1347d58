// The workspaces of the signed-in user: which ones there are, which may be entered, and where they are now.

import { call } from "./api.js";
import { addView, forUsers, state } from "./navigation.js";
import { $, attempt, element, notify, onClick } from "./page.js";

const shown = { memberships: [], organization: "" };

addView("memberships", {
  isFor: forUsers,
  open: async () => {
    shown.organization = "";
    renderFilter(await call("GET", "/me/organization-memberships"));
    await load();
  },
});

async function load() {
  const query = shown.organization ? `?org_id=${encodeURIComponent(shown.organization)}` : "";
  shown.memberships = await call("GET", `/me/workspace-memberships${query}`);
  render();
}

function render() {
  const activeId = state.session.active_signin.active_workspace_membership_id;
  $("cards").replaceChildren(...shown.memberships.map((membership) => card(membership, activeId)));
  $("count").textContent = shown.memberships.length ? `(${shown.memberships.length})` : "";
  if (!shown.memberships.length) {
    $("cards").append(element("li", { className: "muted", text: "You are a member of no workspace yet." }));
  }
}

function renderFilter(organizations) {
  const options = organizations.map(({ organization }) =>
    element("option", { value: organization.id, text: organization.name }),
  );
  $("filter").replaceChildren(element("option", { value: "", text: "All" }), ...options);
}

function card(membership, activeId) {
  const { workspace, organization, roles, eligibility_restriction: restriction } = membership;
  const isActive = membership.id === activeId;
  const isRestricted = restriction.type !== "none";
  const chips = element("ul", { className: "chips" });
  chips.setAttribute("aria-label", "Roles and segments");
  for (const role of roles) chips.append(element("li", { text: role.name, title: role.permissions.join(", ") }));
  for (const segment of [...workspace.segments, ...organization.segments]) {
    chips.append(element("li", { text: segment.name, className: "segment" }));
  }
  const enter = element("button", { type: "button", text: isActive ? "You are here" : "Enter" });
  enter.setAttribute("aria-current", isActive);
  enter.setAttribute("aria-label", `${enter.textContent}: ${workspace.name}`);
  onClick(enter, () => switchWorkspace(workspace));
  const node = element(
    "li",
    { className: isActive ? "card active" : "card" },
    element("p", { className: "organization", text: organization.name }),
    element("h3", { text: workspace.name }),
    ...(workspace.description ? [element("p", { className: "muted", text: workspace.description })] : []),
    chips,
    element("p", {
      className: isRestricted ? "verdict restricted" : "verdict",
      text: isRestricted ? restriction.message : "You may enter.",
    }),
    enter,
  );
  node.dataset.workspace = workspace.name;
  node.dataset.restriction = restriction.type;
  return node;
}

async function switchWorkspace(workspace) {
  state.session = await call("POST", `/session/switch-workspace?workspace_id=${encodeURIComponent(workspace.id)}`);
  render();
  document.querySelector(".card.active button")?.focus(); // the button that was pressed is gone
  notify(`You are in ${workspace.name} now.`);
}

$("filter").addEventListener("change", ({ target }) =>
  attempt(async () => {
    shown.organization = target.value;
    await load();
  }),
);
