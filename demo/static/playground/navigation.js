// The views of the page: the address's fragment says which is shown, the session which can be.

import { call } from "./api.js";
import { $, attempt, whenSessionIsLost } from "./page.js";

/** The deployment and the session, as the API last showed them; the invitation whose link was followed. */
export const state = { deployment: null, session: null, invitation: null };

const views = new Map();

/**
 * A view is the section with the id `name`, whose heading has the id `name-title`. Its address is the name alone, or
 * with a path after it, such as `place/organizations/92`, and `open(path)` loads what it shows.
 * `isFor(isSignedIn)` says whose view it is; `under` names the link of the header to which it belongs.
 * A step of signing in or up has no address: `isDue(session)` says whether it is next.
 */
export function addView(name, { isFor = (isSignedIn) => !isSignedIn, under = name, isDue = null, open = () => {} } = {}) {
  views.set(name, { isFor, under, isDue, open });
}

export const forUsers = (isSignedIn) => isSignedIn;

export async function show(address, { focus = true } = {}) {
  const [name, ...path] = address.split("/");
  const { open, under } = views.get(name);
  await open(path.join("/"));
  for (const other of views.keys()) $(other).hidden = other !== name;
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    link.ariaCurrent = link.hash === `#${under}` ? "page" : null;
  }
  showUser();
  if (!focus) return;
  scrollTo(0, 0);
  $(`${name}-title`).focus({ preventScroll: true });
}

export async function go(address) {
  await show(address);
  if (location.hash !== `#${address}`) history.pushState(null, "", `#${address}`);
}

/** Go on with a session that the API has answered with. */
export async function enter(session, options) {
  state.session = session;
  const isStep = ([, view]) => !session.active_signin && view.isDue?.(session);
  const [step] = [...views].find(isStep) ?? [];
  const address = step ?? addressed();
  history.replaceState(null, "", step ? location.pathname + location.search : `#${address}`);
  try {
    await show(address, options);
  } catch (error) {
    if (address !== home()) await go(home()); // a place of the address may be none of theirs
    throw error;
  }
}

export async function reload(options) {
  await enter(await call("GET", "/session"), options);
}

function addressed() {
  const address = location.hash.slice(1);
  const view = views.get(address.split("/")[0]);
  return view && !view.isDue && view.isFor(isSignedIn()) ? address : home();
}

function home() {
  if (state.invitation) return "invitation";
  return isSignedIn() ? "memberships" : "sign-in";
}

/** The invitation has come to its end: nothing leads to it any more. */
export function forgetInvitation() {
  state.invitation = null;
  history.replaceState(null, "", location.pathname + location.hash);
}

export const isSignedIn = () => Boolean(state.session.active_signin);

/** A person's name, as far as they have one. */
export function nameOf(user) {
  const name = [user.first_name, user.last_name].join(" ").trim();
  return name || user.username || user.primary_email_address.email;
}

/** Show a picture that the service keeps, or the first letter of the name in its place. */
export function showPicture(node, url, name) {
  // This page may be open at another name of the service's than that in the picture's address.
  const path = url && new URL(url).pathname;
  const isKept = path.startsWith("/media/");
  node.replaceChildren(isKept ? Object.assign(new Image(), { src: path, alt: "" }) : [...name][0].toUpperCase());
}

export function showUser() {
  const user = state.session.active_signin?.user;
  $("who").hidden = $("for-users").hidden = !user;
  if (!user) return;
  $("who-name").textContent = nameOf(user);
  showPicture($("who-picture"), user.profile_picture_url, nameOf(user));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  attempt(() => go(link.hash.slice(1)));
});

addEventListener("popstate", () => attempt(() => show(addressed())));

whenSessionIsLost(reload);
