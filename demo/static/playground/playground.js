// A front-end in miniature: what it does goes through the public API, as with any other front-end.

import "./signing-in.js";
import "./memberships.js";
import "./profile.js";
import "./addresses.js";
import "./mfa.js";
import "./sign-ins.js";
import "./organizations.js";
import "./place.js";
import "./members.js";
import "./invitations.js";
import "./roles.js";
import "./domains.js";
import "./accepting.js";
import { call, whenAnswered } from "./api.js";
import { showMails } from "./mails.js";
import { reload, state } from "./navigation.js";
import { $, attempt } from "./page.js";

whenAnswered(({ method, path, status, answer }) => {
  $("request").textContent = `${method} ${path} → ${status}`;
  $("answer").textContent = JSON.stringify(answer, null, 2);
});

attempt(async () => {
  showMails({ isFirst: true });
  state.deployment = await call("GET", "/deployment");
  await reload({ focus: false });
});
