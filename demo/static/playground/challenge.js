// The proof of work that a deployment may demand of whoever signs in or up.

import { post } from "./api.js";
import { notify } from "./page.js";

const DEMANDED = 40005;

/** The outcome of `send(proof)`, where `proof` is {} unless the API asks for a solved challenge. */
export async function withChallenge(send) {
  try {
    return await send({});
  } catch (error) {
    if (error.code !== DEMANDED) throw error;
  }
  notify("One moment: your browser solves the check against robots.");
  return send({ challenge_token: await redeemedToken() });
}

async function redeemedToken() {
  const { challenge, token } = await post("/captcha/challenge");
  const solutions = await solved({ ...challenge, token });
  return (await post("/captcha/redeem", { token, solutions })).token;
}

/** The solutions, found on a thread of their own: the page stays usable. */
function solved(challenge) {
  const worker = new Worker(new URL("./challenge-worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => reject(new Error("The challenge could not be solved."));
    worker.postMessage(challenge);
  }).finally(() => worker.terminate());
}
