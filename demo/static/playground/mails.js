// The mails of the demo: there is no mailbox to look into, so the page shows them.

import { whenAnswered } from "./api.js";
import { $, element } from "./page.js";

const MOST_TRIES = 5;
let newest = 0;

export async function showMails({ tries = 0, isFirst = false } = {}) {
  const response = await fetch("/playground/mails", { credentials: "same-origin" });
  const { mails } = response.ok ? await response.json() : { mails: [] };
  let open = [...document.querySelectorAll("#mail-list details[open]")].map((mail) => mail.dataset.mail);
  if (mails.length && Number(mails[0].id) > newest) {
    newest = Number(mails[0].id);
    open = isFirst ? [] : [mails[0].id];
  }
  $("no-mails").hidden = mails.length > 0;
  const focused = document.activeElement.closest?.("#mail-list details")?.dataset.mail;
  $("mail-list").replaceChildren(...mails.map((mail) => element("li", {}, shown(mail, open.includes(mail.id)))));
  if (focused) document.querySelector(`[data-mail="${focused}"] summary`)?.focus();
  const isUnderWay = mails.some(({ state }) => state === "waiting");
  if (isUnderWay && tries < MOST_TRIES) setTimeout(() => showMails({ tries: tries + 1, isFirst }), 1000);
}

function shown({ id, to, state, subject, text }, open) {
  const where = element("small", { text: `to ${to}, ${state}` });
  const summary = element("summary", {}, element("b", { text: subject }), " ", where);
  const mail = element("details", { open }, summary, element("pre", { text }));
  mail.dataset.mail = id;
  const [, token] = text.match(/https?:\S+[?&]invite_token=([\w-]+)/) ?? [];
  // The address in the mail is that of a front-end's page, which need not be there; this page can do the same.
  if (token) mail.append(element("a", { href: `/?invite_token=${token}#invitation`, text: "Follow the link on this page", className: "here" }));
  return mail;
}

/** Lead the reader to the newest mail. */
export async function readMail() {
  await showMails();
  const mail = document.querySelector("#mail-list details");
  if (mail) mail.open = true;
  const target = mail?.querySelector("summary") ?? $("mails-title");
  target.focus();
  target.scrollIntoView({ block: "nearest" });
}

whenAnswered(({ method }) => {
  if (method === "POST") showMails().catch(console.error);
});
