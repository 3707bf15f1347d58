// A typed client on the types that openapi-typescript makes of the OpenAPI document. It need only compile: whatever the
// document loses (a field, its type, whether it is always there) is an error here.
import type { components, paths } from "./generated/openapi.js";

type Schemas = components["schemas"];
type Data<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  responses: { 200: { content: { "application/json": { data: infer Data } } } };
}
  ? Data
  : never;
type Query<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  parameters: { query?: infer Query };
}
  ? NonNullable<Query>
  : never;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Holds<_ extends true> = never;
type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];

export type Membership = Schemas["WorkspaceMembership"];

export type Promises = [
  Holds<Equal<Data<"/me/workspace-memberships", "get">, Membership[]>>,
  Holds<Equal<Data<"/session", "get">, Schemas["Session"]>>,
  Holds<Equal<OptionalKeys<Membership>, never>>,
  Holds<Equal<OptionalKeys<Schemas["Workspace"]>, never>>,
  Holds<Equal<OptionalKeys<Schemas["Organization"]>, never>>,
  Holds<Equal<Membership["id"], string>>,
  Holds<Equal<Schemas["Workspace"]["enforce_2fa"], boolean>>,
  Holds<Equal<Schemas["Organization"]["enforce_mfa"], boolean>>,
  Holds<Equal<Schemas["Workspace"]["member_count"], number>>,
  Holds<Equal<Schemas["Workspace"]["whitelisted_ips"], string[]>>,
  Holds<Equal<Schemas["WorkspaceRole"]["permissions"], string[]>>,
  Holds<Equal<Schemas["Segment"]["type"], "user" | "organization" | "workspace">>,
  Holds<Equal<Schemas["Error"], { message: string; code: number }>>,
];

export class ApiError extends Error {
  constructor(readonly errors: Schemas["ErrorResponse"]["errors"]) {
    super(errors[0]?.message);
  }
}

async function call<Answer>(url: URL, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { credentials: "include", ...init });
  const body: unknown = await response.json();
  if (!response.ok) throw new ApiError((body as Schemas["ErrorResponse"]).errors);
  return (body as { data: Answer }).data;
}

function address(base: string, path: keyof paths, query: Record<string, string | undefined> = {}): URL {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

export function workspaceMemberships(
  base: string,
  query: Pick<Query<"/me/workspace-memberships", "get">, "org_id"> = {},
): Promise<Data<"/me/workspace-memberships", "get">> {
  return call(address(base, "/me/workspace-memberships", query), { method: "GET" });
}

export function signIn(base: string, email: string, password: string): Promise<Data<"/auth/signin", "post">> {
  const body: Schemas["SignInRequest"] = { strategy: "plain_email", email, password };
  return call(address(base, "/auth/signin"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export function accessToken(base: string): Promise<Data<"/session/token", "get">> {
  return call(address(base, "/session/token"), { method: "GET" });
}

/** What a front-end shows beside a workspace: every type of restriction has its case, or this does not compile. */
export function label({ workspace, eligibility_restriction: restriction }: Membership): string {
  switch (restriction.type) {
    case "none":
      return workspace.name;
    case "ip_not_allowed":
    case "mfa_required":
    case "ip_and_mfa_required":
      return `${workspace.name}: ${restriction.message}`;
  }
}

export async function main(base: string): Promise<string[]> {
  const session = await signIn(base, "ada@example.com", "secret");
  // @ts-expect-error -- nobody need be signed in
  session.active_signin.id;
  // @ts-expect-error -- this way to sign in takes an e-mail address
  const request: Schemas["SignInRequest"] = { strategy: "plain_email", username: "ada", password: "secret" };
  // @ts-expect-error -- the parameter is org_id
  await workspaceMemberships(base, { organization: "1" });
  const { token, expires } = await accessToken(base);
  const memberships = await workspaceMemberships(base, { org_id: "92" });
  return [request.strategy, token, new Date(expires).toISOString(), ...memberships.map(label)];
}
