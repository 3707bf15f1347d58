// Where one is signed in.

import { loadAccount, whenLoaded } from "./account-data.js";
import { call } from "./api.js";
import { reload, state } from "./navigation.js";
import { $, actionButton, element, notify, onClick, time } from "./page.js";

whenLoaded(({ signIns }) => $("sign-ins").replaceChildren(...signIns.map(row)));

function row(signIn) {
  const isHere = signIn.id === state.session.active_signin.id;
  const where = [signIn.browser || "An unknown program", signIn.device].filter(Boolean).join(" on ");
  const address = signIn.ip_address || "an unknown address";
  const button = actionButton("Sign out", `${where}, ${address}${isHere ? ", this browser" : ""}`, () => end(signIn));
  const seen = element("small", { className: "muted" }, `${address}, since `, time(signIn.created_at));
  const chips = element("span", { className: "chips" });
  if (isHere) chips.append(element("span", { className: "good", text: "this browser" }));
  const what = element("span", { className: "what" }, element("b", { text: where }), seen);
  const node = element("li", {}, what, chips, element("span", { className: "actions" }, button));
  if (isHere) node.dataset.here = "";
  return node;
}

async function end({ id }) {
  await call("POST", `/me/signins/${encodeURIComponent(id)}/signout`);
  if (id === state.session.active_signin.id) {
    await reload();
    notify("You are signed out.");
    return;
  }
  await loadAccount();
  $("sign-ins-title").focus();
  notify("The sign-in has ended: that browser is signed out.");
}

onClick("reload-sign-ins", async () => {
  await loadAccount();
  notify("The list is up to date.");
});
