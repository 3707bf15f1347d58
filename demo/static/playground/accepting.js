// Following the link of an invitation: signed in as the invited user, as another one, or not at all.

import { call } from "./api.js";
import { addView, forgetInvitation, go, isSignedIn, state } from "./navigation.js";
import { $, element, onClick } from "./page.js";
import { signOut } from "./signing-in.js";

const token = new URLSearchParams(location.search).get("invite_token");
if (token) state.invitation = { token, email: "", isToSignUp: false };
let nextView = "";

addView("invitation", {
  isFor: () => state.invitation !== null,
  under: "organizations",
  open: async () => render(await outcome()),
});

async function outcome() {
  const accepted = await call("POST", "/organizations/invitations/accept", { token: state.invitation.token });
  if (accepted.error_code !== "INVITATION_UNKNOWN") return accepted;
  // One of staff's, which lead to no organization, is accepted by signing up alone.
  const query = new URLSearchParams({ token: state.invitation.token });
  const { valid, email } = await call("GET", `/deployment/invitations/validate?${query}`);
  if (!valid) return accepted;
  state.invitation.isToSignUp = true;
  const message = `This invitation is for ${email}; sign up with that address.`;
  return { message, requires_signin: true, error_code: "INVITATION_REQUIRES_SIGNUP", invited_email: email };
}

function render(outcome) {
  const { organization, workspace, message, requires_signin: isOpen, error_code: code, invited_email: email } = outcome;
  $("invitation-message").textContent = message;
  const places = Object.entries({ organizations: organization, workspaces: workspace }).filter(([, place]) => place);
  $("invitation-places").replaceChildren(
    ...places.map(([kind, { id, name }]) =>
      element("li", {}, element("a", { href: `#place/${kind}/${id}`, text: name })),
    ),
  );
  $("invitation-step").hidden = !isOpen;
  if (!isOpen) {
    forgetInvitation();
    return;
  }
  state.invitation.email = email;
  const isNew = code === "INVITATION_REQUIRES_SIGNUP";
  nextView = isNew ? "sign-up" : "sign-in";
  $("invitation-step").textContent = `${isSignedIn() ? "Sign out, and sign" : "Sign"} ${isNew ? "up" : "in"} with that address`;
}

onClick("invitation-step", async () => {
  if (isSignedIn()) await signOut();
  await go(nextView);
});
