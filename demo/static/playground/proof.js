// Step-up authentication: some changes take more than the session, and the API says which ones.

import { account } from "./account-data.js";
import { $, CalledOff, described } from "./page.js";

const CODE = { field: "verification_code", label: "A code of your authenticator, or a backup code", type: "text" };
const PASSWORD = { field: "password", label: "Your password, once more", type: "password" };
const TO_CORRECT = [40109, 40113, 42901];

/** The outcome of `send(proof)`, where `proof` is what the API asks for: {} if nothing. Throws CalledOff. */
export async function withProof(send) {
  try {
    return await send({});
  } catch (error) {
    const demanded = demandOf(error);
    if (!demanded) throw error;
    return ask(demanded, error, send);
  }
}

function demandOf({ code }) {
  const hasAuthenticator = Boolean(account.user?.user_authenticator);
  if (code === 40304) return CODE;
  if (code !== 40305) return null;
  if (hasAuthenticator) return CODE;
  return account.user?.has_password ? PASSWORD : null;
}

function ask({ field, label, type }, reason, send) {
  const dialog = $("proof");
  const form = $("proof-form");
  const input = form.elements.proof;
  form.reset();
  $("proof-problem").textContent = "";
  $("proof-reason").textContent = reason.message;
  $("proof-label").textContent = label;
  Object.assign(input, { type, autocomplete: type === "password" ? "current-password" : "one-time-code" });
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => reject(new CalledOff()); // nothing, if it was closed after an answer
    form.onsubmit = async (event) => {
      event.preventDefault();
      $("proof-problem").textContent = "";
      try {
        const outcome = await send({ [field]: input.value });
        resolve(outcome);
        dialog.close();
      } catch (error) {
        if (TO_CORRECT.includes(error.code)) {
          $("proof-problem").textContent = described(error);
          input.select();
        } else {
          reject(error);
          dialog.close();
        }
      }
      if (!dialog.open) form.reset();
    };
  });
}

$("proof-cancel").addEventListener("click", () => $("proof").close());
