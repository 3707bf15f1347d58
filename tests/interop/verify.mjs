// What a back-end in another language does: verifies tokens by the deployment's JWKS, with a library of its own (jose).
// Usage: node verify.mjs BASE_URL ISSUER SESSION_TOKEN; prints both tokens' claims as JSON, or fails.
import assert from "node:assert/strict";
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";

const [base, issuer, sessionToken] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", base));
const rules = { algorithms: ["ES256"], clockTolerance: 5 };
const times = ["iat", "nbf", "exp"];

async function accessToken() {
  const response = await fetch(new URL("/session/token", base), { headers: { Cookie: `__session=${sessionToken}` } });
  assert.equal(response.status, 200);
  return (await response.json()).data.token;
}

// What docs/sessions.md has a back-end ask of an access token.
const accessRules = { issuer, audience: issuer, typ: "at+jwt" };

async function claims(token, own, requiredClaims) {
  const { payload, key } = await jwtVerify(token, keys, { ...rules, ...own, requiredClaims: [...times, ...requiredClaims] });
  assert.equal(key.type, "public");
  await assert.rejects(
    jwtVerify(token, keys, { ...rules, issuer: "https://elsewhere.example.net" }),
    errors.JWTClaimValidationFailed,
  );
  const [header, body, signature] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...payload, sub: "1", sess: "1" })).toString("base64url");
  assert.notEqual(forged, body);
  await assert.rejects(
    jwtVerify([header, forged, signature].join("."), keys, { ...rules, issuer }),
    errors.JWSSignatureVerificationFailed,
  );
  return { kid: decodeProtectedHeader(token).kid, ...payload };
}

async function visitorsToken() {
  const response = await fetch(new URL("/session", base));
  assert.equal(response.status, 200);
  return response.headers.get("Set-Cookie").match(/^__session=([^;]+)/)[1];
}

const session = await claims(sessionToken, { issuer, typ: "JWT" }, ["sess"]);
const access = await claims(await accessToken(), accessRules, ["sub", "sid", "client_id", "jti"]);
for (const token of [sessionToken, await visitorsToken()]) {
  await claims(token, { issuer }, ["sess"]); // signed by the same keys, and yet
  await assert.rejects(jwtVerify(token, keys, { ...rules, ...accessRules }), errors.JWTClaimValidationFailed);
  await assert.rejects(jwtVerify(token, keys, { ...rules, issuer, audience: issuer }), errors.JWTClaimValidationFailed);
  await assert.rejects(jwtVerify(token, keys, { ...rules, issuer, typ: "at+jwt" }), errors.JWTClaimValidationFailed);
}
console.log(JSON.stringify({ session, access }));
