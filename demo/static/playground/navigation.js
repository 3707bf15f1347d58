// The views of the page: the address's fragment says which is shown, the session which can be.

import { call } from "./api.js";
import { $, attempt, whenSessionIsLost } from "./page.js";

/** The session, as the API last showed it. */
export const state = { session: null };

const views = new Map();

/**
 * A view is the section with the id `name`, whose heading has the id `name-title`.
 * `open` loads what it shows. A step of signing in or up has no address: `isDue(session)` says whether it is next.
 */
export function addView(name, { forUsers = false, isDue = null, open = () => {} } = {}) {
  views.set(name, { forUsers, isDue, open });
}

export async function show(name, { focus = true } = {}) {
  await views.get(name).open();
  for (const other of views.keys()) $(other).hidden = other !== name;
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    link.ariaCurrent = link.hash === `#${name}` ? "page" : null;
  }
  showUser();
  if (!focus) return;
  scrollTo(0, 0);
  $(`${name}-title`).focus({ preventScroll: true });
}

export async function go(name) {
  if (location.hash !== `#${name}`) history.pushState(null, "", `#${name}`);
  await show(name);
}

/** Go on with a session that the API has answered with. */
export async function enter(session, options) {
  state.session = session;
  const isStep = ([, view]) => !session.active_signin && view.isDue?.(session);
  const [step] = [...views].find(isStep) ?? [];
  const name = step ?? addressed();
  history.replaceState(null, "", step ? location.pathname : `#${name}`);
  await show(name, options);
}

export async function reload(options) {
  await enter(await call("GET", "/session"), options);
}

function addressed() {
  const isSignedIn = Boolean(state.session.active_signin);
  const name = location.hash.slice(1);
  const view = views.get(name);
  if (view && !view.isDue && view.forUsers === isSignedIn) return name;
  return isSignedIn ? "memberships" : "sign-in";
}

/** A person's name, as far as they have one. */
export function nameOf(user) {
  const name = [user.first_name, user.last_name].join(" ").trim();
  return name || user.username || user.primary_email_address.email;
}

/** Show a picture, or the first letter of the name in its place. */
export function showPicture(node, user) {
  node.textContent = user.profile_picture_url ? "" : [...nameOf(user)].slice(0, 1).join("").toUpperCase();
  if (!user.profile_picture_url) return;
  // This page may be open at another name of the service's than that in the picture's address.
  const { pathname, href } = new URL(user.profile_picture_url);
  node.append(Object.assign(new Image(), { src: pathname.startsWith("/media/") ? pathname : href, alt: "" }));
}

export function showUser() {
  const user = state.session.active_signin?.user;
  $("who").hidden = $("for-users").hidden = !user;
  if (!user) return;
  $("who-name").textContent = nameOf(user);
  showPicture($("who-picture"), user);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  attempt(() => go(link.hash.slice(1)));
});

addEventListener("popstate", () => attempt(() => show(addressed())));

whenSessionIsLost(reload);
