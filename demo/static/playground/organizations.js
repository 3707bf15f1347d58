// The organizations of the signed-in user, and creating another one.

import { call } from "./api.js";
import { addView, forUsers, go, state } from "./navigation.js";
import { $, element, notify, onSubmit } from "./page.js";

addView("organizations", {
  isFor: forUsers,
  open: async () => {
    const memberships = await call("GET", "/me/organization-memberships");
    $("organization-cards").replaceChildren(...memberships.map(card));
    if (!memberships.length) {
      const text = "You are a member of no organization yet.";
      $("organization-cards").append(element("li", { className: "muted", text }));
    }
    $("new-organization").hidden = !state.deployment.b2b_settings.allow_users_to_create_orgs;
  },
});

function card({ organization, roles }) {
  const link = element("a", { href: `#place/organizations/${organization.id}`, text: organization.name });
  const chips = element("ul", { className: "chips", ariaLabel: "Your roles" }, ...roles.map(roleChip));
  const number = organization.member_count;
  return element(
    "li",
    { className: "card" },
    element("h3", {}, link),
    ...(organization.description ? [element("p", { className: "muted", text: organization.description })] : []),
    chips,
    element("p", { className: "muted", text: number === 1 ? "One member" : `${number} members` }),
  );
}

export function roleChip({ name, permissions }) {
  return element("li", { text: name, title: permissions.join(", ") });
}

onSubmit("new-organization-form", async (fields, form) => {
  const { organization } = await call("POST", "/organizations", fields);
  form.reset();
  await go(`place/organizations/${organization.id}`);
  notify(`${organization.name} is created, and you are its administrator.`);
});
