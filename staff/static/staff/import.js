// Sends the import's form without leaving the page, so that the chosen file stays chosen, and shows each step as it comes.
const END = "\n<!-- step -->\n";
const form = document.getElementById("import_form");
const steps = document.getElementById("steps");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.elements.file.files[0]?.size > Number(form.dataset.maxBytes)) {
    report("The file is larger than 50 MB: import it by manage.py import_memberships.");
    return;
  }
  const body = new FormData(form, event.submitter);
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { "X-Steps-Only": "1" } });
    if (response.ok) {
      await show(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } else {
      report(response.status === 422 ? await errorsIn(response) : `Nothing was saved: the server answered ${response.status}.`);
    }
  } catch {
    form.elements.file.value = "";
    report("Either everything was saved or nothing. The file has changed since it was chosen, or the connection was lost: choose the file again.");
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
});

async function show(reader) {
  let text = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    text += value;
    const complete = text.split(END).slice(0, -1);
    if (complete.length > 0) {
      steps.innerHTML = complete.at(-1);
      text = text.slice(text.lastIndexOf(END) + END.length);
    }
  }
}

async function errorsIn(response) {
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return [...page.querySelectorAll("#import_form .errors ul, #import_form .errorlist, #import_form .errornote")].map((item) => item.textContent.trim()).join(" ");
}

function report(message) {
  const paragraph = document.createElement("p");
  paragraph.className = "errornote mb-4 px-3 py-2.5 rounded-default bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400";
  paragraph.textContent = message;
  steps.replaceChildren(paragraph);
}
