// One's own names, picture and password, and the end of the account.

import { loadAccount, showAccount, whenLoaded } from "./account-data.js";
import { call } from "./api.js";
import { forgetSecrets } from "./mfa.js";
import { addView, forUsers, nameOf, reload, showPicture } from "./navigation.js";
import { $, notify, onClick, onSubmit, showField } from "./page.js";
import { withProof } from "./proof.js";

addView("account", {
  isFor: forUsers,
  open: async () => {
    forgetSecrets();
    await loadAccount();
  },
});

whenLoaded(({ user }) => {
  const names = $("names-form").elements;
  for (const name of ["first_name", "last_name", "username"]) names[name].value = user[name];
  showPicture($("picture"), user.profile_picture_url, nameOf(user));
  $("remove-picture").hidden = !user.profile_picture_url;
  showField($("update-password-form").elements.current_password, user.has_password);
  $("password-change").textContent = user.has_password ? "Change the password" : "Set a password";
  showField($("delete-form").elements.password, user.has_password);
  showField($("delete-form").elements.verification_code, Boolean(user.user_authenticator));
});

onSubmit("names-form", async (fields) => {
  showAccount({ user: await call("POST", "/me", fields) });
  notify("Your names are saved.");
});

// --- the picture -----------------------------------------------------------------------------------------------------

async function sendPicture(file, name) {
  const form = new FormData();
  form.append("file", file, name);
  showAccount({ user: await call("POST", "/me/profile-picture", form) });
}

$("picture-file").addEventListener("change", () => $("picture-form").requestSubmit());

onSubmit("picture-form", async ({ file }, form) => {
  form.reset(); // lest the same file, chosen again, be no change
  if (!file.size) return;
  await sendPicture(file, file.name);
  notify("Your picture is saved.");
});

onClick("remove-picture", async () => {
  await sendPicture(new Blob([]), "");
  $("picture-file").focus();
  notify("Your picture is removed.");
});

// --- the password ----------------------------------------------------------------------------------------------------

onSubmit("update-password-form", async (fields, form) => {
  await withProof((proof) => call("POST", "/me/update-password", { ...fields, ...proof }));
  form.reset();
  await loadAccount();
  notify("Your password is changed; you are signed out everywhere else.");
});

// --- the end ---------------------------------------------------------------------------------------------------------

onSubmit("delete-form", async (fields) => {
  await withProof((proof) => call("POST", "/me/account/delete", { ...fields, ...proof }));
  await reload();
  notify("Your account is deleted.");
});
