// A front-end in miniature: everything here goes through the public API, as any other front-end would.

const $ = (id) => document.getElementById(id);
const state = { session: null, memberships: [], organization: "", attempt: null, authenticator: null, proof: null };

// --- the API -------------------------------------------------------------------------------------------------------

class ApiError extends Error {
  constructor(status, { message, code }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    credentials: "same-origin",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  const answer = await response.json();
  $("request").textContent = `${method} ${path} → ${response.status}`;
  $("answer").textContent = JSON.stringify(answer, null, 2);
  if (method === "POST") showMails();
  if (!response.ok) throw new ApiError(response.status, answer.errors[0]);
  return answer.data;
}

async function showMails() {
  const response = await fetch("/playground/mails", { credentials: "same-origin" });
  const { mails } = response.ok ? await response.json() : { mails: [] };
  $("mails").hidden = !mails.length;
  $("mail-list").replaceChildren(
    ...mails.map(({ to, state, subject, text }) =>
      element(
        "li",
        {},
        element(
          "details",
          {},
          element("summary", { text: `${subject} (to ${to}, ${state})` }),
          element("pre", { text }),
        ),
      ),
    ),
  );
}

// --- building the page ---------------------------------------------------------------------------------------------

function element(tag, { text, className, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function card(membership, activeId) {
  const { workspace, organization, roles, eligibility_restriction: restriction } = membership;
  const isActive = membership.id === activeId;
  const isRestricted = restriction.type !== "none";
  const chips = element("ul", { className: "chips" });
  chips.setAttribute("aria-label", "Roles and segments");
  for (const role of roles) chips.append(element("li", { text: role.name, title: role.permissions.join(", ") }));
  for (const segment of [...workspace.segments, ...organization.segments]) {
    chips.append(element("li", { text: segment.name, className: "segment" }));
  }
  const enter = element("button", { type: "button", text: isActive ? "You are here" : "Enter" });
  enter.setAttribute("aria-current", isActive);
  enter.setAttribute("aria-label", `${enter.textContent}: ${workspace.name}`);
  enter.addEventListener("click", () => attempt(() => switchWorkspace(workspace)));
  const node = element(
    "li",
    { className: isActive ? "card active" : "card" },
    element("p", { className: "organization", text: organization.name }),
    element("h3", { text: workspace.name }),
    ...(workspace.description ? [element("p", { className: "muted", text: workspace.description })] : []),
    chips,
    element("p", {
      className: isRestricted ? "verdict restricted" : "verdict",
      text: isRestricted ? restriction.message : "You may enter.",
    }),
    enter,
  );
  node.dataset.workspace = workspace.name;
  node.dataset.restriction = restriction.type;
  return node;
}

function show(section, { focus = false } = {}) {
  for (const name of ["sign-in", "mfa", "memberships"]) $(name).hidden = name !== section;
  $("who").hidden = section !== "memberships";
  if (focus) $(`${section}-title`).focus();
}

function notify(text, isError = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("error", isError);
}

function render() {
  const { active_signin: signIn } = state.session;
  const activeId = signIn.active_workspace_membership_id;
  $("who-name").textContent = [signIn.user.first_name, signIn.user.last_name].join(" ").trim() || signIn.user.username;
  $("cards").replaceChildren(...state.memberships.map((membership) => card(membership, activeId)));
  $("count").textContent = state.memberships.length ? `(${state.memberships.length})` : "";
  if (!state.memberships.length) {
    $("cards").append(element("li", { className: "muted", text: "You are a member of no workspace yet." }));
  }
}

function renderFilter(organizations) {
  const options = organizations.map(({ organization }) =>
    element("option", { value: organization.id, text: organization.name }),
  );
  $("filter").replaceChildren(element("option", { value: "", text: "All" }), ...options);
}

// --- what a user does ----------------------------------------------------------------------------------------------

async function attempt(action) {
  notify("");
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ApiError)) {
      notify("The service cannot be reached; try again.", true);
    } else {
      notify(`${error.message} (${error.code})`, true);
      if (error.status === 401 && ![40108, 40109, 40113].includes(error.code)) await loadSession();
    }
  }
}

async function loadSession(options) {
  state.session = await call("GET", "/session");
  await goOn(options);
}

async function goOn(options) {
  state.attempt = state.session.signin_attempts.at(-1) ?? null;
  if (state.session.active_signin) {
    state.organization = "";
    renderFilter(await call("GET", "/me/organization-memberships"));
    await loadMemberships();
    show("memberships", options);
  } else {
    show(state.attempt ? "mfa" : "sign-in", options);
  }
}

