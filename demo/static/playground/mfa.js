// One's own authenticator and backup codes.

import { account, loadAccount, whenLoaded } from "./account-data.js";
import { call } from "./api.js";
import { $, element, notify, onClick, onSubmit, time } from "./page.js";
import { withProof } from "./proof.js";

let pending = null; // the authenticator that is to be confirmed

whenLoaded(({ user }) => {
  const present = user.user_authenticator;
  const sentence = present
    ? ["Signing in takes a code of your authenticator, set up on ", time(present.created_at), "."]
    : ["Signing in takes your password alone. With an authenticator, an app on your phone, it takes a code besides."];
  if (present) {
    sentence.push(user.backup_codes_generated ? " You have backup codes." : " You have no backup codes yet: make some.");
  }
  $("mfa-state").replaceChildren(...sentence);
  $("new-authenticator").textContent = present ? "Set up another authenticator" : "Set up an authenticator";
  $("remove-authenticator").hidden = $("new-backup-codes").hidden = !present;
  $("new-backup-codes").textContent = user.backup_codes_generated ? "Make new backup codes" : "Make backup codes";
});

/** Take from the page what is shown once. */
export function forgetSecrets() {
  pending = null;
  $("confirm-form").hidden = $("new-codes").hidden = true;
  $("secret").textContent = "";
  $("otp-url").removeAttribute("href");
  $("backup-codes").replaceChildren();
}

onClick("new-authenticator", async () => {
  const made = await withProof((proof) => call("POST", "/me/authenticator", proof));
  forgetSecrets();
  pending = made;
  $("secret").textContent = pending.totp_secret;
  $("otp-url").href = pending.otp_url;
  $("confirm-form").hidden = false;
  $("confirm-form").reset();
  $("confirm-form").elements.first.focus();
});

onSubmit("confirm-form", async ({ first, second }, form) => {
  const confirmation = { authenticator_id: pending.id, codes: [first, second] };
  await call("POST", "/me/authenticator/attempt-verification", confirmation);
  form.reset();
  forgetSecrets();
  await loadAccount();
  $("new-backup-codes").focus();
  notify("Your authenticator is set up. Make backup codes next: they replace a lost phone.");
});

onClick("confirm-cancel", () => {
  forgetSecrets();
  $("new-authenticator").focus();
});

onClick("new-backup-codes", async () => {
  const path = account.user.backup_codes_generated ? "/me/backup-codes/regenerate" : "/me/backup-codes";
  const codes = await withProof((proof) => call("POST", path, proof));
  await loadAccount();
  $("backup-codes").replaceChildren(...codes.map((code) => element("li", { text: code })));
  $("new-codes").hidden = false;
  notify("Keep these codes; they are not shown again.");
});

onClick("remove-authenticator", async () => {
  const path = `/me/authenticator/${encodeURIComponent(account.user.user_authenticator.id)}/delete`;
  await withProof((proof) => call("POST", path, proof));
  forgetSecrets();
  await loadAccount();
  $("new-authenticator").focus();
  notify("Your authenticator and its backup codes are removed.");
});
