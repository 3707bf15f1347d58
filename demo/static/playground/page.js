// The page: its elements, its forms and buttons, and the line that says how an action went.

import { ApiError } from "./api.js";

export const $ = (id) => document.getElementById(id);

export function element(tag, { text, className, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** A button of a row: what it does is its text, and about what or whom is for those who do not see the row. */
export function actionButton(text, about, run, className = "") {
  const button = element("button", { type: "button", text, className: `small ${className}`, ariaLabel: `${text}: ${about}` });
  onClick(button, run);
  return button;
}

export function time(text) {
  const written = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
  return element("time", { dateTime: text, text: written });
}

export function notify(text, isError = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("error", isError);
}

/** Thrown by an action that the user has called off: nothing more is to be said. */
export class CalledOff extends Error {}

// These are 401 and leave the session as it was: a wrong name, code or password, the end of a reset.
const ABOUT_INPUT = [40108, 40109, 40113, 40117];
let onLostSession = () => {};

export function whenSessionIsLost(action) {
  onLostSession = action;
}

export function described(error) {
  return error instanceof ApiError ? `${error.message} (${error.code})` : "The service cannot be reached; try again.";
}

/** Run an action of the user; how it fails is shown. */
export async function attempt(action) {
  notify("");
  try {
    await action();
  } catch (error) {
    if (error instanceof CalledOff) return;
    notify(described(error), true);
    if (error.status === 401 && !ABOUT_INPUT.includes(error.code)) await onLostSession();
    if (!(error instanceof ApiError)) console.error(error);
  }
}

/** As `attempt`, but not again on the same node before it has ended: a second click asks for no second mail. */
async function attemptOnce(node, action) {
  if (node.ariaBusy === "true") return;
  node.ariaBusy = "true";
  await attempt(action);
  node.ariaBusy = "false";
}

/** `action(fields, form)` when `form` is sent. */
export function onSubmit(form, action) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    attemptOnce(event.target, () => action(fields, event.target));
  });
}

export function onClick(button, action) {
  const node = typeof button === "string" ? $(button) : button;
  node.addEventListener("click", () => attemptOnce(node, action));
}

/** Show a field of a form that is needed, and hide one that is not: it is not sent then. */
export function showField(input, isNeeded) {
  input.disabled = !isNeeded;
  input.closest("label").hidden = !isNeeded;
}

/** Ask before what cannot be taken back; throws CalledOff unless the user goes on. */
export function confirmed(question, answer) {
  const dialog = $("confirm");
  $("confirm-question").textContent = question;
  $("confirm-yes").textContent = answer;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => {
      $("confirm-question").textContent = "";
      if (dialog.returnValue) resolve();
      else reject(new CalledOff());
    };
  });
}