async function loadMemberships() {
  const query = state.organization ? `?org_id=${encodeURIComponent(state.organization)}` : "";
  state.memberships = await call("GET", `/me/workspace-memberships${query}`);
  render();
}

async function switchWorkspace(workspace) {
  state.session = await call("POST", `/session/switch-workspace?workspace_id=${encodeURIComponent(workspace.id)}`);
  render();
  document.querySelector(".card.active button")?.focus(); // the button that was pressed is gone
  notify(`You are in ${workspace.name} now.`);
}

function onSubmit(form, action) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    attempt(() => action(fields, event.target));
  });
}

onSubmit("password-form", async ({ name, password }, form) => {
  const credentials = name.includes("@")
    ? { strategy: "plain_email", email: name, password }
    : { strategy: "plain_username", username: name, password };
  state.session = await call("POST", "/auth/signin", credentials);
  form.reset();
  await goOn({ focus: true });
});

onSubmit("code-form", async ({ code }, form) => {
  const id = encodeURIComponent(state.attempt.id);
  const path = `/auth/attempt-verification?attempt_identifier=${id}&identifier_type=signin`;
  state.session = await call("POST", path, { verification_code: code });
  form.reset();
  await goOn({ focus: true });
});

onSubmit("confirm-form", async ({ first, second }, form) => {
  const confirmation = { authenticator_id: state.authenticator.id, codes: [first, second] };
  await call("POST", "/me/authenticator/attempt-verification", confirmation);
  form.reset();
  form.hidden = true;
  await loadMemberships();
  notify("Your authenticator is set up.");
});

// The service asks for one of these when the session alone is not enough to change MFA.
const PROOFS = {
  40304: { field: "verification_code", label: "A code of your current authenticator, or a backup code", type: "text" },
  40305: { field: "password", label: "Your password, once more", type: "password" },
};

async function changeMfa(path, show, proof) {
  try {
    show(await call("POST", path, proof));
    $("proof-form").hidden = true;
  } catch (error) {
    if (!(error.code in PROOFS)) throw error;
    const { field, label, type } = PROOFS[error.code];
    state.proof = { path, show, field };
    $("proof-label").textContent = label;
    Object.assign($("proof-form").elements.proof, {
      type,
      autocomplete: type === "password" ? "current-password" : "one-time-code",
    });
    $("proof-form").hidden = false;
    $("proof-form").elements.proof.focus();
  }
}

onSubmit("proof-form", async ({ proof }, form) => {
  form.reset();
  await changeMfa(state.proof.path, state.proof.show, { [state.proof.field]: proof });
});

function showAuthenticator(authenticator) {
  state.authenticator = authenticator;
  $("secret").textContent = authenticator.totp_secret;
  $("otp-url").href = authenticator.otp_url;
  $("confirm-form").hidden = false;
  $("confirm-form").elements.first.focus();
}

function showBackupCodes(codes) {
  $("backup-codes").replaceChildren(...codes.map((code) => element("li", { text: code })));
  notify("Keep these codes; they are not shown again.");
}

$("new-authenticator").addEventListener("click", () =>
  attempt(() => changeMfa("/me/authenticator", showAuthenticator)),
);

$("new-backup-codes").addEventListener("click", () => attempt(() => changeMfa("/me/backup-codes", showBackupCodes)));

$("sign-out").addEventListener("click", () =>
  attempt(async () => {
    state.session = await call("POST", "/session/sign-out");
    $("backup-codes").replaceChildren();
    for (const form of ["confirm-form", "proof-form"]) $(form).hidden = true;
    $("proof-form").reset();
    $("secret").textContent = "";
    $("otp-url").removeAttribute("href");
    $("mfa-settings").open = false;
    await goOn({ focus: true });
    notify("You are signed out.");
  }),
);

$("start-again").addEventListener("click", () => show("sign-in", { focus: true }));

$("filter").addEventListener("change", ({ target }) =>
  attempt(async () => {
    state.organization = target.value;
    await loadMemberships();
  }),
);

for (const button of document.querySelectorAll("[data-user]")) {
  button.addEventListener("click", () => {
    const form = $("password-form").elements;
    form.name.value = button.dataset.user;
    form.password.value = $("demo-password").textContent;
    form.password.focus();
  });
}

attempt(async () => {
  showMails();
  await call("GET", "/deployment");
  await loadSession();
});
