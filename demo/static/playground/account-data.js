// What the parts of one's own account show: the user and their sign-ins, as the API last showed them.

import { call } from "./api.js";
import { showUser, state } from "./navigation.js";

export const account = { user: null, signIns: [] };

const parts = [];

/** `render(account)` is called whenever the account has been loaded or changed. */
export function whenLoaded(render) {
  parts.push(render);
}

export async function loadAccount() {
  const signIns = await call("GET", "/me/signins");
  showAccount({ user: await call("GET", "/me"), signIns });
}

export function showAccount(changed) {
  Object.assign(account, changed);
  state.session.active_signin.user = account.user;
  showUser();
  for (const render of parts) render(account);
}
