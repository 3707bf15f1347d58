// The members of a place: found page by page or by a search, given roles, and removed.

import { call } from "./api.js";
import { nameOf, state } from "./navigation.js";
import { roleChip } from "./organizations.js";
import { $, actionButton, confirmed, element, onClick, onSubmit } from "./page.js";
import { addPanel, changed, loadPanel, place } from "./place.js";

const LIMIT = 10;
const asked = { path: "", page: 1, search: "" };

addPanel("members", {
  load: ({ path }) => {
    if (asked.path !== path) {
      Object.assign(asked, { path, page: 1, search: "" });
      $("member-search").reset();
    }
    const { page, search } = asked;
    return call("GET", `/${path}/members?${new URLSearchParams({ page, limit: LIMIT, search })}`);
  },
  render: (_, { data, meta }) => {
    const open = document.querySelector("#members details[open]")?.dataset.member;
    $("members").replaceChildren(...data.map((member) => row(member, member.id === open)));
    const first = (meta.page - 1) * meta.limit + 1;
    const last = first + data.length - 1;
    $("members-shown").textContent = data.length ? `${first} to ${last} of ${meta.total}` : "Nobody is found.";
    $("members-before").hidden = first === 1;
    $("members-after").hidden = last >= meta.total;
  },
});

function row(member, isOpen) {
  const { user, roles } = member;
  const isOneself = user.id === state.session.active_signin.user.id;
  const about = [user.primary_email_address.email, isOneself ? "you" : ""].filter(Boolean).join(", ");
  const what = element("span", { className: "what" }, element("b", { text: nameOf(user) }));
  what.append(element("small", { className: "muted", text: about }));
  const chips = element("ul", { className: "chips", ariaLabel: "Roles" }, ...roles.map(roleChip));
  const node = element("li", {}, what, chips);
  node.dataset.member = nameOf(user);
  if (!place.isAdmin) return node;
  if (!isOneself) node.append(actionButton("Remove", nameOf(user), () => remove(member)));
  node.append(roleChoices(member, isOpen));
  return node;
}

function roleChoices(member, open) {
  const name = nameOf(member.user);
  const boxes = place.roles.map((role) => {
    const checked = member.roles.some(({ id }) => id === role.id);
    const box = element("input", { type: "checkbox", checked, value: role.id });
    onClick(box, () => changeRole(member, role, box));
    return element("li", {}, element("label", { className: "choice" }, box, ` ${role.name}`));
  });
  const summary = element("summary", { text: "Change roles", ariaLabel: `Change roles: ${name}` });
  const details = element("details", { open }, summary, element("ul", { className: "choices" }, ...boxes));
  details.dataset.member = member.id;
  return details;
}

async function changeRole({ id, user }, role, box) {
  const isGiven = box.checked;
  try {
    await call("POST", `/${place.path}/members/${id}/roles/${role.id}/${isGiven ? "add" : "remove"}`);
  } catch (error) {
    box.checked = !isGiven;
    throw error;
  }
  const text = isGiven ? `${nameOf(user)} has the role ${role.name} now.` : `${nameOf(user)} has lost the role ${role.name}.`;
  const again = () => document.querySelector(`#members details[data-member="${id}"] input[value="${role.id}"]`);
  await changed(text, () => again() ?? $("place-members-title"));
}

async function remove({ id, user }) {
  const also = place.isOrganization ? " and from all of its workspaces" : "";
  await confirmed(`Do you want to remove ${nameOf(user)} from ${place.shown.name}${also}?`, "Remove");
  await call("POST", `/${place.path}/members/${id}/remove`);
  await changed(`${nameOf(user)} is removed.`, "members");
}

async function find(changes) {
  Object.assign(asked, changes);
  await loadPanel("members");
}

onSubmit("member-search", ({ search }) => find({ search, page: 1 }));

for (const [button, step] of [["members-before", -1], ["members-after", 1]]) {
  onClick(button, async () => {
    await find({ page: asked.page + step });
    $("place-members-title").focus();
  });
}
