// Shows the OpenAPI document with Swagger UI: the introduction, the endpoints, and after them the catalogue of errors.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const spec = await (await fetch("/openapi.json")).json();
const [introduction, errors] = spec.info.description.split(/^## Errors$/m);

/** The value with each reference replaced by the part of the document that it names, but for one inside of itself. */
function resolved(value, within = []) {
  if (Array.isArray(value)) return value.map((item) => resolved(item, within));
  if (value === null || typeof value !== "object") return value;
  const { $ref: reference, ...rest } = value;
  if (reference !== undefined && !within.includes(reference)) {
    const part = reference.split("/").slice(1).reduce((whole, name) => whole[name], spec);
    return { ...resolved(part, [...within, reference]), ...resolved(rest, within), $$ref: reference };
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolved(item, within)]));
}

/** Takes the place of Swagger UI's own, which reads the whole document anew for each operation that is opened. */
const resolveSubtree = async (_, path) => ({
  spec: resolved(path.reduce((part, name) => part?.[name], spec)),
  errors: [],
});

/** Puts the catalogue after all that Swagger UI shows. */
const catalogue = (Layout, { React, getComponent }) => (props) => {
  const Markdown = getComponent("Markdown", true);
  return React.createElement(
    "div",
    { className: "swagger-ui" },
    React.createElement(Layout, props),
    React.createElement(
      "section",
      { id: "errors", className: "wrapper", "aria-labelledby": "errors-title" },
      React.createElement("h2", { id: "errors-title" }, "Errors"),
      React.createElement(Markdown, { source: errors }),
    ),
  );
};

/** Says in the place of a field that no page can fill in what to do about the cookie. */
const cookie = (Field, { React }) => (props) => {
  if (props.schema.get("in") !== "cookie") return React.createElement(Field, props);
  return React.createElement(
    "p",
    { className: "by-cookie" },
    React.createElement("strong", null, "The cookie needs nothing here. "),
    "No page may read or set it: run POST /auth/signin on this page, and your browser sends the cookie from then on.",
  );
};

/** What Swagger UI leaves without a name for screen readers, or out of reach of the keyboard. */
const NAMES = {
  "#servers": "Server",
  ".servers input": "Part of the server's address",
  ".close-modal": "Close",
  ".examples-select-element": "Example",
  "select.content-type": "Media type",
  ".body-param__text": "Body of the request",
  ".parameters select": "Value of the parameter",
  ".parameters input": "Value of the parameter",
  ".auth-container input": "Token",
};

function complete() {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const element of root.querySelectorAll(`:is(${selector}):not([aria-label])`)) element.setAttribute("aria-label", name);
  }
  for (const code of root.querySelectorAll("pre.microlight:not([tabindex])")) code.tabIndex = 0;
}

const root = document.getElementById("swagger-ui");
new MutationObserver(complete).observe(root, { childList: true, subtree: true });

SwaggerUIBundle({
  spec: { ...spec, info: { title: spec.info.title, version: spec.info.version, description: introduction } },
  domNode: root,
  plugins: [{ fn: { resolveSubtree }, wrapComponents: { BaseLayout: catalogue, apiKeyAuth: cookie } }],
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  withCredentials: true,
});
