// Signing in, up and out, and forgotten passwords.

import { call } from "./api.js";
import { withChallenge } from "./challenge.js";
import { readMail } from "./mails.js";
import { forgetSecrets } from "./mfa.js";
import { addView, enter, forgetInvitation, go, show, state } from "./navigation.js";
import { $, notify, onClick, onSubmit } from "./page.js";

// --- signing in ----------------------------------------------------------------------------------------------------

addView("sign-in", {
  open: () => {
    forgetUser();
    $("password-form").elements.name.value = state.invitation?.email ?? "";
  },
});
addView("mfa", { isDue: (session) => session.signin_attempts.at(-1)?.current_step === "verify_second_factor" });

onSubmit("password-form", async ({ name, password }, form) => {
  const credentials = name.includes("@")
    ? { strategy: "plain_email", email: name, password }
    : { strategy: "plain_username", username: name, password };
  const session = await withChallenge((proof) => call("POST", "/auth/signin", { ...credentials, ...proof }));
  form.reset();
  notify("");
  await enter(session);
});

onSubmit("code-form", async ({ code }, form) => {
  const session = await call("POST", verification(state.session.signin_attempts, "signin"), { verification_code: code });
  form.reset();
  await enter(session);
});

for (const button of document.querySelectorAll("[data-user]")) {
  button.addEventListener("click", () => {
    const form = $("password-form").elements;
    form.name.value = button.dataset.user;
    form.password.value = $("demo-password").textContent;
    form.password.focus();
  });
}

function verification(attempts, type) {
  const id = encodeURIComponent(attempts.at(-1)?.id ?? "0");
  return `/auth/attempt-verification?attempt_identifier=${id}&identifier_type=${type}`;
}

// --- signing up ----------------------------------------------------------------------------------------------------

const signUp = () => state.session.signup_attempts.at(-1);

addView("sign-up", {
  open: () => {
    const { email } = $("sign-up-form").elements;
    email.readOnly = Boolean(state.invitation?.email);
    if (email.readOnly) email.value = state.invitation.email;
  },
});
addView("verify", {
  isDue: (session) => session.signup_attempts.at(-1)?.current_step === "verify_email",
  open: () => ($("verify-address").textContent = signUp()?.email ?? ""),
});

async function mailSignUpCode() {
  const id = encodeURIComponent(signUp()?.id ?? "0");
  const query = `attempt_identifier=${id}&strategy=email_otp&identifier_type=signup`;
  await call("POST", `/auth/prepare-verification?${query}`);
}

onSubmit("sign-up-form", async (fields, form) => {
  const account = { ...fields, invite_token: state.invitation?.token ?? "" };
  state.session = await withChallenge((proof) => call("POST", "/auth/signup", { ...account, ...proof }));
  form.reset();
  await show("verify");
  await mailSignUpCode();
  notify("We have sent a code to your address.");
});

onSubmit("verify-form", async ({ code }, form) => {
  const session = await call("POST", verification(state.session.signup_attempts, "signup"), { verification_code: code });
  if (state.invitation?.isToSignUp) forgetInvitation();
  const isWithoutUsername = session.signup_attempts.at(-1)?.missing_fields.includes("username");
  form.reset();
  await enter(session);
  notify(
    isWithoutUsername
      ? "Welcome! Somebody has that username already; choose another one in your account."
      : "Welcome! Your account is ready.",
  );
});

onClick("verify-again", async () => {
  await mailSignUpCode();
  notify("We have sent another code; the one before is void.");
});

// --- a forgotten password ------------------------------------------------------------------------------------------

const reset = { email: "", token: "" };

addView("forgotten");
addView("reset", { isDue: () => false });

async function mailResetCode() {
  reset.token = "";
  $("reset-form").elements.code.disabled = false;
  await call("POST", "/auth/forgot-password", { email: reset.email });
}

onSubmit("forgotten-form", async ({ email }, form) => {
  reset.email = email;
  await mailResetCode();
  form.reset();
  $("reset-form").reset();
  $("reset-address").textContent = reset.email;
  await show("reset");
  notify("If there is an account with this address, we have sent a code to it.");
});

onSubmit("reset-form", async ({ code, password }, form) => {
  if (!reset.token) {
    ({ token: reset.token } = await call("POST", "/auth/forgot-password", { email: reset.email, otp: code }));
    form.elements.code.disabled = true; // it is used; the token stays good if the password is too weak
  }
  const session = await call("POST", "/auth/reset-password", { token: reset.token, password });
  form.reset();
  await enter(session);
  notify(session.active_signin ? "Your password is changed; you are signed out everywhere else." : "Your password is changed.");
});

onClick("reset-again", async () => {
  await mailResetCode();
  $("reset-form").elements.code.value = "";
  notify("If there is an account with this address, we have sent another code to it.");
});

// --- signing out -----------------------------------------------------------------------------------------------------

/** Whoever uses the browser next finds nothing of the user's in the page. */
function forgetUser() {
  for (const form of document.querySelectorAll("form")) form.reset();
  for (const node of document.querySelectorAll("main ul, main select, [data-of-user]")) node.replaceChildren();
  forgetSecrets();
  $("deletion").open = false;
  reset.token = "";
}

export async function signOut() {
  state.session = await call("POST", "/session/sign-out");
  forgetUser();
}

onClick("sign-out", async () => {
  await signOut();
  await enter(state.session);
  notify("You are signed out.");
});

for (const button of document.querySelectorAll("[data-start-again]")) onClick(button, () => go("sign-in"));
for (const button of document.querySelectorAll("[data-read-mail]")) onClick(button, readMail);
