// The API: every call goes through here, as those of any other front-end would.

export class ApiError extends Error {
  constructor(status, { message, code }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const watchers = [];

/** `watch({ method, path, status, answer })` is called with every answer. */
export function whenAnswered(watch) {
  watchers.push(watch);
}

/** The `data` of the answer; `body` is an object, sent as JSON, or a FormData. Throws ApiError. */
export async function call(method, path, body) {
  return (await send(method, path, body)).data;
}

/** The answer of an endpoint whose answers have no envelope. Throws ApiError. */
export const post = (path, body) => send("POST", path, body);

async function send(method, path, body) {
  const isForm = body instanceof FormData;
  const response = await fetch(path, {
    method,
    credentials: "same-origin",
    headers: body && !isForm ? { "Content-Type": "application/json" } : {},
    body: body && !isForm ? JSON.stringify(body) : body,
  });
  const answer = await response.json();
  for (const watch of watchers) watch({ method, path, status: response.status, answer });
  if (!response.ok) throw new ApiError(response.status, answer.errors[0]);
  return answer;
}
