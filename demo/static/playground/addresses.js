// One's own e-mail addresses.

import { loadAccount, whenLoaded } from "./account-data.js";
import { call } from "./api.js";
import { $, actionButton, element, notify, onClick, onSubmit } from "./page.js";
import { withProof } from "./proof.js";

let awaited = null; // the address whose code is awaited

whenLoaded(({ user }) => {
  $("addresses").replaceChildren(...user.user_email_addresses.map(row));
  const isAwaited = user.user_email_addresses.some(({ id, verified }) => id === awaited?.id && !verified);
  $("address-code-form").hidden = !isAwaited;
});

function row(address) {
  const { email, is_primary: isMain, verified } = address;
  const chips = element("span", { className: "chips" });
  if (isMain) chips.append(element("span", { text: "main" }));
  chips.append(element("span", { text: verified ? "verified" : "not verified", className: verified ? "good" : "bad" }));
  const actions = element("span", { className: "actions" });
  if (!verified) actions.append(actionButton("Verify", email, () => mailCode(address)));
  if (verified && !isMain) actions.append(actionButton("Make main", email, () => makeMain(address)));
  if (!isMain) actions.append(actionButton("Remove", email, () => remove(address)));
  return element("li", {}, element("span", { className: "what", text: email }), chips, actions);
}

const pathOf = ({ id }, what) => `/me/email-addresses/${encodeURIComponent(id)}/${what}`;

async function mailCode(address) {
  await call("POST", pathOf(address, "prepare-verification"));
  awaited = address;
  $("address-code-for").textContent = address.email;
  $("address-code-form").reset();
  $("address-code-form").hidden = false;
  $("address-code-form").elements.code.focus();
  notify(`We have sent a code to ${address.email}.`);
}

async function makeMain(address) {
  await withProof((proof) => call("POST", pathOf(address, "make-primary"), proof));
  await changed(`${address.email} is your main address now.`);
}

async function remove(address) {
  await withProof((proof) => call("POST", pathOf(address, "delete"), proof));
  await changed(`${address.email} is removed.`);
}

/** The button that was pressed is gone, so the keyboard goes on at the heading. */
async function changed(text) {
  await loadAccount();
  $("addresses-title").focus();
  notify(text);
}

onSubmit("address-form", async (fields, form) => {
  const address = await withProof((proof) => call("POST", "/me/email-addresses", { ...fields, ...proof }));
  form.reset();
  await loadAccount();
  if (address.verified) notify("You have this address already.");
  else await mailCode(address);
});

onSubmit("address-code-form", async ({ code }, form) => {
  await call("POST", `${pathOf(awaited, "attempt-verification")}?code=${encodeURIComponent(code)}`);
  form.reset();
  await changed(`${awaited.email} is verified: you can sign in with it.`);
});

onClick("address-code-again", () => mailCode(awaited));
