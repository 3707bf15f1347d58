// The domains of an organization, whose people join by themselves.

import { call } from "./api.js";
import { $, actionButton, confirmed, element, onSubmit } from "./page.js";
import { addPanel, changed, place } from "./place.js";

addPanel("domains", {
  isFor: ({ isOrganization, isAdmin }) => isOrganization && isAdmin,
  load: ({ path }) => call("GET", `/${path}/domains`),
  render: (_, domains) => $("domains").replaceChildren(...domains.map(row)),
});

function row(domain) {
  const { fqdn, verified } = domain;
  const what = element("span", { className: "what" }, element("b", { text: fqdn }));
  if (!verified) what.append(record(domain));
  const chips = element("span", { className: "chips" });
  chips.append(element("span", { text: verified ? "verified" : "not verified", className: verified ? "good" : "bad" }));
  const actions = element("span", { className: "actions" });
  if (!verified) actions.append(actionButton("Verify", fqdn, () => verify(domain)));
  actions.append(actionButton("Remove", fqdn, () => remove(domain)));
  return element("li", {}, what, chips, actions);
}

function record(domain) {
  const { verification_dns_record_type: type, verification_dns_record_name: name, verification_dns_record_data: data } = domain;
  const small = element("small", { className: "muted", text: `Add this ${type} record at the domain's DNS provider, then verify: ` });
  small.append(element("code", { text: name }), " with ", element("code", { text: data }));
  return small;
}

const pathOf = ({ id }, what) => `/${place.path}/domains/${id}/${what}`;

async function verify(domain) {
  await call("POST", pathOf(domain, "verify"));
  await changed(`${domain.fqdn} is verified.`, "domains");
}

async function remove(domain) {
  await confirmed(`Do you want to remove ${domain.fqdn}? Members who joined by it stay.`, "Remove");
  await call("POST", pathOf(domain, "delete"));
  await changed(`${domain.fqdn} is removed.`, "domains");
}

onSubmit("domain-form", async (fields, form) => {
  const { fqdn } = await call("POST", `/${place.path}/domains`, fields);
  form.reset();
  await changed(`${fqdn} is added. Add its TXT record next.`, "domains");
});
